/** EFI_GUID, UEFI Specification, appendix A: the first three parts are little-endian. */
import { toHex } from "../bytes/index.ts";

/** `8be4df61-93ca-11d2-aa0d-00e098032b8c`. RangeError when these are not 16 bytes. */
export function guidText(guid: Uint8Array): string {
  if (guid.byteLength !== 16) throw new RangeError(`a GUID of ${guid.byteLength} bytes`);
  const part = (from: number, to: number) => toHex(guid.subarray(from, to).slice().reverse());
  return [part(0, 4), part(4, 6), part(6, 8), toHex(guid.subarray(8, 10)), toHex(guid.subarray(10))].join("-");
}

const NAMES: Readonly<Record<string, string>> = {
  "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI System",
  "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
  "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
  "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root",
  "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
  "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
  "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Microsoft basic data",
  "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
};

/** The name of a partition type, or the GUID. */
export function partitionTypeText(guid: Uint8Array): string {
  const text = guidText(guid);
  return NAMES[text] ?? text;
}

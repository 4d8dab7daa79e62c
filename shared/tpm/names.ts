/** Names of entities: Part 1, clause 16. */
import { concat, encode, u16be, u32be } from "../bytes/index.ts";
import { digest } from "../crypto/index.ts";
import { TpmAlg } from "./constants.ts";
import { hashNameOf } from "./hash.ts";
import { TpmsNvPublic } from "./nv.ts";
import { TpmtPublic } from "./public.ts";

function hashedName(nameAlg: number, ...content: readonly Uint8Array[]): Uint8Array {
  if (nameAlg === TpmAlg.NULL) return new Uint8Array(0);
  const hash = hashNameOf(nameAlg);
  if (hash === undefined) throw new RangeError(`nameAlg 0x${nameAlg.toString(16)} is no hash known here`);
  return concat(encode(u16be, nameAlg), digest(hash, ...content));
}

/** nameAlg || H(TPMT_PUBLIC). Empty for nameAlg NULL. RangeError when the algorithm is not one of ours. */
export function nameOf(publicArea: TpmtPublic): Uint8Array {
  return hashedName(publicArea.nameAlg, encode(TpmtPublic, publicArea));
}

/** nameAlg || H(TPMS_NV_PUBLIC). */
export function nameOfNv(nvPublic: TpmsNvPublic): Uint8Array {
  return hashedName(nvPublic.nameAlg, encode(TpmsNvPublic, nvPublic));
}

/** PCRs, sessions and permanent handles are their own names. */
export function nameOfHandle(handle: number): Uint8Array {
  return encode(u32be, handle);
}

/** nameAlg || H(parent's qualified name || name), Part 1, 26.5. A primary's parent is its hierarchy's handle. */
export function qualifiedNameOf(parentQualifiedName: Uint8Array, nameAlg: number, name: Uint8Array): Uint8Array {
  return hashedName(nameAlg, parentQualifiedName, name);
}

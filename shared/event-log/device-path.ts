/** Device paths as text, UEFI Specification, 10.6. */
import { type Codec, CodecError, decode, Reader, toHex } from "../bytes/index.ts";
import { DevicePathNode, NodeBody } from "./efi.ts";
import { guidText } from "./guid.ts";
import { plainText, wideTextOf } from "./text.ts";

const MAX_NODES = 64;
const END = 0x7f;
const END_ENTIRE = 0xff;
const MEDIA = 4;
const FILE_PATH = 4;
const EISA_PNP = 0x41d0;

/** The nodes up to the end node, which must be the last. CodecError. */
export function decodeDevicePath(bytes: Uint8Array): readonly DevicePathNode[] {
  const reader = new Reader(bytes);
  const nodes: DevicePathNode[] = [];
  for (;;) {
    if (nodes.length > MAX_NODES) reader.fail(`more than ${MAX_NODES} nodes`);
    const node = DevicePathNode.read(reader);
    if (node.type !== END) {
      nodes.push(node);
      continue;
    }
    if (node.data.byteLength > 0) reader.fail("an end node with data");
    if (node.subType === END_ENTIRE) break;
    nodes.push(node); // another path of the same device follows
  }
  reader.end();
  return nodes;
}

export interface DevicePathText {
  /** Of the file that the path leads to, if it leads to one. */
  readonly file?: string;
  /** The nodes before it. */
  readonly place: string;
}

export function describeDevicePath(nodes: readonly DevicePathNode[]): DevicePathText {
  const isFile = ({ type, subType }: DevicePathNode) => type === MEDIA && subType === FILE_PATH;
  const file = nodes.filter(isFile).map(({ data }) => wideTextOf(data));
  const place = plainText(nodes.filter((node) => !isFile(node)).map(nodeText).join("/")); // biome-ignore format: short
  return file.length === 0 ? { place } : { file: plainText(file.join("")), place };
}

type NodeText = (data: Uint8Array) => string;

/** Undefined for data that are not what the node's type says. */
function read<T>(codec: Codec<T>, text: (value: T) => string): NodeText {
  return (data) => text(decode(codec, data));
}

const NODES: Readonly<Record<string, NodeText>> = {
  "1.1": read(NodeBody.pci, ({ device, function: part }) => `Pci(0x${device.toString(16)},0x${part.toString(16)})`),
  "2.1": read(NodeBody.acpi, ({ hid, uid }) => acpiText(hid, uid)),
  "3.5": read(NodeBody.usb, ({ port, interface: part }) => `USB(0x${port.toString(16)},0x${part.toString(16)})`),
  "3.11": read(NodeBody.mac, ({ address, type }) => `MAC(${toHex(address.subarray(0, type <= 1 ? 6 : 32))})`),
  "3.18": read(NodeBody.sata, ({ port, multiplier, lun }) => `Sata(${port},${multiplier},${lun})`),
  "3.23": read(NodeBody.nvme, ({ namespace }) => `NVMe(${namespace})`),
  "4.1": read(NodeBody.hardDrive, ({ partition, signature, signatureType }) => {
    if (signatureType === 2) return `HD(${partition},GPT,${guidText(signature)})`;
    return `HD(${partition},${signatureType === 1 ? `MBR,${toHex(signature.subarray(0, 4))}` : "no signature"})`;
  }),
  "4.6": read(NodeBody.firmware, ({ guid }) => `FvFile(${guidText(guid)})`),
  "4.7": read(NodeBody.firmware, ({ guid }) => `Fv(${guidText(guid)})`),
  "127.1": () => ",",
};

function nodeText({ type, subType, data }: DevicePathNode): string {
  const known = NODES[`${type}.${subType}`];
  try {
    if (known !== undefined) return known(data);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error; // said as what it is: a node that cannot be read
  }
  return `Path(${type},${subType},${data.byteLength} bytes)`;
}

function acpiText(hid: number, uid: number): string {
  const product = hid >>> 16;
  if ((hid & 0xffff) !== EISA_PNP) return `Acpi(0x${hid.toString(16)},0x${uid.toString(16)})`;
  if (product === 0x0a03 || product === 0x0a08)
    return `${product === 0x0a03 ? "PciRoot" : "PcieRoot"}(0x${uid.toString(16)})`;
  return `Acpi(PNP${product.toString(16).padStart(4, "0").toUpperCase()},0x${uid.toString(16)})`;
}

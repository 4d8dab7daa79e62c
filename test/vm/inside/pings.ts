/**
 * Runs in the guest, as root: one echo request of each size through an interface, each answered with what it carried.
 * `pings INTERFACE ADDRESS FIRST LAST`: sizes of the data. Prints one JSON object: what was lost at first, and for good.
 */
import koffi from "koffi";
import { decode, encode, Reader } from "../../../shared/bytes/index.ts";
import { type IcmpEcho, IcmpMessage, IcmpType } from "../../../shared/net/index.ts";

const [AF_INET, SOCK_RAW, IPPROTO_ICMP] = [2, 3, 1];
const [SOL_SOCKET, SO_RCVTIMEO, SO_BINDTODEVICE] = [1, 20, 25];
const WAIT_US = 500_000;
const TRIES = 3;
const IDENTIFIER = 0xf0b;

const [name = "", address = "", first = "", last = ""] = process.argv.slice(2);
const libc = koffi.load("libc.so.6");
const socket: (domain: number, type: number, protocol: number) => number = libc.func("int socket(int, int, int)");
const setsockopt: (fd: number, level: number, option: number, value: Uint8Array, size: number) => number = libc.func(
  "int setsockopt(int, int, int, void *, uint)",
);
const connect: (fd: number, to: Uint8Array, size: number) => number = libc.func("int connect(int, void *, uint)");
const send: (fd: number, data: Uint8Array, size: number, flags: number) => number = libc.func(
  "long send(int, void *, size_t, int)",
);
const receive: (fd: number, into: Uint8Array, size: number, flags: number) => number = libc.func(
  "long recv(int, _Out_ uint8_t *, size_t, int)",
);

function must(what: string, result: number): number {
  if (result < 0) throw new Error(`${what}: errno ${koffi.errno()}`);
  return result;
}

function open(): number {
  const fd = must("socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  const device = Buffer.from(`${name}\0`);
  must("SO_BINDTODEVICE", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, device.byteLength));
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(BigInt(WAIT_US), 8);
  must("SO_RCVTIMEO", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, time, time.byteLength));
  const to = Buffer.alloc(16);
  to.writeUInt16LE(AF_INET, 0);
  to.set(address.split(".").map(Number), 4);
  must("connect", connect(fd, to, to.byteLength));
  return fd;
}

/** The ICMP message in an IPv4 packet, as a raw socket gives it. */
function messageIn(packet: Uint8Array): IcmpMessage {
  const from = new Reader(packet);
  from.bytes(((from.peek() ?? 0) & 0x0f) * 4);
  return decode(IcmpMessage, from.rest());
}

const isAnswer = (message: IcmpMessage, { identifier, sequence, data }: IcmpEcho): boolean =>
  message.type === IcmpType.EchoReply &&
  message.identifier === identifier &&
  message.sequence === sequence &&
  Buffer.compare(message.data, data) === 0;

/** Whether the answer came in time. */
function ping(fd: number, size: number, sequence: number): boolean {
  const data = Uint8Array.from({ length: size }, (_, i) => i + size);
  const asked = { type: IcmpType.EchoRequest, identifier: IDENTIFIER, sequence, data };
  const request = encode(IcmpMessage, asked);
  must("send", send(fd, request, request.byteLength, 0));
  const buffer = new Uint8Array(2_048);
  for (;;) {
    const got = receive(fd, buffer, buffer.byteLength, 0);
    if (got < 0) return false; // nothing came in time
    if (isAnswer(messageIn(buffer.subarray(0, got)), asked)) return true;
  }
}

const fd = open();
const again: number[] = [];
const lost: number[] = [];
let sequence = 0;
for (let size = Number(first); size <= Number(last); size++) {
  let tries = 0;
  while (!ping(fd, size, sequence++ & 0xffff)) {
    tries += 1;
    if (tries === 1) again.push(size);
    if (tries < TRIES) continue;
    lost.push(size);
    break;
  }
}
console.log(JSON.stringify({ sizes: Number(last) - Number(first) + 1, again, lost }));

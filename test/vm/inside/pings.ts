/**
 * Runs in the guest, as root: one echo request of each size through an interface, some at a time, each answered with what it carried.
 * `pings INTERFACE ADDRESS FIRST LAST`: sizes of the data. Prints one JSON object: what was lost at first, and for good.
 */
import { writeFileSync } from "node:fs";
import koffi from "koffi";

const [AF_INET, SOCK_DGRAM, IPPROTO_ICMP] = [2, 2, 1];
const [SOL_SOCKET, SO_RCVTIMEO, SO_BINDTODEVICE] = [1, 20, 25];
const [ECHO_REPLY, ECHO_REQUEST] = [0, 8];
const HEADER_BYTES = 8;
const SEQUENCE_AT = 6;
const WAIT_US = 500_000;
const TRIES = 3;
/** Under way at a time. */
const WINDOW = 4;

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

/** A socket for echo requests alone: the kernel makes checksums and the identifier, and lets only answers through. */
function open(): number {
  writeFileSync("/proc/sys/net/ipv4/ping_group_range", "0 0");
  const fd = must("socket", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
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

const pattern = Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 7) ^ (i >> 8)));
const dataOf = (size: number) => pattern.subarray(size, 2 * size);

interface Asked {
  readonly size: number;
  readonly tries: number;
}

const fd = open();
const waiting: Asked[] = [];
for (let size = Number(first); size <= Number(last); size++) waiting.push({ size, tries: 0 });
const total = waiting.length;
const underWay = new Map<number, Asked>();
const again: number[] = [];
const lost: number[] = [];
let sequence = 0;

function ask(asked: Asked): void {
  const request = Buffer.alloc(HEADER_BYTES + asked.size);
  request.writeUInt8(ECHO_REQUEST, 0);
  request.writeUInt16BE(sequence, SEQUENCE_AT);
  request.set(dataOf(asked.size), HEADER_BYTES);
  must("send", send(fd, request, request.byteLength, 0));
  underWay.set(sequence, asked);
  sequence = (sequence + 1) & 0xffff;
}

function heard(message: Buffer): void {
  const number = message.readUInt16BE(SEQUENCE_AT);
  const asked = underWay.get(number);
  if (asked === undefined || message.readUInt8(0) !== ECHO_REPLY) return;
  if (!dataOf(asked.size).equals(message.subarray(HEADER_BYTES))) return;
  underWay.delete(number);
}

/** Nothing came in time. */
function giveUp(): void {
  for (const { size, tries } of underWay.values()) {
    if (tries === 0) again.push(size);
    if (tries + 1 < TRIES) waiting.push({ size, tries: tries + 1 });
    else lost.push(size);
  }
  underWay.clear();
}

const buffer = Buffer.alloc(2_048);
while (waiting.length > 0 || underWay.size > 0) {
  for (let next = waiting[0]; next !== undefined && underWay.size < WINDOW; next = waiting[0]) {
    waiting.shift();
    ask(next);
  }
  const got = receive(fd, buffer, buffer.byteLength, 0);
  if (got < HEADER_BYTES) giveUp();
  else heard(buffer.subarray(0, got));
}
console.log(JSON.stringify({ sizes: total, again, lost }));

import { Writer } from "../bytes/index.ts";
import { transferKey } from "./block-key.ts";
import { type Block, blockBytes, blockStart } from "./block-option.ts";
import { Code } from "./code.ts";
import type { CoapMessage } from "./message.ts";
import { type CoapOption, OptionNumber, optionUint, uintOption } from "./option.ts";
import type { CoapLimits } from "./parameters.ts";
import { makeRoom, type PeerRecord } from "./peers.ts";

/** How much room a body gets at once upon its first block, if it is announced to be as long: an announcement costs a peer nothing. */
const FIRST_ROOM_BYTES = 4_096;

interface Upload {
  readonly peer: PeerRecord;
  readonly body: Writer;
  touchedAt: number;
}

export type UploadOutcome =
  /** 2.31 with this Block1. */
  | { readonly kind: "continue"; readonly block: Block }
  | { readonly kind: "complete"; readonly body: Uint8Array }
  | { readonly kind: "refused"; readonly code: number; readonly text: string; readonly option?: CoapOption };

/** Request bodies that arrive in blocks: RFC 7959, section 2.5, atomic transfer. */
export class UploadTable {
  readonly #uploads = new Map<string, Upload>(); // idle longest first
  readonly #limits: CoapLimits;

  constructor(limits: CoapLimits) {
    this.#limits = limits;
  }

  add(peer: PeerRecord, message: CoapMessage, block: Block, now: number): UploadOutcome {
    const size = message.payload.byteLength;
    const whole = blockBytes(block.exponent);
    if (block.more ? size !== whole : size > whole)
      return refused(Code.BadRequest, `${size} bytes in a block of ${whole}`);
    const start = blockStart(block);
    const announced = optionUint(message.options, OptionNumber.Size1) ?? 0;
    if (Math.max(start + size, announced) > this.#limits.bodyBytes) return this.#tooLarge(peer, message);
    const key = transferKey(peer, message, "upload");
    const found = this.#find(key, now);
    this.#uploads.delete(key);
    if (start === 0 && !block.more) return { kind: "complete", body: message.payload };
    if (start === 0 && !this.#makeRoom(peer, now)) return NO_ROOM;
    const upload = start === 0 ? begin(peer, Math.max(announced, size)) : found;
    if (upload === undefined) return refused(Code.RequestEntityIncomplete, `block ${block.number} of an unknown body`);
    const received = upload.body.offset;
    const repeated = block.more && start + size === received;
    if (!repeated && start !== received) {
      return refused(Code.RequestEntityIncomplete, `block ${block.number} where byte ${received} is next`);
    }
    if (!repeated) upload.body.bytes(message.payload);
    if (!block.more) return { kind: "complete", body: upload.body.finish() };
    upload.touchedAt = now;
    this.#uploads.set(key, upload);
    return { kind: "continue", block: this.#negotiated(block) };
  }

  get size(): number {
    return this.#uploads.size;
  }

  /** Of all unfinished bodies together. */
  get bytes(): number {
    return [...this.#uploads.values()].reduce((sum, { body }) => sum + body.offset, 0);
  }

  forget(peer: PeerRecord): void {
    for (const [key, upload] of this.#uploads) if (upload.peer === peer) this.#uploads.delete(key);
  }

  /** Only in the answer to the first block can a smaller size be asked for: later the number would be read in the wrong size. */
  #negotiated(block: Block): Block {
    const exponent = Math.min(block.exponent, this.#limits.blockExponent);
    return { number: block.number, more: true, exponent: block.number === 0 ? exponent : block.exponent };
  }

  #makeRoom(peer: PeerRecord, now: number): boolean {
    const { uploads: most, uploadsOfPeer: mostOfPeer, transferLifetimeMs: lifetimeMs } = this.#limits;
    return makeRoom(this.#uploads, peer, { most, mostOfPeer, lifetimeMs }, now);
  }

  #find(key: string, now: number): Upload | undefined {
    const upload = this.#uploads.get(key);
    return upload !== undefined && now - upload.touchedAt <= this.#limits.transferLifetimeMs ? upload : undefined;
  }

  #tooLarge(peer: PeerRecord, message: CoapMessage): UploadOutcome {
    this.#uploads.delete(transferKey(peer, message, "upload"));
    return tooLarge(this.#limits.bodyBytes);
  }
}

function begin(peer: PeerRecord, expectedBytes: number): Upload {
  const room = new Uint8Array(Math.min(expectedBytes, FIRST_ROOM_BYTES));
  return { peer, body: new Writer(room), touchedAt: 0 };
}

/** Peers of a higher standing have all of it. */
const NO_ROOM: UploadOutcome = {
  kind: "refused",
  code: Code.ServiceUnavailable,
  text: "too many bodies in blocks at the same time",
  option: uintOption(OptionNumber.MaxAge, 1),
};

/** 4.13 with Size1, what would still be taken: RFC 7959, sections 2.9.3 and 4. */
export function tooLarge(bodyBytes: number): UploadOutcome & { readonly kind: "refused" } {
  const option = uintOption(OptionNumber.Size1, bodyBytes);
  return { kind: "refused", code: Code.RequestEntityTooLarge, text: `over ${bodyBytes} bytes`, option };
}

function refused(code: number, text: string): UploadOutcome {
  return { kind: "refused", code, text };
}

import { equal, Writer } from "../bytes/index.ts";
import { type Block, blockBytes, blockOption, blockStart, readBlock } from "./block-option.ts";
import { type CoapMessage, NO_BYTES } from "./message.ts";
import { type CoapOption, OptionNumber, optionUint, optionValue } from "./option.ts";
import { type CoapResponse, responseOf } from "./request.ts";

export type DownloadStep =
  /** The next block is to be asked for. */
  | { readonly kind: "send" }
  | { readonly kind: "complete"; readonly response: CoapResponse }
  | { readonly kind: "too-large"; readonly text: string }
  /** The representation changed between two blocks. */
  | { readonly kind: "changed" }
  /** Not the block that was asked for. */
  | { readonly kind: "mismatch"; readonly text: string };

const SEND: DownloadStep = { kind: "send" };

/** A response body on its way down in blocks: RFC 7959, section 2.4. */
export class Download {
  readonly #maxBytes: number;
  readonly #body = new Writer();
  #exponent: number;
  #first: CoapMessage | undefined;

  constructor(exponent: number, maxBytes: number) {
    this.#exponent = exponent;
    this.#maxBytes = maxBytes;
  }

  /** Whether a first block arrived: then requests ask for later ones. */
  get isUnderWay(): boolean {
    return this.#first !== undefined;
  }

  option(): CoapOption {
    const number = this.#body.offset / blockBytes(this.#exponent);
    return blockOption(OptionNumber.Block2, { number, more: false, exponent: this.#exponent });
  }

  /** Whether `message`, an error while a first block is there, is all that comes: not the next block of the error that has begun. */
  isEndedBy({ code, options }: CoapMessage): boolean {
    return code !== this.#first?.code || optionValue(options, OptionNumber.Block2) === undefined;
  }

  answered(message: CoapMessage): DownloadStep {
    const block = readBlock(message.options, OptionNumber.Block2);
    const announced = optionUint(message.options, OptionNumber.Size2) ?? 0;
    const size = Math.max(this.#body.offset + message.payload.byteLength, announced);
    if (block === "malformed") return { kind: "mismatch", text: "a malformed Block2" };
    if (size > this.#maxBytes) return { kind: "too-large", text: `${size} bytes where ${this.#maxBytes} are allowed` };
    if (block === undefined && this.#first === undefined) return { kind: "complete", response: wholeResponse(message) };
    const problem = block === undefined ? "no Block2" : this.#problemOf(message, block);
    if (problem !== undefined || block === undefined) return { kind: "mismatch", text: problem ?? "no Block2" };
    if (this.#first !== undefined && !equal(etagOf(this.#first), etagOf(message))) return { kind: "changed" };
    if (this.#first === undefined && !block.more) return { kind: "complete", response: wholeResponse(message) };
    this.#first ??= message;
    this.#exponent = block.exponent;
    this.#body.bytes(message.payload);
    if (block.more) return SEND;
    const { code, options } = this.#first;
    return { kind: "complete", response: responseOf(code, withoutBlock2(options), this.#body.finish()) };
  }

  #problemOf(message: CoapMessage, block: Block): string | undefined {
    const size = message.payload.byteLength;
    const allowed = blockBytes(block.exponent);
    if (this.#first !== undefined && message.code !== this.#first.code) return "another code than the first block's";
    if (blockStart(block) !== this.#body.offset)
      return `Block2 ${block.number} where byte ${this.#body.offset} is next`;
    if (block.exponent > this.#exponent)
      return `blocks of ${allowed} bytes where ${blockBytes(this.#exponent)} were asked for`;
    if (block.more ? size !== allowed : size > allowed) return `${size} bytes in a block of ${allowed}`;
    return undefined;
  }
}

/** What one message says alone. */
export function wholeResponse({ code, options, payload }: CoapMessage): CoapResponse {
  return responseOf(code, withoutBlock2(options), payload);
}

function withoutBlock2(options: readonly CoapOption[]): readonly CoapOption[] {
  return options.filter((option) => option.number !== OptionNumber.Block2);
}

function etagOf(message: CoapMessage): Uint8Array {
  return optionValue(message.options, OptionNumber.ETag) ?? NO_BYTES;
}

import { type Block, blockOption, readBlock, sliceBlock } from "./block-option.ts";
import { Code, isSuccess } from "./code.ts";
import { type CoapMessage, MessageType } from "./message.ts";
import { type CoapOption, OptionNumber, uintOption } from "./option.ts";

export type UploadStep =
  /** Another block, or the first again, is to be sent. */
  | { readonly kind: "send" }
  /** The response is the final one, whatever it says. */
  | { readonly kind: "final" }
  /** Not the answer to the block that was sent. */
  | { readonly kind: "mismatch"; readonly text: string };

const SEND: UploadStep = { kind: "send" };
const FINAL: UploadStep = { kind: "final" };

/** A request body on its way up, in blocks when one does not hold it: RFC 7959, section 2.5. */
export class Upload {
  readonly #body: Uint8Array;
  #exponent: number;
  #start = 0;
  #sent: Block;
  #restarts = 0;

  constructor(body: Uint8Array, exponent: number) {
    this.#body = body;
    this.#exponent = exponent;
    this.#sent = sliceBlock(body, 0, exponent).block;
  }

  /** Whether what is to be sent now is the last block. */
  get isLast(): boolean {
    return !sliceBlock(this.#body, this.#start, this.#exponent).block.more;
  }

  /** The block to be sent now; its options go to `options`. Size1 with the first, so that a peer can refuse early. */
  next(options: CoapOption[]): Uint8Array {
    const { block, payload } = sliceBlock(this.#body, this.#start, this.#exponent);
    this.#sent = block;
    if (!block.more && block.number === 0) return payload;
    options.push(blockOption(OptionNumber.Block1, block));
    if (this.#start === 0) options.push(uintOption(OptionNumber.Size1, this.#body.byteLength));
    return payload;
  }

  answered(message: CoapMessage): UploadStep {
    const echoed = readBlock(message.options, OptionNumber.Block1);
    if (echoed === "malformed") return { kind: "mismatch", text: "a malformed Block1" };
    if (!isSuccess(message.code)) return this.#refused(message.code, echoed);
    if (echoed === undefined && !this.#sent.more) return FINAL;
    if (echoed === undefined) return this.#continued(message);
    if (echoed.number !== this.#sent.number || echoed.exponent > this.#exponent) {
      return { kind: "mismatch", text: `Block1 ${echoed.number} to block ${this.#sent.number}` };
    }
    if (!this.#sent.more)
      return message.code === Code.Continue ? { kind: "mismatch", text: "2.31 to the last block" } : FINAL;
    this.#advance();
    this.#exponent = echoed.exponent;
    return SEND;
  }

  /** libcoap 4.3.1 answers later blocks to a resource that it made for the first with a bare 2.31. Piggybacked it can mean this block only. */
  #continued(message: CoapMessage): UploadStep {
    const bare = message.code === Code.Continue && message.type === MessageType.Ack;
    if (!bare) return { kind: "mismatch", text: "no Block1" };
    this.#advance();
    return SEND;
  }

  #advance(): void {
    this.#start += sliceBlock(this.#body, this.#start, this.#exponent).payload.byteLength;
  }

  /** Lost blocks (4.08) are sent once more from the first; 4.13 with a smaller size asks for that size (section 2.9.3). */
  #refused(code: number, echoed: Block | undefined): UploadStep {
    const smaller = code === Code.RequestEntityTooLarge && echoed !== undefined && echoed.exponent < this.#exponent;
    const again = code === Code.RequestEntityIncomplete && this.#sent.number > 0 && this.#restarts === 0;
    if (!smaller && !again) return FINAL;
    if (smaller) this.#exponent = echoed.exponent;
    else this.#restarts++;
    this.#start = 0;
    return SEND;
  }
}

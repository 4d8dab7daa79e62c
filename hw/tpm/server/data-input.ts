import { ByteQueue, CodecError, Reader } from "../../../shared/bytes/index.ts";
import { TPM_HEADER_BYTES, TpmLimit, TpmSt } from "../../../shared/tpm/index.ts";

/** A command as it came on the data channel. */
export interface DataCommand {
  readonly command: Uint8Array;
  /** Given where the command came in an envelope, and then so does its response. */
  readonly locality: number | undefined;
}

/** The Microsoft simulator's TPM_SEND_COMMAND, which swtpm takes too: u32 8, u8 locality, u32 size, command. */
const SEND_COMMAND = 8;
const ENVELOPE_BYTES = 9;
/** Where the size stands in the header of a command: Part 1, 18.2. */
const TAG_BYTES = 2;

/**
 * The commands of a data channel's stream, whatever pieces it comes in. A command is as long as its header says; one that cannot
 * be (shorter than a header, longer than the TPM takes) is given with what is there, so that the TPM refuses it.
 */
export class DataInput {
  readonly #queue = new ByteQueue();

  add(piece: Uint8Array): void {
    this.#queue.push(piece);
  }

  /** The next command once it is whole. CodecError when an envelope lies: then nobody knows where the next one begins. */
  next(): DataCommand | undefined {
    const start = this.#queue.peek(TAG_BYTES + TAG_BYTES);
    if (start === undefined) return undefined;
    return new Reader(start).u32be() === SEND_COMMAND ? this.#enveloped() : this.#bare();
  }

  #enveloped(): DataCommand | undefined {
    const envelope = this.#queue.peek(ENVELOPE_BYTES);
    if (envelope === undefined) return undefined;
    const from = new Reader(envelope);
    from.u32be();
    const locality = from.u8();
    const size = from.u32be();
    if (size > TpmLimit.MESSAGE) throw new CodecError(`a command of ${size} bytes`, "TPM_SEND_COMMAND.size", 5);
    const whole = this.#queue.take(ENVELOPE_BYTES + size);
    return whole === undefined ? undefined : { command: whole.subarray(ENVELOPE_BYTES), locality };
  }

  #bare(): DataCommand | undefined {
    const header = this.#queue.peek(TPM_HEADER_BYTES);
    if (header === undefined) return undefined;
    const from = new Reader(header);
    const tag = from.u16be();
    const size = from.u32be();
    const canBe = size >= TPM_HEADER_BYTES && size <= TpmLimit.MESSAGE;
    const isCommand = tag === TpmSt.NO_SESSIONS || tag === TpmSt.SESSIONS;
    const command = this.#queue.take(canBe && isCommand ? size : this.#queue.size);
    return command === undefined ? undefined : { command, locality: undefined };
  }
}

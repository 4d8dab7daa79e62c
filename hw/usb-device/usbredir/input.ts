import { type Codec, concat, decode, Reader, Writer } from "../../../shared/bytes/index.ts";
import { type Features, NO_FEATURES } from "./bodies.ts";
import { headerBytes, type RedirMessage, redirMessage, redirMessageBytes } from "./codec.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * The guest's messages out of a stream that comes in pieces of any size. What one may not send is found in its header, before
 * the rest is there: never more than one message of the greatest length is kept, besides the piece that is being read.
 */
export class RedirInput {
  #features = NO_FEATURES;
  #message: Codec<RedirMessage> = redirMessage(NO_FEATURES, "guest");
  #unread = new Reader(NO_BYTES);
  #begun = new Writer();
  /** Of the message that has begun, once its header is there. */
  #size: number | undefined;

  /** How the messages after this one are laid out. */
  use(features: Features): void {
    this.#features = features;
    this.#message = redirMessage(features, "guest");
  }

  add(piece: Uint8Array): void {
    const left = this.#unread.rest();
    this.#unread = new Reader(left.byteLength === 0 ? piece : concat(left, piece));
  }

  /** The next message when all of it is there. CodecError when the stream cannot be read any more. */
  next(): RedirMessage | undefined {
    if (!this.#reach(headerBytes(this.#features))) return undefined;
    this.#size ??= redirMessageBytes(this.#begun.finish(), this.#features, "guest");
    if (!this.#reach(this.#size)) return undefined;
    const whole = this.#begun.finish();
    this.#begun = new Writer();
    this.#size = undefined;
    return decode(this.#message, whole);
  }

  /** Whether the message that has begun now has this many bytes. */
  #reach(size: number): boolean {
    const missing = Math.max(0, size - this.#begun.offset);
    this.#begun.bytes(this.#unread.bytes(Math.min(missing, this.#unread.remaining)));
    return this.#begun.offset >= size;
  }
}

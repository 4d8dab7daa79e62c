/**
 * A client that costs as little as one over node:dgram can: its datagrams are made before. New are the message id in each, and the token of
 * each exchange: node's coap package answers the last block with the token of the first.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { realClock } from "../../hw/clock/real.ts";
import { equal } from "../../shared/bytes/index.ts";
import {
  type CoapOption,
  Code,
  codeClass,
  codeText,
  encodeMessage,
  MessageType,
  NO_BYTES,
  NO_OPTIONS,
  OptionNumber,
  textOption,
  uintOption,
} from "../../shared/coap/index.ts";

const LOOPBACK = "127.0.0.1";
/** Far over what any run takes: an answer was lost, or never sent. */
const GIVE_UP_MS = 20_000;
/** Version 1, ACK, a token of four bytes. */
const PIGGYBACKED = 0x64;
const ID_AT = 2;
const TOKEN_AT = 4;
const TOKEN_BYTES = 4;
const BODY_AT = TOKEN_AT + TOKEN_BYTES;
const IDS = 0x1_0000;
/** The first byte of a token says which lane. */
const MAX_LANES = 256;
const COUNTED = 0x100_0000;
const BLOCK_BYTES = 1024;
const SZX_1024 = 6;
const MORE = 0x08;

/** The datagrams of one exchange, each but the first sent upon the answer to the one before. */
export type Script = readonly Uint8Array[];

export function getScript(): Script {
  return [request(Code.Get, NO_OPTIONS, NO_BYTES)];
}

/** A PUT in blocks of 1024 bytes: RFC 7959, section 2.5. */
export function putScript(path: string, body: Uint8Array): Script {
  const blocks = Math.ceil(body.byteLength / BLOCK_BYTES);
  return Array.from({ length: blocks }, (_, number) => {
    const block1 = (number << 4) | (number < blocks - 1 ? MORE : 0) | SZX_1024;
    const options = [textOption(OptionNumber.UriPath, path), uintOption(OptionNumber.Block1, block1)];
    if (number === 0) options.push(uintOption(OptionNumber.Size1, body.byteLength));
    return request(Code.Put, options, body.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES));
  });
}

function request(code: number, options: readonly CoapOption[], payload: Uint8Array): Uint8Array {
  const coapToken = new Uint8Array(TOKEN_BYTES);
  return encodeMessage({ type: MessageType.Con, code, messageId: 0, coapToken, options, payload });
}

/** One exchange under way, the next behind it. */
interface Lane {
  readonly script: Script;
  at: number;
  coapToken: number;
}

export class RawClient {
  readonly #socket: Socket;
  #lanes: readonly Lane[] = [];
  #toBegin = 0;
  #toEnd = 0;
  #begun = 0;
  #sent = 0;
  #settle: (problem?: string) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (answer) => this.#receive(answer));
    socket.on("error", (error) => this.#settle(error.message));
  }

  static async open(port: number): Promise<RawClient> {
    const socket = createSocket("udp4");
    socket.connect(port, LOOPBACK);
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Resolves once `count` exchanges ended; as many are under way at a time as there are scripts. Rejects at the first wrong answer. */
  run(scripts: readonly Script[], count: number): Promise<void> {
    if (scripts.length > MAX_LANES) throw new RangeError(`${scripts.length} lanes`);
    return new Promise((resolve, reject) => {
      const stopTimer = realClock.after(GIVE_UP_MS, () => this.#settle(`${this.#toEnd} exchanges without an answer`));
      this.#settle = (problem) => {
        stopTimer();
        this.#lanes = [];
        if (problem === undefined) resolve();
        else reject(new Error(problem));
      };
      this.#toBegin = count;
      this.#toEnd = count;
      this.#lanes = scripts.map((script) => ({ script, at: 0, coapToken: 0 }));
      for (const [number, lane] of this.#lanes.entries()) this.#begin(number, lane);
    });
  }

  close(): void {
    this.#socket.close();
  }

  #begin(number: number, lane: Lane): void {
    if (this.#toBegin === 0) return;
    this.#toBegin--;
    lane.at = 0;
    lane.coapToken = number * COUNTED + (this.#begun++ % COUNTED);
    this.#send(lane);
  }

  #send({ script, at, coapToken }: Lane): void {
    const datagram = script[at];
    if (datagram === undefined) throw new RangeError(`no datagram ${at}`);
    put(datagram, ID_AT, 2, this.#sent++ % IDS);
    put(datagram, TOKEN_AT, TOKEN_BYTES, coapToken);
    this.#socket.send(datagram);
  }

  #receive(answer: Uint8Array): void {
    const number = answer[TOKEN_AT] ?? 0;
    const lane = this.#lanes[number];
    if (lane === undefined) return; // of a run that ended early
    const asked = lane.script[lane.at] ?? NO_BYTES;
    const matches = answer[0] === PIGGYBACKED && equal(answer.subarray(ID_AT, BODY_AT), asked.subarray(ID_AT, BODY_AT));
    const code = answer[1] ?? 0;
    if (!matches || codeClass(code) !== 2) {
      this.#settle(`the answer to datagram ${lane.at}: ${matches ? codeText(code) : "another's"}`);
      return;
    }
    lane.at++;
    if (lane.at < lane.script.length) this.#send(lane);
    else if (--this.#toEnd === 0) this.#settle();
    else this.#begin(number, lane);
  }
}

function put(into: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) into[at + i] = (value >>> (8 * (size - 1 - i))) & 0xff;
}

import assert from "node:assert/strict";
import { toHex } from "../../../shared/bytes/index.ts";
import { DuplicateMemory, type Remembered } from "../../../shared/coap/duplicates.ts";
import { PeerRecord } from "../../../shared/coap/peers.ts";
import { seededRandom } from "../../support/random.ts";

interface Entry {
  readonly number: number;
  readonly peer: PeerRecord;
  readonly messageId: number;
  readonly text: string;
  readonly expiresAt: number;
  /** Of its peer when it was answered; undefined for what is known again in any. */
  era: number | undefined;
  reply: Uint8Array | undefined;
}

/** The same, as anybody would write it who had the time. */
class List {
  readonly #max: number;
  #last: Entry[] = [];
  added = 0;

  constructor(max: number) {
    this.#max = max;
  }

  find(peer: PeerRecord, messageId: number, datagram: Uint8Array, now: number): number | undefined {
    const known = this.#last.findLast((entry) => entry.peer === peer && entry.messageId === messageId);
    const isSame = known !== undefined && known.expiresAt > now && known.text === toHex(datagram);
    return isSame && (known.era === undefined || known.era === peer.era) ? known.number : undefined;
  }

  add(peer: PeerRecord, messageId: number, datagram: Uint8Array, expiresAt: number): void {
    const text = toHex(datagram);
    this.#last.push({ number: this.added++, peer, messageId, text, expiresAt, era: undefined, reply: undefined });
    this.#last = this.#last.slice(-this.#max);
  }

  reply(number: number): Uint8Array | undefined {
    return this.#last.find((entry) => entry.number === number)?.reply;
  }

  setReply(number: number, reply: Uint8Array, era: number | undefined): void {
    for (const entry of this.#last) if (entry.number === number) Object.assign(entry, { reply, era });
  }
}

/** Draws numbers under `below`. */
function dice(seed: number): (below: number) => number {
  const random = seededRandom(seed, "duplicates");
  return (below) => {
    const [high = 0, low = 0] = random.bytes(2);
    return (high * 256 + low) % below;
  };
}

/** Both get the same messages and replies, drawn from the seed, and must say the same. */
class Both {
  readonly memory: DuplicateMemory;
  readonly list: List;
  readonly handles: Remembered[] = [];
  readonly #max: number;
  readonly #draw: (below: number) => number;

  constructor(max: number) {
    this.#max = max;
    this.#draw = dice(max);
    this.memory = new DuplicateMemory(max);
    this.list = new List(max);
  }

  receive(peer: PeerRecord, now: number): void {
    const draw = this.#draw;
    const datagram = new Uint8Array(draw(20) === 0 ? draw(3_000) : 9).fill(draw(2));
    const message = [peer, draw(this.#max * 2), datagram] as const;
    const found = this.memory.find(...message, now);
    assert.equal(found?.number, this.list.find(...message, now));
    if (found !== undefined) return;
    const expiresAt = now + draw(4 * this.#max);
    if (draw(30) === 0) peer.era++;
    this.handles.push(this.memory.add(...message, expiresAt));
    this.list.add(...message, expiresAt);
  }

  /** To a message that may be forgotten by now. */
  answer(now: number): void {
    const handle = this.handles[this.handles.length - 1 - this.#draw(2 * this.#max)];
    if (handle === undefined) return;
    const reply = new Uint8Array(1 + this.#draw(200)).fill(now);
    const era = this.#draw(2) === 0 ? this.#draw(40) : undefined;
    this.memory.setReply(handle, reply, era);
    this.list.setReply(handle.number, reply, era);
  }

  compare(handles: readonly Remembered[]): void {
    for (const handle of handles) assert.deepEqual(this.memory.reply(handle), this.list.reply(handle.number));
  }
}

describe("CoAP duplicate memory", () => {
  for (const max of [1, 3, 64, 100, 700]) {
    it(`answers as a list of the last ${max} messages does`, () => {
      const both = new Both(max);
      const peers = Array.from({ length: 5 }, (_, port) => new PeerRecord(port * 9_999, { address: "10.0.0.1", port }));
      for (let now = 0; now < 2_000; now++) {
        for (const peer of peers) both.receive(peer, now);
        both.answer(now);
        both.compare(both.handles.slice(-3));
      }
      both.compare(both.handles);
      assert.ok(both.list.added > 3 * max, "there was something to forget");
    });
  }
});

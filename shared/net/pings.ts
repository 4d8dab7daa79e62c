import { equal } from "../bytes/index.ts";
import type { Clock } from "../ports/index.ts";
import { type IcmpEcho, IcmpType } from "./icmp.ts";

export type PingResult =
  | { readonly ok: true; readonly elapsedMs: number }
  | { readonly ok: false; readonly reason: "timeout" | "too-many" | "closed" };

/** Tells our echoes from those of another program behind the same address. */
const IDENTIFIER = 0x0f0b;
const MAX_PINGS = 16;

interface OpenPing {
  readonly peer: string;
  readonly data: Uint8Array;
  finish(result: PingResult): void;
}

/** Echo requests that wait for their replies (RFC 792), at most 16. */
export class Pings {
  readonly #clock: Clock;
  readonly #send: (peer: string, request: IcmpEcho) => void;
  readonly #open = new Map<number, OpenPing>();
  #sequence = 0;
  #closed = false;

  constructor(clock: Clock, send: (peer: string, request: IcmpEcho) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  ping(peer: string, data: Uint8Array, timeoutMs: number): Promise<PingResult> {
    if (this.#closed) return Promise.resolve({ ok: false, reason: "closed" });
    if (this.#open.size >= MAX_PINGS) return Promise.resolve({ ok: false, reason: "too-many" });
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const sequence = this.#sequence;
    const sentAt = this.#clock.now();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => finish({ ok: false, reason: "timeout" }));
      const finish = (result: PingResult) => {
        cancel();
        this.#open.delete(sequence);
        resolve(result.ok ? { ok: true, elapsedMs: this.#clock.now() - sentAt } : result);
      };
      this.#open.set(sequence, { peer, data, finish });
      this.#send(peer, { type: IcmpType.EchoRequest, identifier: IDENTIFIER, sequence, data });
    });
  }

  /** False when the reply answers no open request, or with other data. */
  answer(from: string, reply: IcmpEcho): boolean {
    const open = reply.identifier === IDENTIFIER ? this.#open.get(reply.sequence) : undefined;
    if (open === undefined || open.peer !== from || !equal(open.data, reply.data)) return false;
    open.finish({ ok: true, elapsedMs: 0 });
    return true;
  }

  close(): void {
    this.#closed = true;
    for (const open of [...this.#open.values()]) open.finish({ ok: false, reason: "closed" });
  }
}

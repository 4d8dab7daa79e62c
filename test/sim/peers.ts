import type { Clock } from "../../shared/ports/index.ts";
import { SESSION_MS } from "../../shared/protocol/index.ts";
import type { TpmStart } from "../../token/domain/appraisal.ts";
import { MARKER } from "./file.ts";

/** The sums of fractions of milliseconds are not exact. */
const TRIFLE_MS = 0.001;

const ETHER_TYPE = 12;
const IPV4 = 0x0800;
const IP_PROTOCOL = 23;
const UDP = 17;
const SOURCE_PORT = 34;
const DESTINATION_PORT = 36;

/** The UDP port at that place of an Ethernet frame with an IPv4 header without options; undefined for all other frames. */
function portIn(frame: Uint8Array, at: number): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.byteLength < DESTINATION_PORT + 2 || view.getUint16(ETHER_TYPE) !== IPV4) return undefined;
  return view.getUint8(IP_PROTOCOL) === UDP ? view.getUint16(at) : undefined;
}

/**
 * Who is attested, told from the wire and the verdicts alone: the token's own table of sessions is what is in question. A port counts from
 * its verdict on until it was silent for SESSION_MS, or a fresh quote showed that the TPM was started again since.
 */
export class Peers {
  readonly #clock: Clock;
  readonly #ports = new Map<number, { heardAt: number; attested: boolean; start: string | undefined }>();
  #speaking: number | undefined;
  /** Of the last fresh quote. */
  #start: string | undefined;
  /** Frames that reached the token. */
  heardFrames = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  heard(frame: Uint8Array): void {
    this.heardFrames += 1;
    const port = portIn(frame, SOURCE_PORT);
    if (port === undefined) return;
    this.#speaking = port;
    const start = this.#ports.get(port)?.start;
    this.#ports.set(port, { heardAt: this.#clock.now(), attested: this.#lives(port), start });
  }

  /** What the token does within a frame of a peer, it does to that peer. */
  judged(attested: boolean): void {
    const peer = this.#speaking === undefined ? undefined : this.#ports.get(this.#speaking);
    if (peer !== undefined) Object.assign(peer, { attested, start: this.#start });
  }

  /** A fresh quote is of this start of the TPM: what other peers showed in another one is over. */
  shown({ resetCount, restartCount }: TpmStart): void {
    this.#start = `${resetCount}.${restartCount}`;
    for (const [port, peer] of this.#ports) {
      if (port !== this.#speaking && peer.start !== this.#start) peer.attested = false;
    }
  }

  /** All sessions end with the power, and with the link. */
  forget(): void {
    this.#ports.clear();
  }

  /** At most so many attested sessions live. */
  get attested(): number {
    return [...this.#ports.keys()].filter((port) => this.#lives(port)).length;
  }

  /** Whether this frame of the token carries the file to somebody who is not attested. */
  leaks(frame: Uint8Array): boolean {
    if (Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).indexOf(MARKER) < 0) return false;
    const port = portIn(frame, DESTINATION_PORT);
    return port === undefined || !this.#lives(port);
  }

  #lives(port: number): boolean {
    const peer = this.#ports.get(port);
    return peer?.attested === true && this.#clock.now() - peer.heardAt <= SESSION_MS + TRIFLE_MS;
  }
}

import { ByteQueue, CodecError, concat, decode, encode } from "../../shared/bytes/index.ts";
import { RequestType, type SetupPacket } from "../../shared/usb/index.ts";
import {
  Direction,
  MAX_TRANSFER_BYTES,
  NO_PACKETS,
  type SubmitRequest,
  URB_HEADER_BYTES,
  UrbAnswer,
  UrbCommand,
  UrbRequest,
  UrbStatus,
} from "../usb-device/usbip/index.ts";

/** How a transfer ended: a status of USB/IP (UrbStatus, a negative errno of Linux), and the data of an IN transfer. */
export interface Outcome {
  readonly status: number;
  readonly data: Uint8Array;
  /** Bytes that were carried. */
  readonly actualLength: number;
}

type Done = (outcome: Outcome) => void;

interface Pending {
  readonly direction: number;
  readonly length: number;
  readonly done: Done;
}

export interface ClientEnv {
  send(bytes: Uint8Array): void;
  /** The server cannot be understood; the connection is of no use any more. */
  fail(reason: string): void;
}

/** Transfers that may be pending at a time. */
const MAX_PENDING = 64;
const NO_DATA = new Uint8Array(0);
const NO_SETUP: SetupPacket = { bmRequestType: 0, bRequest: 0, wValue: 0, wIndex: 0, wLength: 0 };

/** The importer's end of a USB/IP connection, behind the import, without its socket. */
export class UsbipClient {
  readonly #env: ClientEnv;
  readonly #devid: number;
  readonly #received = new ByteQueue();
  readonly #pending = new Map<number, Pending>();
  /** The transfer that an unlink takes back, by the unlink's sequence number. */
  readonly #unlinks = new Map<number, number>();
  /** The answer whose data is still under way. */
  #answer: { readonly status: number; readonly actualLength: number; readonly pending: Pending } | undefined;
  #seqnum = 0;
  #open = true;

  constructor(devid: number, env: ClientEnv) {
    this.#devid = devid;
    this.#env = env;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** All return the sequence number, for `unlink`; after the end they are done at once, with Shutdown. */
  control(setup: SetupPacket, out: Uint8Array, done: Done): number {
    const isIn = (setup.bmRequestType & RequestType.In) !== 0;
    const direction = isIn && setup.wLength > 0 ? Direction.In : Direction.Out;
    return this.#submit({ ep: 0, direction, length: isIn ? setup.wLength : out.byteLength, setup }, out, done);
  }

  bulkOut(ep: number, data: Uint8Array, done: Done): number {
    return this.#submit({ ep, direction: Direction.Out, length: data.byteLength, setup: NO_SETUP }, data, done);
  }

  bulkIn(ep: number, max: number, done: Done): number {
    const number = ep & ~RequestType.In;
    return this.#submit({ ep: number, direction: Direction.In, length: max, setup: NO_SETUP }, NO_DATA, done);
  }

  /** Takes a transfer back; it is done with Unlinked, or as it was when that comes too late. */
  unlink(seqnum: number): void {
    if (!this.#open || !this.#pending.has(seqnum) || [...this.#unlinks.values()].includes(seqnum)) return;
    const own = this.#nextSeqnum();
    this.#unlinks.set(own, seqnum);
    this.#env.send(
      encode(UrbRequest, {
        command: UrbCommand.Unlink,
        seqnum: own,
        devid: this.#devid,
        direction: Direction.Out,
        ep: 0,
        unlinkSeqnum: seqnum,
        padding: new Uint8Array(24),
      }),
    );
  }

  receive(chunk: Uint8Array): void {
    if (!this.#open) return;
    this.#received.push(chunk);
    try {
      while (this.#open && this.#step());
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#fail(error.message);
    }
  }

  /** The connection is gone: what is pending ends with Shutdown. */
  close(): void {
    this.#open = false;
    this.#received.clear();
    const ended = [...this.#pending.values(), ...(this.#answer === undefined ? [] : [this.#answer.pending])];
    this.#pending.clear();
    this.#unlinks.clear();
    this.#answer = undefined;
    for (const { done } of ended) done(SHUT_DOWN);
  }

  #fail(reason: string): void {
    this.#open = false;
    this.#env.fail(reason);
  }

  #nextSeqnum(): number {
    this.#seqnum = this.#seqnum === 0xffff_ffff ? 1 : this.#seqnum + 1;
    return this.#seqnum;
  }

  #submit(
    { length, ...where }: Pick<SubmitRequest, "ep" | "direction" | "setup"> & { readonly length: number },
    data: Uint8Array,
    done: Done,
  ): number {
    if (length > MAX_TRANSFER_BYTES) throw new RangeError(`a transfer of ${length} bytes`);
    if (this.#pending.size >= MAX_PENDING) throw new RangeError(`more than ${MAX_PENDING} transfers pending`);
    const seqnum = this.#nextSeqnum();
    if (!this.#open) {
      done(SHUT_DOWN);
      return seqnum;
    }
    this.#pending.set(seqnum, { direction: where.direction, length, done });
    const header = encode(UrbRequest, {
      command: UrbCommand.Submit,
      seqnum,
      devid: this.#devid,
      ...where,
      transferFlags: 0,
      transferBufferLength: length,
      startFrame: 0,
      numberOfPackets: NO_PACKETS,
      interval: 0,
    });
    this.#env.send(concat(header, where.direction === Direction.Out ? data : NO_DATA));
    return seqnum;
  }

  /** Whether there may be more to do with what is here. */
  #step(): boolean {
    if (this.#answer !== undefined) return this.#stepData();
    const header = this.#received.take(URB_HEADER_BYTES);
    if (header === undefined) return false;
    const answer = decode(UrbAnswer, header);
    if (answer.command === UrbCommand.UnlinkAnswer) this.#unlinked(answer.seqnum, answer.status);
    else this.#submitted(answer);
    return true;
  }

  #submitted({ seqnum, status, actualLength }: Extract<UrbAnswer, { readonly command: 3 }>): void {
    const pending = this.#pending.get(seqnum);
    if (pending === undefined) this.#fail(`an answer to ${seqnum}, which is not pending`);
    else if (actualLength > pending.length) this.#fail(`${actualLength} bytes where ${pending.length} were asked for`);
    else {
      this.#pending.delete(seqnum);
      this.#answer = { status, actualLength, pending };
    }
  }

  #stepData(): boolean {
    const answer = this.#answer;
    if (answer === undefined) return false;
    const { status, actualLength, pending } = answer;
    const data = this.#received.take(pending.direction === Direction.In ? actualLength : 0);
    if (data === undefined) return false;
    this.#answer = undefined;
    pending.done({ status, data, actualLength });
    return true;
  }

  /** With another status the transfer was answered before. */
  #unlinked(seqnum: number, status: number): void {
    const target = this.#unlinks.get(seqnum);
    if (target === undefined) {
      this.#fail(`an answer to the unlink ${seqnum}, which is not pending`);
      return;
    }
    this.#unlinks.delete(seqnum);
    const pending = this.#pending.get(target);
    if (pending === undefined) return;
    this.#pending.delete(target);
    pending.done({ status: status === UrbStatus.Ok ? UrbStatus.Unlinked : status, data: NO_DATA, actualLength: 0 });
  }
}

const SHUT_DOWN: Outcome = { status: UrbStatus.Shutdown, data: NO_DATA, actualLength: 0 };

import { ByteQueue, CodecError, concat, decode, encode } from "../../../shared/bytes/index.ts";
import type { Clock } from "../../../shared/ports/index.ts";
import { RequestType, type SetupPacket, type UsbDevice } from "../../../shared/usb/index.ts";
import {
  Direction,
  type ListedDevice,
  OP_HEADER_BYTES,
  OpCode,
  OpHeader,
  OpRepDevlist,
  OpRepImport,
  OpRequest,
  OpStatus,
  opRequestBytes,
  type SubmitRequest,
  submitAnswer,
  URB_HEADER_BYTES,
  UrbAnswer,
  UrbCommand,
  UrbFlag,
  UrbRequest,
  UrbStatus,
  unlinkAnswer,
  VERSION,
} from "./codec.ts";
import { DeviceTransfers, type Transfer } from "./transfers.ts";

/** A stick as the server offers it. */
export interface Exported {
  readonly listed: ListedDevice;
  readonly device: UsbDevice;
}

/** What a session needs of the server and of its connection. */
export interface SessionEnv {
  readonly clock: Clock;
  /** What is plugged in. */
  list(): readonly Exported[];
  /** One importer a stick. */
  take(busid: string): Exported | "absent" | "busy";
  /** Sends; what is sent and not yet fetched by the peer is for the connection to bound. */
  send(bytes: Uint8Array): void;
  /** Closes once all is sent: the exchange is over. */
  finish(): void;
  /** Closes at once; why, for the log. */
  fail(reason: string): void;
}

/** Transfers that may be pending at a time, and the bytes of their data. usbnet has 4 of 1524 bytes and a few to send. */
const MAX_PENDING = 256;
const MAX_PENDING_BYTES = 1_048_576;
const NO_DATA = new Uint8Array(0);

interface Pending {
  readonly transfer: Transfer;
  readonly bytes: number;
}

/**
 * One connection of USB/IP, without its socket: the list and good-bye, or an import and then transfers until the connection
 * ends. What cannot be right ends it with a reason.
 */
export class UsbipSession {
  readonly #env: SessionEnv;
  readonly #received = new ByteQueue();
  readonly #pending = new Map<number, Pending>();
  #pendingBytes = 0;
  /** The header whose data is still under way. */
  #submit: SubmitRequest | undefined;
  #imported: { readonly exported: Exported; readonly transfers: DeviceTransfers } | undefined;
  #open = true;

  constructor(env: SessionEnv) {
    this.#env = env;
  }

  /** The stick that is imported here. */
  get exported(): Exported | undefined {
    return this.#imported?.exported;
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

  /** The connection is gone: what is pending is forgotten, and the stick sees that it was unplugged from its host. */
  close(): void {
    this.#open = false;
    this.#received.clear();
    this.#pending.clear();
    const imported = this.#imported;
    this.#imported = undefined;
    imported?.transfers.close();
    imported?.exported.device.busReset();
  }

  #fail(reason: string): void {
    this.#open = false;
    this.#env.fail(reason);
  }

  /** Whether there may be more to do with what is here. */
  #step(): boolean {
    if (this.#imported === undefined) return this.#stepOp();
    if (this.#submit !== undefined) return this.#stepData(this.#submit);
    const header = this.#received.take(URB_HEADER_BYTES);
    if (header === undefined) return false;
    const request = decode(UrbRequest, header);
    if (request.devid !== devidOf(this.#imported.exported)) {
      this.#fail(`a transfer for device ${request.devid}, which was not imported here`);
    } else if (request.command === UrbCommand.Unlink) {
      this.#unlink(request.seqnum, request.unlinkSeqnum);
    } else if (this.#pending.has(request.seqnum)) {
      this.#fail(`sequence number ${request.seqnum} twice`);
    } else {
      this.#submit = request;
    }
    return true;
  }

  // ---- before the transfers

  #stepOp(): boolean {
    const header = this.#received.peek(OP_HEADER_BYTES);
    if (header === undefined) return false;
    const { code } = decode(OpHeader, header);
    const size = opRequestBytes(code);
    if (size === undefined) {
      this.#fail(`an answer (0x${code.toString(16)}) where a request belongs`);
      return false;
    }
    const bytes = this.#received.take(size);
    if (bytes === undefined) return false;
    const { request } = decode(OpRequest, bytes);
    if (request.code === OpCode.ReqImport) this.#import(request.busid);
    else this.#list();
    return true;
  }

  #list(): void {
    const devices = this.#env.list().map(({ listed }) => listed);
    const reply = { status: OpStatus.Ok, devices };
    this.#env.send(encode(OpRepDevlist, { version: VERSION, code: OpCode.RepDevlist, reply }));
    this.#finish();
  }

  #import(busid: string): void {
    const taken = this.#env.take(busid);
    if (typeof taken === "string") {
      const status = taken === "busy" ? OpStatus.Busy : OpStatus.NoDevice;
      this.#env.send(encode(OpRepImport, { version: VERSION, code: OpCode.RepImport, reply: { status } }));
      this.#finish();
      return;
    }
    taken.device.busReset();
    this.#imported = { exported: taken, transfers: new DeviceTransfers(taken.device, this.#env.clock) };
    const reply = { status: OpStatus.Ok, device: taken.listed.device };
    this.#env.send(encode(OpRepImport, { version: VERSION, code: OpCode.RepImport, reply }));
  }

  #finish(): void {
    this.#open = false;
    this.#env.finish();
  }

  // ---- transfers

  #stepData(submit: SubmitRequest): boolean {
    const data = this.#received.take(submit.direction === Direction.Out ? submit.transferBufferLength : 0);
    if (data === undefined) return false;
    this.#submit = undefined;
    if (submit.ep === 0) this.#control(submit, data);
    else this.#bulk(submit, data);
    return true;
  }

  #control({ seqnum, setup, transferBufferLength }: SubmitRequest, data: Uint8Array): void {
    if (this.#imported === undefined) return;
    const { exported, transfers } = this.#imported;
    if (!hasItsDataStage(setup, data)) {
      this.#answer(seqnum, UrbStatus.Invalid);
      return;
    }
    const answer = exported.device.control(setup, data);
    if (answer === "stall") this.#answer(seqnum, UrbStatus.Stall);
    else if (isIn(setup)) this.#answer(seqnum, UrbStatus.Ok, answer.subarray(0, transferBufferLength));
    else this.#answer(seqnum, UrbStatus.Ok, NO_DATA, data.byteLength);
    transfers.wake();
  }

  #bulk(submit: SubmitRequest, data: Uint8Array): void {
    if (this.#imported === undefined) return;
    const { seqnum } = submit;
    const transfer = this.#transferOf(submit, data);
    this.#pending.set(seqnum, { transfer, bytes: data.byteLength });
    this.#pendingBytes += data.byteLength;
    if (this.#pending.size > MAX_PENDING) this.#fail(`more than ${MAX_PENDING} transfers pending`);
    else if (this.#pendingBytes > MAX_PENDING_BYTES) this.#fail(`more than ${MAX_PENDING_BYTES} bytes pending`);
    else this.#imported.transfers.submit(transfer);
  }

  #transferOf({ seqnum, ep, direction, transferFlags, ...submit }: SubmitRequest, data: Uint8Array): Transfer {
    if (direction === Direction.Out) {
      return {
        kind: "out",
        ep,
        data,
        zeroPacket: (transferFlags & UrbFlag.ZeroPacket) !== 0,
        done: (result) => {
          this.#forget(seqnum);
          if (result === "stall") this.#answer(seqnum, UrbStatus.Stall);
          else this.#answer(seqnum, UrbStatus.Ok, NO_DATA, data.byteLength);
        },
      };
    }
    const max = submit.transferBufferLength;
    const mayBeShort = (transferFlags & UrbFlag.ShortNotOk) === 0;
    return {
      kind: "in",
      ep: ep | RequestType.In,
      max,
      done: (result) => {
        this.#forget(seqnum);
        if (result === "stall") this.#answer(seqnum, UrbStatus.Stall);
        else this.#answer(seqnum, mayBeShort || result.byteLength === max ? UrbStatus.Ok : UrbStatus.Short, result);
      },
    };
  }

  /** -ECONNRESET, and no other answer to what was taken back; 0 when it was done, and answered, already. */
  #unlink(seqnum: number, unlinkSeqnum: number): void {
    const pending = this.#forget(unlinkSeqnum);
    const isTakenBack = pending !== undefined && this.#imported?.transfers.cancel(pending.transfer) === true;
    this.#send(unlinkAnswer(seqnum, isTakenBack ? UrbStatus.Unlinked : UrbStatus.Ok));
  }

  #forget(seqnum: number): Pending | undefined {
    const pending = this.#pending.get(seqnum);
    this.#pending.delete(seqnum);
    this.#pendingBytes -= pending?.bytes ?? 0;
    return pending;
  }

  #answer(seqnum: number, status: number, data: Uint8Array = NO_DATA, actualLength = data.byteLength): void {
    this.#send(submitAnswer(seqnum, status, actualLength), data);
  }

  #send(answer: UrbAnswer, data: Uint8Array = NO_DATA): void {
    if (this.#open) this.#env.send(concat(encode(UrbAnswer, answer), data));
  }
}

const isIn = (setup: SetupPacket) => (setup.bmRequestType & RequestType.In) !== 0;

/** Data to the device must be as long as the setup packet says. */
function hasItsDataStage(setup: SetupPacket, data: Uint8Array): boolean {
  return isIn(setup) ? data.byteLength === 0 : data.byteLength === setup.wLength;
}

function devidOf({ listed }: Exported): number {
  return ((listed.device.busnum << 16) | listed.device.devnum) >>> 0;
}

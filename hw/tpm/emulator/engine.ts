import { CodecError, Reader, u16be, u32be } from "../../../shared/bytes/index.ts";
import type { Clock, Log, Random } from "../../../shared/ports/index.ts";
import { encodeResponse, TpmCc, TpmLimit, TpmRc, TpmSt } from "../../../shared/tpm/index.ts";
import { authorize, checkNoAuthorizationNeeded } from "./authorization.ts";
import { NO_AUTHORIZATIONS, readAuthorizations } from "./authorization-area.ts";
import { handlerOf } from "./commands/index.ts";
import { daSelfHeal } from "./dictionary-attack.ts";
import { checkKind, checkPresent } from "./handle-kind.ts";
import type { Handler } from "./handler.ts";
import { type Machine, powerOnRam, type Ram } from "./machine.ts";
import type { PcrBank } from "./pcr.ts";
import { handle as blameHandle, Refusal, refuse } from "./refusal.ts";
import { answerSessions } from "./session-answer.ts";
import { decodeNvState, encodeNvState, type NvState, newNvState, Orderly } from "./state.ts";
import { StateDirectoryError, type TpmStateStore } from "./state-store.ts";
import { ramOf, VolatileFile, volatileOf } from "./volatile.ts";

export interface EngineEnv {
  readonly random: Random;
  readonly clock: Clock;
  readonly state: TpmStateStore;
  readonly log: Log | undefined;
}

/** The TPM itself: takes whole commands, gives whole responses, one at a time, at once. Starts without power. */
export class Engine implements Machine {
  readonly random: Random;
  readonly log: Log | undefined;
  locality = 0;
  /** TPMEstablished of the PC client interface: a dynamic launch was begun since this was cleared. Power does not change it. */
  established = false;
  readonly #clock: Clock;
  readonly #store: TpmStateStore;
  #nv: NvState;
  #ram: Ram | undefined;
  #dirty = false;
  /** NV could not be written: nothing more is done until the next power cycle (Part 1, 12.3). */
  #failed = false;

  /** Throws CodecError when the stored state is not one, StateDirectoryError when it cannot be read, or a new one written. */
  constructor({ random, clock, state, log }: EngineEnv) {
    this.random = random;
    this.log = log;
    this.#clock = clock;
    this.#store = state;
    this.#nv = this.#load();
  }

  get nv(): NvState {
    return this.#nv;
  }

  get powered(): boolean {
    return this.#ram !== undefined;
  }

  get ram(): Ram {
    if (this.#ram === undefined) throw new Error("the TPM has no power");
    return this.#ram;
  }

  /**
   * Power goes, if it was there, and comes. What NV holds is all that stays, unless a volatile state was stored. Throws
   * StateDirectoryError when that is damaged; the TPM is without power then.
   */
  powerCycle(): void {
    if (this.#failed) this.#nv = this.#load(); // what could not be saved did not happen
    this.#failed = false;
    this.#dirty = false;
    this.#ram = undefined;
    this.#ram = this.#storedRam() ?? powerOnRam(this.#clock, this.nv, this.random);
    this.locality = 0;
  }

  /** Each power cycle goes on from here until it is forgotten. False when that cannot be: see volatileOf. */
  storeVolatile(): boolean {
    const state = volatileOf(this, this.established);
    if (state === undefined) return false;
    try {
      this.#store.saveVolatile(VolatileFile.encode(state));
      return true;
    } catch (error) {
      this.#report("the volatile state could not be written", error);
      return false;
    }
  }

  /** Throws StateDirectoryError when it cannot be removed; nothing is changed then. */
  forgetVolatile(): void {
    this.#store.saveVolatile(undefined);
  }

  /** What RAM held is gone. */
  powerOff(): void {
    this.#ram = undefined;
  }

  /** _TPM_Hash_End: the digest of what was launched, for each bank. */
  launch(digests: ReadonlyMap<PcrBank, Uint8Array>): void {
    const { pcrs, objects, started } = this.ram;
    pcrs.launch(digests, started);
    objects.makeRoom();
    if (started) this.noLongerOrderly(); // before, what Shutdown(STATE) left is still to be resumed
    this.#commit();
  }

  nvChanged(): void {
    this.#dirty = true;
  }

  noLongerOrderly(): void {
    if (this.nv.orderly !== Orderly.CLEAR && this.nv.orderly !== Orderly.STATE) return;
    this.nv.orderly = this.ram.daUsed ? Orderly.DA_USED : Orderly.NONE;
    this.nv.saved = undefined;
    this.nvChanged();
  }

  /** Never throws: what cannot be answered otherwise is answered with TPM_RC_FAILURE. */
  execute(command: Uint8Array): Uint8Array {
    let response: Uint8Array;
    try {
      response = this.#run(command);
    } catch (error) {
      if (!(error instanceof Refusal)) this.#report("the emulator failed at a command", error);
      response = refusal(error instanceof Refusal ? error.rc : TpmRc.FAILURE);
    }
    this.#ram?.objects.endOfCommand();
    return this.#commit() ? response : refusal(TpmRc.FAILURE);
  }

  #run(command: Uint8Array): Uint8Array {
    if (this.#ram === undefined || this.#failed) refuse(TpmRc.FAILURE);
    if (this.#ram.time.update()) this.nvChanged();
    daSelfHeal(this);
    const { handler, withSessions, from } = parseHeader(command);
    if (this.#ram.started === (handler.spec.code === TpmCc.Startup)) refuse(TpmRc.INITIALIZE);
    const handles = this.#handles(handler, from);
    if (withSessions && handler.noSessions) refuse(TpmRc.AUTH_CONTEXT);
    const area = withSessions ? readAuthorizations(this, handler.spec, from) : NO_AUTHORIZATIONS;
    if (!withSessions) checkNoAuthorizationNeeded(handler.spec);
    const underWay = { spec: handler.spec, handles, parameters: from.rest() };
    const authorized = authorize(this, underWay, area);
    const result = handler.run(this, handles, authorized.parameters);
    const answer = handler.noSessions
      ? { parameters: result.parameters, sessions: [] }
      : answerSessions(this, underWay, authorized, result.parameters);
    return encodeResponse({ responseCode: TpmRc.SUCCESS, handles: result.handles, ...answer }, withSessions);
  }

  /** All of them are read and checked for their kind first, then for their presence, as libtpms does. */
  #handles({ handleKinds }: Handler, from: Reader): readonly number[] {
    const handles = handleKinds.map((kind, i) => {
      if (from.remaining < 4) refuse(TpmRc.INSUFFICIENT, blameHandle(i + 1));
      const handle = from.u32be();
      checkKind(kind, handle, i + 1);
      return handle;
    });
    handles.forEach((handle, i) => {
      checkPresent(this, handle, i + 1);
    });
    return handles;
  }

  #storedRam(): Ram | undefined {
    const stored = this.#store.loadVolatile();
    if (stored === undefined) return undefined;
    try {
      const state = VolatileFile.decode(stored);
      const ram = ramOf(state, this, this.#clock);
      this.established = state.established === 1;
      return ram;
    } catch (error) {
      if (!(error instanceof CodecError || error instanceof RangeError)) throw error;
      const file = this.#store.volatileFile ?? "The stored volatile state";
      throw new StateDirectoryError(`${file} is damaged, or of another version (${error.message}).`, { cause: error });
    }
  }

  #load(): NvState {
    const stored = this.#store.load();
    if (stored !== undefined) return decodeNvState(stored);
    const fresh = newNvState(this.random);
    this.#store.save(encodeNvState(fresh));
    return fresh;
  }

  /** Saves NV if it changed; false when that failed. */
  #commit(): boolean {
    if (!this.#dirty || this.#ram === undefined) return true;
    this.nv.clock = this.#ram.time.stored;
    this.nv.safe = this.#ram.time.safe ? 1 : 0;
    try {
      this.#store.save(encodeNvState(this.nv));
      this.#dirty = false;
      return true;
    } catch (error) {
      this.#failed = true;
      this.#report("the TPM state could not be written", error);
      return false;
    }
  }

  #report(message: string, error: unknown): void {
    if (error instanceof StateDirectoryError) this.log?.write("error", error.message, { error: error.message });
    else this.log?.write("error", message, { error }); // a bug, whose stack the log shows
  }
}

interface ParsedHeader {
  readonly handler: Handler;
  readonly withSessions: boolean;
  /** At the handles. */
  readonly from: Reader;
}

function parseHeader(command: Uint8Array): ParsedHeader {
  const from = new Reader(command);
  try {
    const tag = u16be.read(from);
    if (tag !== TpmSt.NO_SESSIONS && tag !== TpmSt.SESSIONS) refuse(TpmRc.BAD_TAG);
    const size = u32be.read(from);
    if (size !== command.byteLength || size > TpmLimit.MESSAGE) refuse(TpmRc.COMMAND_SIZE);
    const handler = handlerOf(u32be.read(from)) ?? refuse(TpmRc.COMMAND_CODE);
    return { handler, withSessions: tag === TpmSt.SESSIONS, from };
  } catch (error) {
    if (error instanceof CodecError) refuse(TpmRc.INSUFFICIENT);
    throw error;
  }
}

/** A response with an error code. */
function refusal(rc: number): Uint8Array {
  return encodeResponse({ responseCode: rc, handles: [], parameters: new Uint8Array(0), sessions: [] }, false);
}

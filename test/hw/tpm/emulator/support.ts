/** An emulator to poke at: its engine, commands as words, answers taken apart. */
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { Engine } from "../../../../hw/tpm/emulator/engine.ts";
import { createMemoryStateStore, type TpmStateStore } from "../../../../hw/tpm/emulator/state-store.ts";
import { decode, encode } from "../../../../shared/bytes/index.ts";
import {
  type CommandSpec,
  commands,
  decodeResponse,
  encodeCommand,
  TpmAlg,
  TpmRh,
  type TpmsAuthCommand,
} from "../../../../shared/tpm/index.ts";
import { seededRandom } from "../../../support/random.ts";

const NONE = new Uint8Array(0);

export const PASSWORD: TpmsAuthCommand = { sessionHandle: TpmRh.PW, nonce: NONE, sessionAttributes: 0, hmac: NONE };

/** Parameters of TPM2_StartAuthSession: a policy session without a salt. */
export const POLICY_SESSION = {
  nonceCaller: new Uint8Array(16),
  encryptedSalt: NONE,
  sessionType: 1,
  symmetric: { algorithm: TpmAlg.NULL },
  authHash: TpmAlg.SHA256,
} as const;

export interface Ran<R> {
  readonly rc: number;
  readonly handle: number;
  /** Undefined when the command was refused. */
  readonly response: R | undefined;
}

/** An engine with its clock; what goes wrong inside it lands in `errors`. */
export class Bench {
  readonly clock = new VirtualClock();
  readonly errors: string[] = [];
  readonly state: TpmStateStore;
  readonly engine: Engine;

  constructor(seed: number | string = 1, state: TpmStateStore = createMemoryStateStore()) {
    this.state = state;
    this.engine = new Engine({
      random: seededRandom(seed, "bench"),
      clock: this.clock,
      state,
      log: { write: (_level, message, facts) => this.errors.push(`${message} ${String(facts?.["error"])}`) },
    });
  }

  /** Power and TPM2_Startup(CLEAR). */
  start(): this {
    this.engine.powerCycle();
    this.must(commands.Startup, [], { startupType: 0 });
    return this;
  }

  /** Power and TPM2_Startup(STATE). */
  resume(): Ran<unknown> {
    this.engine.powerCycle();
    return this.run(commands.Startup, [], { startupType: 1 });
  }

  run<P, R>(
    spec: CommandSpec<P, R>,
    handles: readonly number[],
    parameters: P,
    sessions?: readonly TpmsAuthCommand[],
  ): Ran<R> {
    const needed = spec.handles.filter(({ auth }) => auth !== "none").map(() => PASSWORD);
    const command = encodeCommand({
      commandCode: spec.code,
      handles,
      sessions: sessions ?? needed,
      parameters: encode(spec.parameters, parameters),
    });
    const answer = decodeResponse(this.engine.execute(command), spec.responseHandles);
    const response = answer.responseCode === 0 ? decode(spec.response, answer.parameters) : undefined;
    return { rc: answer.responseCode, handle: answer.handles[0] ?? 0, response };
  }

  /** As `run`, and a refusal is the test's failure. */
  must<P, R>(
    spec: CommandSpec<P, R>,
    handles: readonly number[],
    parameters: P,
    sessions?: readonly TpmsAuthCommand[],
  ): { readonly handle: number; readonly response: R } {
    const { rc, handle, response } = this.run(spec, handles, parameters, sessions);
    if (response === undefined) throw new Error(`TPM2_${spec.name} answered 0x${rc.toString(16)}`);
    return { handle, response };
  }
}

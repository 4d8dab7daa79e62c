/** Runs one declared command: header, handles, authorizations, parameters; retries; refusals as TpmError. */
import { decode, encode, inField } from "../../shared/bytes/index.ts";
import type { Clock, Log, Random, TpmTransport } from "../../shared/ports/index.ts";
import {
  type CommandSpec,
  commandName,
  decodeResponse,
  decodeResponseCode,
  encodeCommand,
  TpmaSessionBit,
  TpmError,
  TpmRc,
  TpmRh,
  type TpmsAuthCommand,
} from "../../shared/tpm/index.ts";
import { flushQuietly } from "./cleanup.ts";

const NONE = new Uint8Array(0);
const MAX_TRIES = 10;
/** Before the third try; the second comes at once, which is what TPM_RC_RETRY mostly wants. Doubles with every further one. */
const FIRST_WAIT_MS = 10;

/** Warnings that ask for the same command again: Part 2, 6.6.3. */
const AGAIN: ReadonlySet<number> = new Set([TpmRc.RETRY, TpmRc.YIELDED, TpmRc.TESTING]);

export interface TpmEnv {
  readonly random: Random;
  readonly log: Log;
  /** Without one, retries follow each other at once. */
  readonly clock?: Clock;
}

/** What authorizes the use of one handle: its password, or a policy session that lived up to its policy. */
export type Authorization =
  | { readonly kind: "password"; readonly password: Uint8Array }
  | { readonly kind: "policy"; readonly session: number };

interface CommandInput<P> {
  /** In the order of the declaration; none for a command without handles. */
  readonly handles?: readonly number[];
  readonly parameters: P;
  /** For the handles that need one, in order; what is left out is the empty password. */
  readonly authorizations?: readonly Authorization[];
}

interface CommandOutput<R> {
  /** The handle that the command returns; 0 when it returns none. */
  readonly handle: number;
  readonly response: R;
}

/** A TPM to run commands on. Whoever makes sessions or transient objects with it flushes them. */
export interface TpmRunner {
  readonly env: TpmEnv;
  /** Rejects with TpmError, with TpmUnreachable, or with CodecError when the answer is no answer to that command. */
  run<P, R>(spec: CommandSpec<P, R>, input: CommandInput<P>): Promise<CommandOutput<R>>;
}

export function createRunner(transport: TpmTransport, env: TpmEnv): TpmRunner {
  const runner: TpmRunner = {
    env,
    async run(spec, input) {
      const request = encodeCommand({
        commandCode: spec.code,
        handles: input.handles ?? [],
        sessions: authorizationsFor(spec, input),
        parameters: encode(spec.parameters, input.parameters),
      });
      const answer = await sendUntilTaken(transport, env, spec.code, request);
      const where = `${commandName(spec.code)} response`;
      const { handles, parameters } = inField(where, () => decodeResponse(answer, spec.responseHandles));
      const handle = handles[0] ?? 0;
      try {
        return { handle, response: inField(where, () => decode(spec.response, parameters)) };
      } catch (error) {
        await flushQuietly(runner, handle);
        throw error;
      }
    },
  };
  return runner;
}

function authorizationsFor<P, R>(spec: CommandSpec<P, R>, input: CommandInput<P>): readonly TpmsAuthCommand[] {
  if ((input.handles ?? []).length !== spec.handles.length) {
    throw new RangeError(`${commandName(spec.code)} takes ${spec.handles.length} handles`);
  }
  const authorizations = input.authorizations ?? [];
  const commands = spec.handles.filter(({ auth }) => auth !== "none").map((_, i) => authCommand(authorizations[i]));
  if (authorizations.length > commands.length) {
    throw new RangeError(`${commandName(spec.code)} takes ${commands.length} authorizations`);
  }
  return commands;
}

function authCommand(authorization: Authorization | undefined): TpmsAuthCommand {
  // A session goes on after the command, so that flushing it is right whether the command succeeded or not.
  const sessionAttributes = TpmaSessionBit.CONTINUE_SESSION;
  if (authorization?.kind === "policy") {
    return { sessionHandle: authorization.session, nonce: NONE, sessionAttributes, hmac: NONE };
  }
  return { sessionHandle: TpmRh.PW, nonce: NONE, sessionAttributes, hmac: authorization?.password ?? NONE };
}

async function sendUntilTaken(
  transport: TpmTransport,
  env: TpmEnv,
  code: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  for (let tries = 1; ; tries++) {
    const answer = await transport.send(request);
    const rc = inField(`${commandName(code)} response`, () => decodeResponseCode(answer));
    if (rc === TpmRc.SUCCESS) return answer;
    if (!AGAIN.has(rc) || tries === MAX_TRIES) throw new TpmError(rc, code);
    env.log.write("debug", `${commandName(code)}: the TPM wants it again`, { rc, tries });
    if (tries > 1) await wait(env.clock, FIRST_WAIT_MS * 2 ** (tries - 2));
  }
}

function wait(clock: Clock | undefined, ms: number): Promise<void> {
  if (clock === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

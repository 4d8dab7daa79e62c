/**
 * A TPM 2.0 in TypeScript: the commands that the attester and the manufacturing need, with the response codes and limits of a real
 * one. Computes synchronously; a promise settles in a microtask.
 */

import { CodecError } from "../../../shared/bytes/index.ts";
import type { Clock, Log, Random, TpmPlatform, TpmTransport } from "../../../shared/ports/index.ts";
import { TpmUnreachable } from "../../../shared/tpm/index.ts";
import { createBoard, type TpmBoard } from "./board.ts";
import { Engine, type EngineEnv } from "./engine.ts";
import { createMemoryStateStore, StateDirectoryError, type TpmStateStore } from "./state-store.ts";

export { MAX_LOCALITY, type TpmBoard } from "./board.ts";
export { implementedCommands } from "./commands/index.ts";
export { openStateDirectory } from "./state-directory.ts";
export { StateDirectoryError } from "./state-store.ts";

export interface TpmEmulatorOptions {
  readonly random: Random;
  /** What the TPM's own clock runs by. */
  readonly clock: Clock;
  /** In memory when left out. The emulator closes it with its transport. */
  readonly state?: TpmStateStore;
  /** Gets a line when the emulator itself fails. */
  readonly log?: Log;
}

export interface TpmEmulator {
  /** Rejects only after `close`. */
  readonly transport: TpmTransport;
  readonly platform: TpmPlatform;
  /** The same TPM, for a server of its own: synchronous, and with all that a chipset has. */
  readonly board: TpmBoard;
}

/**
 * A TPM without power: until `platform.power("on")` every command is answered with TPM_RC_FAILURE, then until TPM2_Startup with
 * TPM_RC_INITIALIZE. Without a stored state it is fresh from the factory: seeds drawn from `random`, every authValue empty, no EK
 * certificate. Throws StateDirectoryError when the stored state is damaged, of another version, or cannot be read or written, and closes
 * the store.
 */
export function createTpmEmulator({
  random,
  clock,
  state = createMemoryStateStore(),
  log,
}: TpmEmulatorOptions): TpmEmulator {
  const engine = openEngine({ random, clock, state, log });
  let closed = false;
  const transport: TpmTransport = {
    async send(command, signal) {
      if (closed) throw new Error("the TPM emulator was closed");
      signal?.throwIfAborted();
      return engine.execute(command);
    },
    async close() {
      if (!closed) state.close();
      closed = true;
    },
  };
  const board = createBoard(engine);
  const platform: TpmPlatform = {
    async setLocality(locality) {
      board.locality = locality;
    },
    async hashSequence(data) {
      if (!board.powered) throw new Error("the TPM has no power");
      board.hashStart();
      board.hashData(data);
      board.hashEnd();
    },
    /**
     * `on` leaves a TPM that has power alone, and may find a stored volatile state; rejects with TpmUnreachable when that is damaged, or
     * cannot be removed. Whether a cycle is orderly is decided by the TPM2_Shutdown before it.
     */
    async power(how) {
      if (how !== "on") reaching(() => board.forgetVolatile());
      if (how !== "on" || !board.powered) reaching(() => board.powerCycle());
    },
  };
  return { transport, platform, board };
}

function reaching(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (error instanceof StateDirectoryError) throw new TpmUnreachable(error.message, { cause: error });
    throw error;
  }
}

function openEngine(env: EngineEnv): Engine {
  try {
    return new Engine(env);
  } catch (error) {
    env.state.close();
    if (!(error instanceof CodecError)) throw error;
    throw new StateDirectoryError(
      `${env.state.file ?? "The TPM state"} is damaged, or of another version (${error.message}).`,
      {
        cause: error,
      },
    );
  }
}

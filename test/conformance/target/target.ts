import type { DatagramPort, Lamps, Peer } from "../../../shared/ports/index.ts";
import type { Keys } from "../keys.ts";
import type { Machine } from "../machine.ts";
import type { Platform } from "../platform.ts";
import type { ProfileName, Row } from "../row.ts";
import type { Time } from "../time.ts";

export interface LampChange {
  readonly at: number;
  readonly lamps: Lamps;
}

/** One token in the state that a row begins with. */
export interface Stage {
  readonly token: Peer;
  readonly time: Time;
  /** The platform that the token knows in state `enrolled`. */
  readonly enrolled: Platform;
  /** A peer that the token has not heard of. */
  openPort(): Promise<DatagramPort>;
  /** Every change of the lamps, where they can be seen. */
  readonly lamps?: readonly LampChange[];
  /** Power off and on; the lamps begin anew. */
  restart?(): Promise<void>;
  close(): Promise<void>;
}

/** Where tokens come from. */
export interface Target {
  readonly name: string;
  readonly profile: ProfileName;
  readonly keys: Keys;
  /** The machine that rows use unless they need another. */
  readonly machine: Machine;
  /** A TPM that is one, for rows that need it. */
  readonly tpm?: Machine | undefined;
  /** A token for the row; NotHere when there is none. Closed before the next one is asked for. */
  stage(row: Row): Promise<Stage>;
  /** Rows clean up behind them. */
  readonly stays: boolean;
  close(): Promise<void>;
}

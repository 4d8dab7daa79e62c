import type { Fault } from "../../../hw/net/faults.ts";
import type { CoapHandler, CoapResponse } from "../../../shared/coap/index.ts";
import type {
  Calendar,
  Clock,
  Lamps,
  Log,
  LogLevel,
  Random,
  TpmPlatform,
  TpmTransport,
} from "../../../shared/ports/index.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import type { OwnerMaterial } from "../../owner/index.ts";
import type { AttesterPlatform } from "../../platform/index.ts";
import type { StickFlash } from "./flash.ts";
import type { Pace } from "./pace.ts";

export interface TwinOptions {
  /** Who asks: the token (v0), or programs of the computer (v1). */
  readonly api: "v0" | "v1";
  readonly pace: Pace;
  /** Clocks of their own, where they are not that of the pace. */
  readonly clocks?: { readonly token: Clock; readonly computer: Clock };
  /** A stream of randomness for each part, so that one more draw of one does not shift the others. */
  readonly random: (part: string) => Random;
  readonly calendar: Calendar;
  readonly tpm: { readonly transport: TpmTransport; readonly platform: TpmPlatform };
  readonly profile: "compat" | "strict";
  readonly key: "rsa" | "ecc";
  readonly platform: AttesterPlatform;
  readonly owner: OwnerMaterial;
  readonly ekRoot: Certificate;
  /** The stick's; of its own, in memory, when left out. */
  readonly flash?: StickFlash;
  /** What becomes of frames, `send` goes toward the token; when left out, what `setFaults` says. */
  readonly fault?: Fault;
  readonly onLog?: (line: TwinLine) => void;
  readonly onLamps?: (lamps: Lamps) => void;
  /** API v0. Stands between the wire and the attester's server: to watch requests, or to be a liar. */
  readonly intercept?: (handler: CoapHandler) => CoapHandler;
  /** API v1. Every request that a program of the computer makes, and what becomes of it. */
  readonly onRequest?: (what: string, answer: Promise<CoapResponse>) => void;
  readonly onFrame?: ((direction: "to-token" | "to-computer", frame: Uint8Array) => void) | undefined;
}

export interface TwinLine {
  readonly at: number;
  /** `token`, `computer`, or a program of the computer: `attester`, `owner`, or as a scenario names it. */
  readonly from: string;
  readonly level: LogLevel;
  readonly message: string;
}

export type LogOf = (from: string) => Log;

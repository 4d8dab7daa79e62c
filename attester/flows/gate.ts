import type { TcgLog } from "../../shared/event-log/index.ts";
import type { Kexec, KexecOutcome, Log, TpmPlatform } from "../../shared/ports/index.ts";
import { SESSION_MS } from "../../shared/protocol/index.ts";
import type { TpmlPcrSelection } from "../../shared/tpm/index.ts";
import type { TpmClient } from "../tpm/index.ts";
import { type Capped, type CapRefusal, capPcrs } from "./gate-cap.ts";
import type { GateTarget } from "./gate-target.ts";
import { INTERRUPTED, type NoVerdict, type VerdictOptions, verdictWithin } from "./gate-verdict.ts";
import { sleep } from "./presence.ts";
import type { AttestOutcome } from "./v1-attest.ts";

/** The gate between a small OS and what it starts: it opens on a green verdict, and leaves nobody behind it who could attest again. */

/** The target cannot be loaded; nothing was extended. */
export interface TargetRefusal {
  readonly ok: false;
  readonly reason: "target-refused";
  readonly detail: string;
}

export type GateRefusal = Exclude<AttestOutcome, { readonly ok: true }> | NoVerdict | TargetRefusal | CapRefusal;
export type GateReason = GateRefusal["reason"];

export interface GatePassed {
  readonly ok: true;
  /** Absent when no cap was asked for. */
  readonly capped?: Capped;
}

export interface GateOptions extends VerdictOptions {
  readonly tpm: TpmClient;
  readonly platform: TpmPlatform | undefined;
  readonly target: GateTarget;
  /** The last quote's selection; what `attester` quotes with is watched for it, see watchQuotes. */
  readonly quoted: () => TpmlPcrSelection;
  /** Closes the link. A token hears of a program as long as its port is open, and so long its session lives. */
  readonly leave: () => Promise<void>;
  /** For a target with a kernel. */
  readonly kexec?: Kexec | undefined;
  /** The log that shall have what is extended. Without a place for it there nothing is extended; to write it is the caller's. */
  readonly eventLog?: TcgLog | undefined;
  /** False only for a command that does not start another system. */
  readonly cap: boolean;
  /** Told of the green verdict. */
  readonly onGreen?: (verdict: AttestOutcome) => void;
}

/**
 * An attested session is there for whoever comes next to its port: the gate opens when the token has forgotten it, a little after the last
 * message.
 */
const SESSION_END_MS = SESSION_MS + 500;

/**
 * Attests, loads the target, caps the PCRs, and lets the session end. After `ok` the caller runs the target's command and jumps; after anything else nothing is
 * loaded. Rejects as V1Attester.attest does, and Kexec; nothing is loaded then either.
 */
export async function passGate(options: GateOptions): Promise<GatePassed | GateRefusal> {
  const { target, cap, signal, clock, log, leave, onGreen } = options;
  const wanted = target.kexec;
  const kexec = wanted === undefined ? undefined : options.kexec;
  if (wanted !== undefined && (kexec === undefined || !cap)) throw new RangeError("a kernel needs kexec and the cap");
  const checked = await kexec?.check();
  if (checked?.ok === false) return refused(checked);
  const verdict = await verdictWithin(options);
  if (!verdict.ok) return verdict;
  onGreen?.(verdict);
  let passed = false;
  try {
    if (cap) await leave();
    const leftAt = clock.now();
    const loaded = wanted === undefined ? undefined : await kexec?.load(wanted);
    if (loaded?.ok === false) return refused(loaded);
    if (signal.aborted) return INTERRUPTED;
    const capped = cap ? await capPcrs({ ...options, quoted: options.quoted() }) : undefined;
    if (capped?.ok === false) return capped;
    if (capped !== undefined) await sleep(clock, leftAt + SESSION_END_MS - clock.now(), signal);
    if (signal.aborted) return INTERRUPTED;
    passed = true;
    return capped === undefined ? { ok: true } : { ok: true, capped };
  } finally {
    if (!passed && kexec !== undefined) await unloaded(kexec, log);
  }
}

/** For a target that is not to be started after all. */
export async function unloaded(kexec: Kexec, log: Log): Promise<void> {
  const outcome = await kexec.unload();
  if (!outcome.ok) log.write("warn", `The target is still loaded: ${outcome.detail}`);
}

function refused({ detail }: Extract<KexecOutcome, { readonly ok: false }>): TargetRefusal {
  return { ok: false, reason: "target-refused", detail };
}

/** The same client, and what its last quote covered: a gate that caps other PCRs than the token looks at would be none. */
export function watchQuotes(tpm: TpmClient): { readonly tpm: TpmClient; quoted(): TpmlPcrSelection } {
  let last: TpmlPcrSelection = [];
  return {
    quoted: () => last,
    tpm: {
      ...tpm,
      quote(key, qualifyingData, selection) {
        last = selection;
        return tpm.quote(key, qualifyingData, selection);
      },
    },
  };
}

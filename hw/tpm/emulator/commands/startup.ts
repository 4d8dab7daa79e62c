import { commands, TpmRc, TpmSu } from "../../../../shared/tpm/index.ts";
import { daStartup } from "../dictionary-attack.ts";
import { handler } from "../handler.ts";
import type { Machine, Ram } from "../machine.ts";
import { startIndices } from "../nv-index.ts";
import { parameter, refuse } from "../refusal.ts";
import { Orderly, type SavedState, StartKind } from "../state.ts";

/** Part 3, 9: start-up. The engine lets Startup through only before it, everything else only after it. */

const START = { noSessions: true, nv: true };
/** Localities at which a platform starts its TPM; 4 is H-CRTM and shows in PCR 0 by itself. */
const STARTUP_LOCALITIES: readonly number[] = [0, 3];

const startup = handler(commands.Startup, START, ({ tpm, parameters }) => {
  const { nv, ram } = tpm;
  if (!STARTUP_LOCALITIES.includes(tpm.locality)) refuse(TpmRc.LOCALITY);
  const resume = parameters.startupType === TpmSu.STATE;
  const saved = ram.previous === Orderly.STATE ? nv.saved : undefined;
  const start = kindOfStart(tpm);
  if (resume) checkResume(saved, start);
  ram.start = start;
  ram.pcrs.startup(tpm.locality, saved?.pcrCounter ?? 0, resume ? saved : undefined);
  if (resume && saved !== undefined) ram.platformAuth = saved.platformAuth;
  if (saved !== undefined) keepContexts(ram, saved, resume);
  if (saved === undefined) {
    // TPM Reset: Part 1, 12.2.3.2
    nv.resetCount++;
    nv.restartCount = 0;
  } else {
    // TPM Resume, or with CLEAR TPM Restart
    nv.restartCount++;
    ram.nullHierarchy = { seed: saved.nullSeed, proof: saved.nullProof, auth: new Uint8Array(0) };
  }
  startIndices(tpm, !resume);
  daStartup(tpm);
  nv.orderly = Orderly.NONE;
  nv.saved = undefined;
  ram.started = true;
  tpm.nvChanged();
  return { response: {} };
});

function kindOfStart({ locality, ram }: Machine): StartKind {
  if (ram.pcrs.hadHCrtm) return StartKind.H_CRTM;
  return locality === 3 ? StartKind.LOCALITY_3 : StartKind.PLAIN;
}

/** A resume goes on with PCR 0 as an earlier start left it, so this start must be like that one. */
function checkResume(saved: SavedState | undefined, start: StartKind): void {
  const byHCrtm = (kind: StartKind) => kind === StartKind.H_CRTM;
  if (saved === undefined || byHCrtm(saved.start) !== byHCrtm(start)) refuse(TpmRc.VALUE, parameter(1));
  if (saved.start !== start) refuse(TpmRc.LOCALITY);
}

/** Saved contexts outlive all but a TPM Reset: Part 1, 30.1. */
function keepContexts(ram: Ram, saved: SavedState, resume: boolean): void {
  ram.sessions.restore(saved.sessions);
  ram.objectContexts = saved.objectContexts;
  ram.clearCount = resume ? saved.clearCount : saved.clearCount + 1;
}

const shutdown = handler(commands.Shutdown, { nv: true }, ({ tpm, parameters }) => {
  const { nv, ram } = tpm;
  const state = parameters.shutdownType === TpmSu.STATE;
  nv.saved = state
    ? {
        ...ram.pcrs.save(),
        pcrCounter: ram.pcrs.updateCounter,
        nullSeed: ram.nullHierarchy.seed,
        nullProof: ram.nullHierarchy.proof,
        platformAuth: ram.platformAuth,
        sessions: ram.sessions.saved(),
        objectContexts: ram.objectContexts,
        clearCount: ram.clearCount,
        start: ram.start,
      }
    : undefined;
  nv.orderly = state ? Orderly.STATE : Orderly.CLEAR;
  ram.time.store();
  tpm.nvChanged();
  return { response: {} };
});

export const startupCommands = [startup, shutdown] as const;

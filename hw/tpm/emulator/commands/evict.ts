import { commands, handleType, TpmHt, TpmRc, TpmRh } from "../../../../shared/tpm/index.ts";
import { objectAt, toRecord } from "../entity.ts";
import { handler } from "../handler.ts";
import { handle as blameHandle, parameter, refuse } from "../refusal.ts";
import { NvLimit } from "../state.ts";

/** From here on persistent handles are the platform's: Registry of Reserved TPM 2.0 Handles, 2.3. */
const PLATFORM_PERSISTENT = 0x8180_0000;

/** TPMI_DH_PERSISTENT. */
function isPersistent(handle: number): void {
  if (handleType(handle) !== TpmHt.PERSISTENT) refuse(TpmRc.VALUE);
}

/** TPM2_EvictControl, Part 3, 28.5: makes a transient key persistent, or takes a persistent one away. */
const evictControl = handler(
  commands.EvictControl,
  { handles: ["provision", "object"], nv: true, values: { persistentHandle: isPersistent } },
  ({ tpm, handle, parameters: { persistentHandle } }) => {
    const object = objectAt(tpm, handle(1));
    if (
      object.kind === "sequence" ||
      object.stClear ||
      object.hierarchy === TpmRh.NULL ||
      object.sensitive === undefined
    ) {
      refuse(TpmRc.ATTRIBUTES, blameHandle(2));
    }
    const evicting = object.persistentHandle !== undefined;
    if (evicting && object.persistentHandle !== persistentHandle) refuse(TpmRc.HANDLE, blameHandle(2));
    const platform = handle(0) === TpmRh.PLATFORM;
    const ofPlatform = object.hierarchy === TpmRh.PLATFORM;
    if (platform ? !evicting && !ofPlatform : ofPlatform) refuse(TpmRc.HIERARCHY, blameHandle(2));
    if (!evicting && platform !== persistentHandle >= PLATFORM_PERSISTENT) refuse(TpmRc.RANGE, parameter(1));
    const { persistent } = tpm.nv;
    if (evicting) {
      persistent.delete(persistentHandle);
    } else {
      if (persistent.has(persistentHandle)) refuse(TpmRc.NV_DEFINED);
      if (persistent.size >= NvLimit.PERSISTENT) refuse(TpmRc.NV_SPACE);
      persistent.set(persistentHandle, toRecord(object));
    }
    tpm.nvChanged();
    return { response: {} };
  },
);

export const evictCommands = [evictControl] as const;

/** From power to a TPM that takes commands, and back. */
import type { TpmPlatform } from "../../shared/ports/index.ts";
import { commands, TpmError, TpmRc, TpmSu } from "../../shared/tpm/index.ts";
import { flushLeftovers } from "./cleanup.ts";
import type { TpmRunner } from "./runner.ts";

export interface StartupOptions {
  /** Who gives power to a TPM that has none. */
  readonly platform?: TpmPlatform | undefined;
  /** The TPM is ours alone: what lies loaded in it is a leftover. */
  readonly own: boolean;
}

/** TPM2_Startup(CLEAR) unless it happened before; power first where that is the trouble; leftovers of a killed program flushed. */
export async function startUp(tpm: TpmRunner, { platform, own }: StartupOptions): Promise<void> {
  try {
    await startupClear(tpm);
  } catch (error) {
    // swtpm and the emulator answer TPM_RC_FAILURE to everything while they have no power.
    const unpowered = error instanceof TpmError && error.rc === TpmRc.FAILURE;
    if (!unpowered || platform === undefined) throw error;
    await platform.power("on");
    await startupClear(tpm);
  }
  if (!own) return;
  const flushed = await flushLeftovers(tpm);
  if (flushed > 0) tpm.env.log.write("info", `Flushed ${flushed} leftover sessions and objects from the TPM`);
}

/** TPM_RC_INITIALIZE says that it is started already: the firmware or the kernel did it. */
async function startupClear(tpm: TpmRunner): Promise<void> {
  try {
    await tpm.run(commands.Startup, { parameters: { startupType: TpmSu.CLEAR } });
  } catch (error) {
    if (!(error instanceof TpmError && error.rc === TpmRc.INITIALIZE)) throw error;
  }
}

/** TPM2_Shutdown(CLEAR). A TPM that lost power without it says `safe` 0 in its quotes for a while, and may lock out keys. */
export async function shutDown(tpm: TpmRunner): Promise<void> {
  await tpm.run(commands.Shutdown, { parameters: { shutdownType: TpmSu.CLEAR } });
}

import type { Clock, Log, Random, TpmPlatform, TpmTransport } from "../../shared/ports/index.ts";
import { TpmUnreachable } from "../../shared/tpm/index.ts";
import { DEFAULT_DEVICE, type OpenDevice, openDevice } from "./device.ts";
import { parseTpmSpec, TPM_SPEC_FORMS, type TpmSpec } from "./spec.ts";
import { describeAddress } from "./stream-channel.ts";
import { openSwtpm } from "./swtpm.ts";
import { openSwtpmControl } from "./swtpm-control.ts";

export interface OpenTpm {
  readonly transport: TpmTransport;
  /** Undefined where nobody plays the chipset: /dev/tpmrm0, and swtpm without a control channel. */
  readonly platform: TpmPlatform | undefined;
  /** Whether the TPM is this program's own: what lies loaded in it is a leftover, and TPM2_Shutdown at the end is right. */
  readonly own: boolean;
  /** For people: "swtpm at 127.0.0.1:2401". */
  readonly describe: string;
  close(): Promise<void>;
}

export interface OpenTpmEnv {
  readonly random: Random;
  readonly clock: Clock;
  /** Gets a line when an emulator fails, such as for a state that cannot be written. */
  readonly log?: Log;
  /** Only tests give another. */
  readonly openDevice?: OpenDevice;
}

/**
 * The TPM that --tpm names. Without a text /dev/tpmrm0, never the emulator: evidence from an emulator must be asked for.
 * Throws TpmSpecError; rejects with TpmUnreachable.
 */
export async function openTpm(text: string | undefined, env: OpenTpmEnv): Promise<OpenTpm> {
  if (text !== undefined) return openSpec(parseTpmSpec(text), env);
  try {
    return await openSpec({ kind: "device", path: DEFAULT_DEVICE }, env);
  } catch (error) {
    if (!(error instanceof TpmUnreachable)) throw error;
    throw new TpmUnreachable(`${error.message}. Choose another TPM with --tpm: ${TPM_SPEC_FORMS}`, { cause: error });
  }
}

function openSpec(spec: TpmSpec, env: OpenTpmEnv): Promise<OpenTpm> {
  switch (spec.kind) {
    case "device":
      return openDeviceTpm(spec, env);
    case "swtpm":
      return openSwtpmTpm(spec);
    case "emulator":
      return openEmulatorTpm(spec, env);
  }
}

async function openDeviceTpm(spec: Extract<TpmSpec, { kind: "device" }>, env: OpenTpmEnv): Promise<OpenTpm> {
  const transport = await openDevice(spec.path, env.openDevice);
  return {
    transport,
    platform: undefined,
    own: false,
    describe: `TPM at ${spec.path}`,
    close: () => transport.close(),
  };
}

async function openSwtpmTpm(spec: Extract<TpmSpec, { kind: "swtpm" }>): Promise<OpenTpm> {
  const transport = await openSwtpm(spec.data);
  const describe = `swtpm at ${describeAddress(spec.data)}`;
  if (spec.control === undefined) {
    return { transport, platform: undefined, own: true, describe, close: () => transport.close() };
  }
  const platform = await openSwtpmControl(spec.control).catch(async (error: unknown) => {
    await transport.close();
    throw error;
  });
  const close = async () => {
    await transport.close();
    await platform.close();
  };
  return { transport, platform, own: true, describe, close };
}

/** Loaded only when asked for: the emulator is the largest part here, and most programs never want it. */
async function openEmulatorTpm(spec: Extract<TpmSpec, { kind: "emulator" }>, env: OpenTpmEnv): Promise<OpenTpm> {
  const { createTpmEmulator, openStateDirectory, StateDirectoryError } = await import("./emulator/index.ts");
  const { random, clock, log } = env;
  const where = spec.directory === undefined ? "in memory" : `in ${spec.directory}`;
  try {
    const tpm = createTpmEmulator({
      ...{ random, clock },
      ...(log === undefined ? {} : { log }),
      ...(spec.directory === undefined ? {} : { state: openStateDirectory(spec.directory) }),
    });
    return { ...tpm, own: true, describe: `TPM emulator ${where}`, close: () => tpm.transport.close() };
  } catch (error) {
    if (!(error instanceof StateDirectoryError)) throw error;
    throw new TpmUnreachable(error.message, { cause: error });
  }
}

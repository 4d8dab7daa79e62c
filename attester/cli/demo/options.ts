import { sampleKernel, sampleLaunch } from "../../dlme/index.ts";
import type { OwnerMaterial } from "../../owner/index.ts";
import type { Pace } from "../twin/pace.ts";
import type { ManufacturedTpm, Source } from "../twin/setup.ts";
import type { Stage } from "./stage.ts";

export interface DemoOptions {
  readonly pace: Pace;
  readonly source: Source;
  readonly seeded: boolean;
  readonly tpm: string | undefined;
  readonly stage: Stage;
  /** One story only; both without it. */
  readonly api?: "v0" | "v1" | undefined;
  readonly onFrame?: ((direction: "to-token" | "to-computer", frame: Uint8Array) => void) | undefined;
}

/** What both stories have: the same computer with the same TPM, the same owner. */
export interface Cast extends DemoOptions {
  readonly made: ManufacturedTpm;
  readonly owner: OwnerMaterial;
}

/** How a story ended. */
export interface Ending {
  readonly good: boolean;
  /** What it showed, or that it did not. */
  readonly sentence: string;
}

export const goodFiles = sampleLaunch();
export const tamperedFiles = { ...goodFiles, kernel: sampleKernel("a kernel that nobody recorded") };
export const ORDERLY = { launch: true, power: "orderly" } as const;
/** What the gate starts. */
export const targetFiles = sampleLaunch({ kernel: "the real system", commandLine: "root=/dev/sda2 ro" });

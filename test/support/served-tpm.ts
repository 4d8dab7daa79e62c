/** `fobnail tpm serve` in a process of its own, with a new state, on UNIX sockets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StreamAddress } from "../../hw/tpm/stream-channel.ts";
import { Process } from "./process.ts";

export interface ServedTpm {
  readonly data: StreamAddress;
  readonly control: StreamAddress;
  /** Ends the process and removes its state. */
  stop(): Promise<void>;
}

export async function serveEmulator(): Promise<ServedTpm> {
  const folder = mkdtempSync(join(tmpdir(), "fobnail-served-tpm-"));
  const path = join(folder, "tpm");
  const server = new Process(["tpm", "serve", "--state", join(folder, "state"), "--unix", path]);
  const stop = async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await server.line(/TPM emulator in/);
  } catch (error) {
    await stop();
    throw error;
  }
  return { data: { path }, control: { path: `${path}.ctrl` }, stop };
}

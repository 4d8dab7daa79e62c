/** A TPM behind the kernel's driver: /dev/tpmrm0. The kernel's resource manager keeps other programs' objects and sessions apart. */
import { open } from "node:fs/promises";
import type { TpmTransport } from "../../shared/ports/index.ts";
import { TpmLimit, TpmUnreachable } from "../../shared/tpm/index.ts";

export const DEFAULT_DEVICE = "/dev/tpmrm0";

/** What is needed of an open character device; node's FileHandle has it. */
export interface DeviceFile {
  write(data: Uint8Array): Promise<{ readonly bytesWritten: number }>;
  read(into: Uint8Array, offset: number, length: number, position: null): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

export type OpenDevice = (path: string) => Promise<DeviceFile>;

/** An ordinary file would take the commands as its content. */
const openFile: OpenDevice = async (path) => {
  const file = await open(path, "r+");
  try {
    if (!(await file.stat()).isCharacterDevice()) throw new Error("it is no device");
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
};

const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: "this machine has no such TPM",
  EACCES: "this user may not open it (group tss?)",
  EPERM: "this user may not open it (group tss?)",
  EBUSY: "another program holds it",
};

function unreachable(path: string, error: unknown): TpmUnreachable {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason = ADVICE[code] ?? (error instanceof Error ? error.message : String(error));
  return new TpmUnreachable(`TPM at ${path} not reached: ${reason}`, { cause: error });
}

/** The driver takes a command in one write and gives its response in one read. Rejects with TpmUnreachable. */
export async function openDevice(path: string = DEFAULT_DEVICE, openAt: OpenDevice = openFile): Promise<TpmTransport> {
  const file = await openAt(path).catch((error: unknown) => Promise.reject(unreachable(path, error)));
  let last: Promise<unknown> = Promise.resolve();

  const exchange = async (command: Uint8Array, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    signal?.throwIfAborted();
    try {
      const { bytesWritten } = await file.write(command);
      if (bytesWritten !== command.byteLength) throw new Error(`${bytesWritten} of ${command.byteLength} bytes taken`);
      const response = new Uint8Array(TpmLimit.MESSAGE);
      const { bytesRead } = await file.read(response, 0, response.byteLength, null);
      return response.subarray(0, bytesRead);
    } catch (error) {
      throw unreachable(path, error);
    }
  };

  return {
    send(command, signal) {
      const turn = last.then(() => exchange(command, signal));
      last = turn.catch(() => undefined);
      return turn;
    },
    close: () => file.close(),
  };
}

import { CodecError } from "../../../shared/bytes/index.ts";
import type { Kexec, KexecOutcome, KexecTarget } from "../../../shared/ports/index.ts";
import { parseBzImage } from "../../dlme/index.ts";

/** The kexec of a computer in memory: it takes what Linux on x86 takes, and tells `onJump` what was started. */
export function createMemoryKexec(onJump: (target: KexecTarget) => Promise<void>): Kexec {
  let loaded: KexecTarget | undefined;
  const refuse = (detail: string): KexecOutcome => ({ ok: false, reason: "refused", detail });
  return {
    check: async () => ({ ok: true }),
    async load(target) {
      const problem = problemOf(target);
      if (problem !== undefined) return refuse(`kexec did not load the kernel: ${problem}`);
      loaded = target;
      return { ok: true };
    },
    async unload() {
      loaded = undefined;
      return { ok: true };
    },
    async jump() {
      if (loaded === undefined) return refuse("kexec did not start the loaded kernel: nothing has been loaded");
      const target = loaded;
      loaded = undefined;
      await onJump(target);
      return { ok: true };
    },
  };
}

function problemOf({ kernel, commandLine }: KexecTarget): string | undefined {
  try {
    const { header } = parseBzImage(kernel);
    const size = new TextEncoder().encode(commandLine).byteLength;
    return size > header.cmdline_size ? `${size} bytes of command line, it takes ${header.cmdline_size}` : undefined;
  } catch (error) {
    if (error instanceof CodecError) return error.message;
    throw error;
  }
}

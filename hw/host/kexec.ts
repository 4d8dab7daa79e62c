import { accessSync, closeSync, constants, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Kexec, KexecOutcome, KexecTarget } from "../../shared/ports/index.ts";
import { describeEnd, runCaptured } from "./command.ts";

/** The program of kexec-tools; `-s` is kexec_file_load, where the running kernel reads and checks the files itself. */
const PROGRAM = "kexec";
const ONLY_OWNER = 0o600;

const ABSENT: KexecOutcome = {
  ok: false,
  reason: "absent",
  detail: "there is no kexec program on PATH; it comes with the package kexec-tools",
};

/** kexec by the program of that name. `folder` is where the private copies of the boot files are made, for the length of a load. */
export function createKexec({ folder = tmpdir() } = {}): Kexec {
  return {
    async check() {
      return isOnPath() ? { ok: true } : ABSENT;
    },
    load: (target) => withCopies(folder, target, (args) => run("load the kernel", ["-s", "-l", ...args])),
    unload: () => run("forget the loaded kernel", ["-s", "-u"]),
    jump: () => run("start the loaded kernel", ["-e"]),
  };
}

function isOnPath(): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((place) => {
    try {
      accessSync(join(place, PROGRAM), constants.X_OK);
      return true;
    } catch {
      return false; // not in this folder
    }
  });
}

async function run(what: string, args: readonly string[]): Promise<KexecOutcome> {
  const { end, errors } = await runCaptured(PROGRAM, args);
  if (end.kind === "exit" && end.code === 0) return { ok: true };
  if (end.kind === "not-started" && end.code === "ENOENT") return ABSENT;
  const said = errors.trim().split("\n").at(-1) ?? "";
  if (process.geteuid?.() !== 0 && /not permitted|denied|root/i.test(errors)) {
    return { ok: false, reason: "rights", detail: `only root may ${what}` };
  }
  const detail = `kexec did not ${what}: it ${describeEnd(end)}${said === "" ? "" : ` (${said})`}`;
  return { ok: false, reason: "refused", detail };
}

/**
 * The program wants names of files. Whoever changes the files that were measured must not change what is loaded: it gets copies of the
 * measured bytes, which nobody but this user can reach.
 */
async function withCopies(
  parent: string,
  { kernel, initrd, commandLine }: KexecTarget,
  use: (args: readonly string[]) => Promise<KexecOutcome>,
): Promise<KexecOutcome> {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(parent, "fobnail-kexec-")); // mode 0700
    const args = [copied(folder, "kernel", kernel), `--command-line=${commandLine}`];
    if (initrd !== undefined) args.push(`--initrd=${copied(folder, "initrd", initrd)}`);
    return await use(args);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    return { ok: false, reason: "refused", detail: `the boot files cannot be copied to ${parent}: ${error.code}` };
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function copied(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  const fd = openSync(path, "wx", ONLY_OWNER);
  try {
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd); // the kernel reads the file, and a full disk says so here
  } finally {
    closeSync(fd);
  }
  return path;
}

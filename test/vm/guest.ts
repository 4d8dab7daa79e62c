/** A running virtual machine that does what it is told through a serial port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Kernel } from "../../attester/cli/os/kernel.ts";

export type Accelerator = "kvm" | "tcg";

const INITRD_ADDRESS = 0x1000_0000;
const PAGE_BYTES = 4_096;
const MEMORY_MB = 640;
/** Measured under TCG: 2.6 s on an idle machine, 25 s on one with ten times the work that it can do. */
const BOOT_WITHIN_MS = 60_000;
const COMMAND_WITHIN_MS = 15_000;
const CONSOLE_TAIL = 30;

export interface GuestOptions {
  readonly kernel: Kernel;
  readonly initramfs: string;
  /** For the console's log. */
  readonly folder: string;
  readonly name: string;
  readonly accelerator: Accelerator;
  /** More of QEMU's arguments. */
  readonly devices: readonly string[];
  readonly bootWithinMs?: number;
}

export interface CommandResult {
  readonly code: number;
  readonly text: string;
}

export class GuestError extends Error {
  override readonly name = "GuestError";
}

export class Guest {
  readonly #child: ChildProcess;
  readonly #console: string;
  readonly #waiting = new Map<string, (rest: string) => void>();
  readonly #ended: Promise<unknown>;
  #alive = true;
  #number = 0;
  #said = "";

  constructor(options: GuestOptions) {
    this.#console = join(options.folder, `${options.name}.console`);
    this.#child = spawn("qemu-system-x86_64", qemuArguments(options, this.#console), {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const killAtEnd = () => this.#child.kill("SIGKILL");
    process.once("exit", killAtEnd);
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-4096);
    });
    this.#child.stdin?.on("error", () => undefined); // it ended before it read everything
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#hear(line));
    this.#ended = once(this.#child, "close").then(() => {
      process.off("exit", killAtEnd);
      this.#alive = false;
      for (const wake of [...this.#waiting.values()]) wake("");
    });
  }

  /** Resolves when the guest is up. */
  async ready(withinMs = BOOT_WITHIN_MS): Promise<void> {
    await this.#answer("ready", withinMs, "the guest's start");
  }

  /** Runs a script for the shell there; resolves whatever its exit code is. */
  async run(script: string, withinMs = COMMAND_WITHIN_MS): Promise<CommandResult> {
    this.#number += 1;
    const number = String(this.#number);
    const answer = this.#answer(number, withinMs, script);
    this.#child.stdin?.write(`${number} ${Buffer.from(script).toString("base64")}\n`);
    const [code = "", text = ""] = (await answer).split(" ");
    return { code: Number(code), text: Buffer.from(text, "base64").toString().trimEnd() };
  }

  /** The same, and an error with what it said when it does not end well. */
  async must(script: string, withinMs?: number): Promise<string> {
    const { code, text } = await this.run(script, withinMs);
    if (code !== 0) throw new GuestError(`exit code ${code} in the guest: ${script}\n${text}`);
    return text;
  }

  async stop(): Promise<void> {
    if (this.#alive) this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** The last lines of its console, for messages. */
  consoleTail(): string {
    const text = existsSync(this.#console) ? readFileSync(this.#console, "utf8") : "";
    return [...text.split("\n").slice(-CONSOLE_TAIL), this.#said].join("\n").trim();
  }

  #hear(line: string): void {
    const [, key = "", rest = ""] = /@@ (\S+) ?(.*)$/.exec(line.trimEnd()) ?? [];
    this.#waiting.get(key)?.(rest);
  }

  #answer(key: string, withinMs: number, what: string): Promise<string> {
    if (!this.#alive) return Promise.reject(new GuestError(`the virtual machine is not running: ${this.#said}`));
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(key);
        act();
      };
      const timer = setTimeout(() => {
        settle(() => reject(new GuestError(`${withinMs} ms were not enough: ${what}\n${this.consoleTail()}`)));
      }, withinMs);
      this.#waiting.set(key, (rest) => {
        settle(() => {
          if (this.#alive) resolve(rest);
          else reject(new GuestError(`the virtual machine ended: ${what}\n${this.consoleTail()}`));
        });
      });
    });
  }
}

function qemuArguments({ kernel, initramfs, accelerator, devices }: GuestOptions, log: string): readonly string[] {
  const size = statSync(initramfs).size;
  // PVH with a TPM and -initrd: the initrd would lie where the ACPI tables are. Where it lies now the kernel would use the memory
  // before it has read it, and free it afterwards; what is reserved it copies first.
  const pvh = kernel.vmlinux !== undefined;
  const at = `0x${INITRD_ADDRESS.toString(16)}`;
  const initrd = pvh ? ["-device", `loader,file=${initramfs},addr=${at},force-raw=on`] : ["-initrd", initramfs];
  const reserved = Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
  const where = pvh ? ` initrdmem=${at},${size} memmap=${reserved}$${at}` : "";
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "pc", "-smp", "1"],
    ...["-accel", accelerator, "-cpu", accelerator === "kvm" ? "host" : "max", "-m", String(MEMORY_MB)],
    ...[
      "-kernel",
      kernel.vmlinux ?? kernel.bzImage,
      ...initrd,
      "-append",
      `console=ttyS0 panic=-1 no_timer_check${where}`,
    ],
    ...["-serial", `file:${log}`, "-chardev", "stdio,id=agent,signal=off", "-serial", "chardev:agent"],
    ...["-virtfs", "local,path=/,mount_tag=host0,security_model=none,readonly=on,multidevs=remap"],
    ...devices,
  ];
}

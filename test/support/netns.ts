/** A network of its own for programs that make interfaces: nothing of this machine's is touched. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { needs } from "./programs.ts";

const HOLD_S = "600";

export class NetworkNamespace {
  readonly #holder: ChildProcess;
  readonly #killAtEnd: () => void;

  constructor() {
    this.#holder = spawn("unshare", ["--net", "sleep", HOLD_S], { stdio: "ignore" });
    this.#killAtEnd = () => void this.#holder.kill("SIGKILL");
    process.once("exit", this.#killAtEnd);
    while (!this.#isOwn()) spawnSync("sleep", ["0.02"]); // unshare first becomes what it starts
    this.run("ip", "link", "set", "lo", "up");
  }

  /** In front of a command that is to run there. */
  get under(): readonly string[] {
    return ["nsenter", "--net", "--target", `${this.#holder.pid ?? 0}`];
  }

  /** What a command there says; throws when it fails. */
  run(...command: readonly string[]): string {
    const [nsenter = "", ...args] = [...this.under, ...command];
    return execFileSync(nsenter, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  close(): void {
    process.off("exit", this.#killAtEnd);
    this.#holder.kill("SIGKILL");
  }

  #isOwn(): boolean {
    const name = (pid: number | string) => spawnSync("readlink", [`/proc/${pid}/ns/net`], { encoding: "utf8" }).stdout;
    return name(this.#holder.pid ?? 0) !== name("self");
  }
}

/** Skips the suite, with the reason, where this user may not make network namespaces and TAP interfaces; with CI set it fails. */
export function needsOwnNetwork(context: Mocha.Context): void {
  needs(context, "unshare", "nsenter", "ip", "sleep");
  const problem = whyNot();
  if (problem === undefined) return;
  if (process.env["CI"]) throw new Error(problem);
  console.log(`      ${problem}`);
  context.skip();
}

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may make a network of its own";
  if (spawnSync("unshare", ["--net", "true"]).status !== 0) return "this container may not make a network of its own";
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return "there is no /dev/net/tun that may be opened";
  }
}

/** Runs fobnail-attester as people do, in processes of its own, against a token of this process. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTpmClient } from "../../../attester/tpm/index.ts";
import { realClock } from "../../../hw/clock/real.ts";
import { openUdpPort } from "../../../hw/net/udp.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { manufactureTpm } from "../../../hw/tpm/manufacture.ts";
import { openTpm } from "../../../hw/tpm/open.ts";
import { createEndpoint } from "../../../shared/coap/index.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { commandLine } from "../../support/process.ts";
import { askOver } from "../../support/v1-asks.ts";
import { openUdpToken, type UdpToken } from "../../support/v1-udp-token.ts";
import { V1Walk } from "../../support/v1-walk.ts";

const env = { random: systemRandom, clock: realClock };
const TODAY = Date.UTC(2026, 10, 21);

export interface Ended {
  readonly code: number | NodeJS.Signals;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Standard output and standard error so far. */
  output(): string;
  until(pattern: RegExp): Promise<void>;
  readonly ended: Promise<Ended>;
}

const WAIT_MS = 20_000;

export class AttesterPrograms {
  readonly folder = mkdtempSync(join(tmpdir(), "fobnail-attester-v1-"));
  readonly owner = new FakeOwner();
  readonly #running = new Set<ChildProcess>();

  file(name: string): string {
    return join(this.folder, name);
  }

  /** A TPM with certificates, and what a token must trust for it. */
  async manufacture(name: string): Promise<{ readonly spec: string; readonly root: Certificate }> {
    const spec = `emulator:${this.file(name)}`;
    const tpm = await openTpm(spec, env);
    const client = createTpmClient(tpm.transport, { ...env, log: { write: () => undefined } });
    await client.startUp({ platform: tpm.platform, own: true });
    const made = await client.turn((runner) => manufactureTpm(runner, { random: systemRandom, today: TODAY }));
    assert.ok(made.ok);
    await client.shutDown();
    await tpm.close();
    return { spec, root: made.root };
  }

  /** With an owner unless told otherwise. */
  async token(profile: "strict" | "compat", ekRoot: Certificate, { owned = true } = {}): Promise<UdpToken> {
    const token = await openUdpToken({ profile, ownerRoot: this.owner.root.certificate, ekRoots: [ekRoot] });
    if (owned) {
      const port = await openUdpPort("127.0.0.1", 0);
      const endpoint = createEndpoint({ port, ...env });
      await new V1Walk(askOver(endpoint, token.peer), this.owner, new FakeAttester()).provisionToken();
      endpoint.close();
      await port.close();
    }
    return token;
  }

  /** `input` is all of standard input; without it standard input stays open and empty. */
  start(
    args: readonly string[],
    input?: string | Uint8Array,
    env: NodeJS.ProcessEnv = {},
    under: readonly string[] = [],
  ): Running {
    const [command = "", ...rest] = commandLine(args, { program: "attester/cli/main", under });
    const child = spawn(command, rest, { cwd: this.folder, stdio: "pipe", env: { ...process.env, ...env } });
    this.#running.add(child);
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    const heard = new Set<() => void>();
    for (const [stream, parts] of [
      [child.stdout, stdout],
      [child.stderr, stderr],
    ] as const) {
      stream.on("data", (part: Buffer) => {
        parts.push(part);
        for (const listener of heard) listener();
      });
    }
    child.stdin.on("error", () => undefined); // it ended before it read everything
    if (input !== undefined) child.stdin.end(input);
    const output = () => Buffer.concat([...stdout, ...stderr]).toString();
    const ended = once(child, "close").then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
      this.#running.delete(child);
      return {
        code: code ?? signal ?? "SIGKILL",
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
      };
    });
    const until = (pattern: RegExp) =>
      new Promise<void>((resolve, reject) => {
        const fail = (why: string) => finish(() => reject(new Error(`${why} without ${pattern}: ${output()}`)));
        const timer = setTimeout(() => fail(`${WAIT_MS} ms went by`), WAIT_MS);
        const look = () => {
          if (pattern.test(output())) finish(resolve);
        };
        const finish = (settle: () => void) => {
          clearTimeout(timer);
          heard.delete(look);
          settle();
        };
        heard.add(look);
        void ended.then(() => fail("it ended"));
        look();
      });
    return { child, output, until, ended };
  }

  run(args: readonly string[], input: string | Uint8Array = "", env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(args, input, env).ended;
  }

  close(): void {
    for (const child of this.#running) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

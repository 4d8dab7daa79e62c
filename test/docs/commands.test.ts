import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openUdpPort } from "../../hw/net/udp.ts";

/** Every shell command that README.md and docs/ show is run here as it stands, but for port numbers, which are free ones. */

const WAIT_MS = 30_000;
const FRONT_DOOR = resolve("fobnail.ts");
const TSX = import.meta.resolve("tsx");
/** What .ci/run takes from the README and runs on a clean clone. */
const QUICK_START = ["npm ci && npx fobnail demo", "npm ci && npm test"];

const documents = [
  "README.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

function commandsOf(document: string): string[] {
  const blocks = readFileSync(document, "utf8").matchAll(/^```sh\n([\s\S]*?)^```/gm);
  return [...blocks].flatMap((block) => (block[1] ?? "").split("\n").filter((line) => line !== ""));
}

interface Started {
  readonly child: ChildProcess;
  readonly text: () => string;
}

function start(args: readonly string[], cwd: string): Started {
  const child = spawn(process.execPath, ["--import", TSX, FRONT_DOOR, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  return { child, text: () => text };
}

async function seen(started: Started, pattern: RegExp): Promise<RegExpMatchArray> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const match = started.text().match(pattern);
    if (match !== null) return match;
    const over = performance.now() > deadline || started.child.exitCode !== null;
    if (over) throw new Error(`${pattern} was not printed: ${started.text()}`);
    await new Promise((tick) => setTimeout(tick, 20));
  }
}

async function freePort(): Promise<string> {
  const port = await openUdpPort("127.0.0.1", 0);
  await port.close();
  return String(port.local.port);
}

async function finish({ child, text }: Started, signal?: NodeJS.Signals): Promise<void> {
  if (child.exitCode === null) {
    if (signal !== undefined) child.kill(signal);
    await once(child, "close");
  }
  assert.equal(child.exitCode, 0, text());
}

/** What those print that run until they are told to stop, when they are ready for the next command. */
const READY: readonly (readonly [RegExp, RegExp])[] = [
  [/^attester serve/, /Entering main loop/],
  [/^owner serve/, /serves API v0/],
  [/^token/, /Device id ([0-9A-F]+)/],
];

describe("documented commands", function () {
  this.timeout(180_000);
  let folder: string;
  const running: Started[] = [];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-docs-"));
    cpSync("test/scenarios", join(folder, "test/scenarios"), { recursive: true });
  });

  after(() => {
    for (const { child } of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  it("the README begins with the two commands that CI follows", () => {
    assert.deepEqual(commandsOf("README.md").slice(0, 2), QUICK_START);
    assert.match(readFileSync(".ci/run", "utf8"), /README\.md/);
  });

  for (const document of documents.filter((name) => commandsOf(name).length > 0)) {
    it(document, async () => {
      const ports = [await freePort(), await freePort()] as const;
      let deviceId = "";
      for (const command of commandsOf(document).filter((line) => !QUICK_START.includes(line))) {
        assert.match(command, /^npx fobnail /, `${document}: only the project's own commands can be run here`);
        const asked = command.slice("npx fobnail ".length).replace("DEVICE_ID", deviceId);
        deviceId = (await run(asked, ports)) ?? deviceId;
      }
      const token = running.find(({ text }) => text().includes("Device id"));
      if (token !== undefined) await seen(token, /lamps green: PC Engines apu2 1373268 booted as recorded/);
      for (const started of running.splice(0)) await finish(started, "SIGINT");
    });
  }

  /** Runs a command to its end, or a server until it is ready; the device id that a token prints. */
  async function run(asked: string, [attester, owner]: readonly [string, string]): Promise<string | undefined> {
    const args = asked
      .replace(/\b5683\b/g, attester)
      .replace(/\b5685\b/g, owner)
      .split(" ");
    if (/^attester serve/.test(asked)) args.push("--port", attester);
    if (/^token/.test(asked)) args.push("--state", "token-state");
    const started = start(expand(args), folder);
    running.push(started);
    const [, ready] = READY.find(([which]) => which.test(asked)) ?? [];
    if (ready === undefined) return finish(started).then(() => undefined);
    return (await seen(started, ready))[1];
  }

  /** What a shell does with the one pattern that the documents use. */
  function expand(args: readonly string[]): readonly string[] {
    return args.flatMap((arg) => {
      if (!arg.endsWith("/*.yaml")) return [arg];
      const below = arg.slice(0, -"*.yaml".length);
      return readdirSync(join(folder, below))
        .filter((name) => name.endsWith(".yaml"))
        .map((name) => below + name);
    });
  }
});

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { openUdpPort } from "../../hw/net/udp.ts";
import { needs } from "../support/programs.ts";

/** Every shell command that README.md and docs/ show is run here as it stands, but for port numbers, which are free ones. */

const WAIT_MS = 30_000;
const FRONT_DOOR = resolve("fobnail.ts");
const TSX = import.meta.resolve("tsx");
/** What .ci/run takes from the README and runs on a clean clone. */
const QUICK_START = ["npm ci && npx fobnail demo", "npm ci && npm test"];
/** Commands of others that documents may use. Those of the system come with it. */
const PROGRAMS = ["cryptsetup"];
const SYSTEM_PROGRAMS = ["head", "truncate", "shred"];

/** What must have been done before the commands of a document. */
const BEFORE: Readonly<Record<string, string>> = {
  [join("docs", "disk-encryption.md")]: "README.md",
  [join("docs", "gate.md")]: "README.md",
  [join("docs", "owner.md")]: "README.md",
};

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

/** The first word of each command of a pipe, without those of this package and of every system. */
function programsIn(command: string): string[] {
  const first = command.split("|").map((part) => part.trim().split(" ").slice(0, 2).join(" "));
  const others = first.filter((words) => words !== "npx fobnail").map((words) => words.split(" ")[0] ?? "");
  return others.filter((program) => !SYSTEM_PROGRAMS.includes(program));
}

interface Started {
  readonly child: ChildProcess;
  readonly text: () => string;
}

function start(command: string, cwd: string, env: NodeJS.ProcessEnv): Started {
  // A server gets its signal itself; a pipe is bash's matter.
  const script = command.includes("|") ? `set -o pipefail; ${command}` : `exec ${command}`;
  const child = spawn("bash", ["-c", script], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
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

async function freeTcpPort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  assert.ok(address !== null && typeof address === "object");
  return String(address.port);
}

async function finish({ child, text }: Started, command: string, signal?: NodeJS.Signals): Promise<void> {
  if (child.exitCode === null) {
    if (signal !== undefined) child.kill(signal);
    await once(child, "close");
  }
  assert.equal(child.exitCode, 0, `${command}: ${text()}`);
}

/** What those print that run until they are told to stop, when they are ready for the next command. */
const READY: readonly (readonly [RegExp, RegExp])[] = [
  [/^npx fobnail attester serve/, /Entering main loop/],
  [/^npx fobnail owner serve/, /serves API v0/],
  [/^npx fobnail token --/, /Device id ([0-9A-F]+)/],
];

describe("documented commands", function () {
  this.timeout(180_000);
  let folder: string;
  let env: NodeJS.ProcessEnv;
  const running: Started[] = [];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-docs-"));
    const bin = join(folder, "bin");
    mkdirSync(bin);
    // `npx fobnail` as from an installed package
    const npx = `#!/bin/bash\n[ "$1" = fobnail ] && shift && exec '${process.execPath}' --import '${TSX}' '${FRONT_DOOR}' "$@"\n`;
    writeFileSync(join(bin, "npx"), npx);
    chmodSync(join(bin, "npx"), 0o755);
    env = { ...process.env, PATH: [bin, process.env["PATH"]].join(delimiter) };
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
    it(document, async function () {
      const commands = [BEFORE[document] ?? [], document].flat().flatMap(commandsOf);
      const programs = commands.filter((line) => !QUICK_START.includes(line)).flatMap(programsIn);
      assert.deepEqual(
        programs.filter((program) => !PROGRAMS.includes(program)),
        [],
        "only known commands can be run here",
      );
      needs(this, ...new Set(programs));
      const cwd = join(folder, document);
      cpSync("test/scenarios", join(cwd, "test/scenarios"), { recursive: true });
      const ports = [await freePort(), await freePort(), await freeTcpPort()] as const;
      let deviceId = "";
      for (const command of commands.filter((line) => !QUICK_START.includes(line))) {
        deviceId = (await run(command.replace("DEVICE_ID", deviceId), cwd, ports)) ?? deviceId;
      }
      const token = running.find(({ text }) => text().includes("Device id"));
      if (token !== undefined) await seen(token, /PC Engines apu2 1373268/);
      for (const started of running.splice(0)) await finish(started, "at the end", "SIGINT");
    });
  }

  /** Runs a command to its end, or a server until it is ready; the device id that a token prints. */
  async function run(asked: string, cwd: string, [service, owner, usbip]: readonly [string, string, string]) {
    let command = asked
      .replace(/\b5683\b/g, service)
      .replace(/\b5685\b/g, owner)
      .replace(/\b3240\b/g, usbip);
    if (/^npx fobnail attester serve/.test(asked)) command += ` --port ${service}`;
    if (/^npx fobnail token --/.test(asked)) command += " --state token-state";
    if (/^npx fobnail token --(?!api v0|usbip)/.test(asked)) command += ` --port ${service}`;
    const started = start(command, cwd, env);
    running.push(started);
    const [, ready] = READY.find(([which]) => which.test(asked)) ?? [];
    if (ready !== undefined) return (await seen(started, ready))[1];
    await finish(started, command);
    running.splice(running.indexOf(started), 1);
    return undefined;
  }
});

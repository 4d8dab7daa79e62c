import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../../attester/cli/exit.ts";
import { tpmCommand } from "../../../attester/cli/tpm/command.ts";
import { openStateDirectory } from "../../../hw/tpm/emulator/index.ts";
import { encodeResponse, TpmRc } from "../../../shared/tpm/index.ts";
import { deepFolder } from "../../support/deep-folder.ts";
import { runHere } from "./run-here.ts";

interface Arguments {
  readonly tpm: string;
  readonly out: string;
  readonly force?: boolean;
}

/** The exit code and what was printed. */
async function run({ tpm, out, force = false }: Arguments): Promise<{ code: number; printed: string }> {
  const lines: string[] = [];
  const { log, error } = console;
  console.log = console.error = (line: unknown) => lines.push(String(line));
  try {
    const args = ["manufacture", "--tpm", tpm, "--out", out, ...(force ? ["--force"] : [])];
    return { code: await runProgram(tpmCommand(), args), printed: lines.join("\n") };
  } finally {
    Object.assign(console, { log, error });
  }
}

describe("fobnail tpm manufacture", () => {
  let directory = "";
  const emulator = () => ({ tpm: `emulator:${join(directory, "state")}`, out: join(directory, "out") });

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "fobnail-cli-"));
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  it("0: done", async () => {
    const { code, printed } = await run(emulator());
    assert.equal(code, 0, printed);
    assert.match(printed, /EK certificates installed/);
    assert.deepEqual(readdirSync(join(directory, "out")).sort(), ["vendor-intermediate.pem", "vendor-root.pem"]);
  });

  it("2: a folder that cannot be made, before the TPM gets certificates whose root nobody would have", async () => {
    const taken = join(directory, "taken");
    writeFileSync(taken, "");
    const tpm = `emulator:${join(directory, "other")}`;
    const { code, printed } = await run({ tpm, out: join(taken, "out") });
    assert.equal(code, 2, printed);
    assert.match(printed, /^error: .*taken.out cannot be made: ENOTDIR/);
    assert.equal((await run({ tpm, out: join(directory, "other-out") })).code, 0);
  });

  it("1: files of another TPM are there, before this one gets certificates; --force replaces them", async () => {
    const out = join(directory, "out");
    const tpm = `emulator:${join(directory, "third")}`;
    for (const name of ["vendor-root.pem", "vendor-intermediate.pem"]) {
      const path = join(out, name);
      const before = readFileSync(path, "utf8");
      const kept = join(directory, "one-only");
      mkdirSync(kept);
      writeFileSync(join(kept, name), before);
      const { code, printed } = await run({ tpm, out: kept });
      assert.equal(code, 1, printed);
      assert.match(printed, new RegExp(`${name} is there already.*--force`));
      assert.deepEqual(readdirSync(kept), [name]);
      assert.equal(readFileSync(join(kept, name), "utf8"), before);
      rmSync(kept, { recursive: true });
    }
    assert.equal((await run({ tpm, out: join(directory, "third-out") })).code, 0, "the TPM had none yet");
    const forced = await run({ tpm, out, force: true });
    assert.equal(forced.code, 0, forced.printed);
  });

  it("2: a folder in a file's place, before the TPM gets certificates", async () => {
    const out = join(directory, "folders");
    const tpm = `emulator:${join(directory, "fourth")}`;
    mkdirSync(join(out, "vendor-root.pem"), { recursive: true });
    const { code, printed } = await run({ tpm, out, force: true });
    assert.equal(code, 2, printed);
    assert.match(printed, /^error: .*vendor-root\.pem is a folder/);
    rmdirSync(join(out, "vendor-root.pem"));
    assert.equal((await run({ tpm, out })).code, 0);
  });

  it("2: files that cannot be written when the TPM has its certificates, and what to do about it", async () => {
    const out = deepFolder(directory, "vendor-intermediate.pem".length);
    const { code, printed } = await run({ tpm: `emulator:${join(directory, "fifth")}`, out });
    assert.equal(code, 2, printed);
    assert.match(printed, /^error: .*vendor-root\.pem cannot be written: .*--force/);
  });

  it("1: a TPM that refuses a command, which is no bug", async () => {
    const path = join(directory, "refusing.sock");
    const refusal = encodeResponse(
      { responseCode: TpmRc.FAILURE, handles: [], parameters: new Uint8Array(), sessions: [] },
      false,
    );
    const server = createServer((socket) => socket.on("data", () => socket.write(refusal)));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const { code, printed } = await run({ tpm: `swtpm:${path}`, out: join(directory, "refused-out") });
      assert.equal(code, 1, printed);
      assert.match(printed, /^error: the TPM refuses /);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("3: a damaged state, which is named", async () => {
    const state = join(directory, "damaged");
    mkdirSync(state);
    writeFileSync(join(state, "tpm-state"), "garbage");
    const { code, printed } = await run({ tpm: `emulator:${state}`, out: directory });
    assert.equal(code, 3, printed);
    assert.match(printed, /damaged.tpm-state is damaged/);
  });

  it("1: refused, and --force", async () => {
    const { code, printed } = await run({ ...emulator(), out: join(directory, "again") });
    assert.equal(code, 1);
    assert.match(printed, /already.*--force/);
    assert.equal((await run({ ...emulator(), force: true })).code, 0);
  });

  it("2: usage", async () => {
    for (const tpm of ["nonsense", "emulator", "device", "emulator:"]) {
      const { code, printed } = await run({ tpm, out: directory });
      assert.equal(code, 2, printed);
      assert.notEqual(printed, "");
    }
  });

  it("3: not reached, or in use", async () => {
    assert.equal((await run({ tpm: `swtpm:${join(directory, "nobody.sock")}`, out: directory })).code, 3);
    const store = openStateDirectory(join(directory, "state"));
    const { code, printed } = await run({ ...emulator(), out: directory });
    store.close();
    assert.equal(code, 3);
    assert.match(printed, /in use by process/);
  });

  it("2: serve takes either a UNIX socket or port and address", async () => {
    for (const [option, value] of [
      ["--port", "2321"],
      ["--bind", "0.0.0.0"],
    ] as const) {
      const state = join(directory, "served");
      const args = ["serve", "--state", state, "--unix", join(state, "s"), option, value];
      const { code, output } = await runHere(args, tpmCommand());
      assert.equal(code, 2, output);
      assert.match(output, new RegExp(`option '--unix <path>' cannot be used with option '${option} `));
    }
  });

  it("is a command of the front door", () => {
    const command = tpmCommand();
    assert.equal(command.name(), "fobnail tpm");
    assert.deepEqual(
      command.commands.map((one) => one.name()),
      ["manufacture", "serve", "status", "pcr", "reset", "eventlog"],
    );
  });
});

describe("fobnail tpm with an emulator whose files cannot be written", () => {
  let state = "";
  const tpm = (folder: string) => runHere(["status", "--tpm", `emulator:${folder}`], tpmCommand());

  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), "fobnail-cli-"));
  });
  afterEach(() => rmSync(state, { recursive: true, force: true }));

  for (const [when, prepare] of [
    ["a new one", async () => undefined],
    ["one that was used", () => tpm(state)],
  ] as const) {
    it(`3: status of ${when} says which file cannot be written, and why`, async () => {
      await prepare();
      const deep = deepFolder(state, "tpm-volatile".length);
      for (const name of readdirSync(state).filter((file) => file.startsWith("tpm-")))
        copyFileSync(join(state, name), join(deep, name));
      const { code, output } = await tpm(deep);
      assert.match(output, /^error: .*tpm-state cannot be written: ENAMETOOLONG\.$/m);
      assert.equal(code, 3, output);
    });
  }
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTpmClient } from "../../../attester/tpm/index.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { type OpenTpmEnv, openTpm } from "../../../hw/tpm/open.ts";
import { parseTpmSpec, TpmSpecError } from "../../../hw/tpm/spec.ts";
import { commands, encodeCommand, TpmRc, TpmUnreachable } from "../../../shared/tpm/index.ts";
import { needs } from "../../support/programs.ts";
import { seededRandom } from "../../support/random.ts";
import { startSwtpm } from "../../support/swtpm.ts";

const random = seededRandom(1, "open");
const noDevice: OpenTpmEnv = {
  random,
  clock: new VirtualClock(),
  openDevice: () => Promise.reject(Object.assign(new Error("none"), { code: "ENOENT" })),
};
const log = { write: () => undefined };

describe("hw/tpm --tpm", () => {
  it("is read in all its forms", () => {
    assert.deepEqual(parseTpmSpec("emulator"), { kind: "emulator", directory: undefined });
    assert.deepEqual(parseTpmSpec("emulator:/tmp/a:b"), { kind: "emulator", directory: "/tmp/a:b" });
    assert.deepEqual(parseTpmSpec("device"), { kind: "device", path: "/dev/tpmrm0" });
    assert.deepEqual(parseTpmSpec("device:/dev/tpm0"), { kind: "device", path: "/dev/tpm0" });
    const local = (port: number) => ({ host: "localhost", port });
    assert.deepEqual(parseTpmSpec("swtpm:localhost:2321"), { kind: "swtpm", data: local(2321), control: undefined });
    assert.deepEqual(parseTpmSpec("swtpm:localhost:2321,ctrl=2322"), {
      kind: "swtpm",
      data: local(2321),
      control: local(2322),
    });
    assert.deepEqual(parseTpmSpec("swtpm:[::1]:2321"), {
      kind: "swtpm",
      data: { host: "::1", port: 2321 },
      control: undefined,
    });
    assert.deepEqual(parseTpmSpec("swtpm:/run/d.sock,ctrl=/run/c.sock"), {
      kind: "swtpm",
      data: { path: "/run/d.sock" },
      control: { path: "/run/c.sock" },
    });
  });

  it("that names no TPM is a usage error which lists the forms", () => {
    const wrong = [
      ...["", "tpm", "emulator:", "device:", "swtpm", "swtpm:", "swtpm:localhost", "swtpm:localhost:0"],
      ...["swtpm:localhost:70000", "swtpm:localhost:1,ctrl=x", "swtpm:localhost:1,foo=2", "swtpm:h:1,ctrl=2,ctrl=3"],
    ];
    for (const text of wrong) {
      assert.throws(
        () => parseTpmSpec(text),
        (error) => error instanceof TpmSpecError && /swtpm:HOST:PORT/.test(error.message),
        text,
      );
    }
  });

  it("left out is /dev/tpmrm0, and when that does not open an error that names the others, never the emulator", async () => {
    await assert.rejects(
      openTpm(undefined, noDevice),
      (error) => error instanceof TpmUnreachable && /tpmrm0.*emulator\[:DIR\].*swtpm:HOST:PORT/.test(error.message),
    );
    let opened = "";
    const tpm = await openTpm(undefined, {
      ...noDevice,
      openDevice: async (path) => {
        opened = path;
        return {
          write: async (data) => ({ bytesWritten: data.byteLength }),
          read: async () => ({ bytesRead: 0 }),
          close: async () => undefined,
        };
      },
    });
    assert.equal(opened, "/dev/tpmrm0");
    assert.equal(tpm.platform, undefined);
    assert.equal(tpm.own, false);
  });

  it("emulator in memory, without power until somebody gives it", async () => {
    const tpm = await openTpm("emulator", noDevice);
    const client = createTpmClient(tpm.transport, { random, log });
    assert.match(tpm.describe, /emulator in memory/);
    await client.startUp({ platform: tpm.platform, own: tpm.own });
    assert.equal((await client.getRandom(8)).byteLength, 8);
    await tpm.close();
  });

  it("emulator in a directory keeps its keys, and a directory in use is TpmUnreachable", async () => {
    const directory = mkdtempSync(join(tmpdir(), "fobnail-emulator-"));
    const once = async () => {
      const tpm = await openTpm(`emulator:${directory}`, noDevice);
      const client = createTpmClient(tpm.transport, { random, log });
      await client.startUp({ platform: tpm.platform, own: tpm.own });
      const { name } = await client.ensureEk("ecc");
      await client.shutDown();
      return { tpm, name };
    };
    const first = await once();
    await assert.rejects(openTpm(`emulator:${directory}`, noDevice), TpmUnreachable);
    await first.tpm.close();
    const second = await once();
    assert.deepEqual(second.name, first.name);
    await second.tpm.close();
    rmSync(directory, { recursive: true });
  });

  it("emulator in a directory that cannot be written any more says why", async () => {
    const directory = mkdtempSync(join(tmpdir(), "fobnail-emulator-"));
    const lines: string[] = [];
    const said = { write: (_level: string, line: string) => lines.push(line) };
    const tpm = await openTpm(`emulator:${directory}`, { ...noDevice, log: said });
    rmSync(join(directory, "tpm-state"), { force: true });
    mkdirSync(join(directory, "tpm-state"));
    const client = createTpmClient(tpm.transport, { random, log });
    await assert.rejects(client.startUp({ platform: tpm.platform, own: tpm.own }), { rc: TpmRc.FAILURE });
    assert.match(lines.join("\n"), /^.*\/tpm-state cannot be written: \w*EISDIR\.$/m);
    mkdirSync(join(directory, "tpm-volatile"));
    await assert.rejects(async () => tpm.platform?.power("cut"), {
      name: "TpmUnreachable",
      message: /tpm-volatile cannot be removed: /,
    });
    await tpm.close();
    rmSync(directory, { recursive: true });
  });

  for (const sockets of ["tcp", "unix"] as const) {
    it(`swtpm over ${sockets}, with its control channel; gone is TpmUnreachable`, async function () {
      needs(this, "swtpm");
      const swtpm = await startSwtpm({ sockets });
      const tpm = await openTpm(swtpm.spec, noDevice);
      const client = createTpmClient(tpm.transport, { random, log });
      await client.startUp({ platform: tpm.platform, own: tpm.own });
      assert.equal((await client.getRandom(8)).byteLength, 8);
      await swtpm.kill();
      await assert.rejects(client.getRandom(8), TpmUnreachable);
      await tpm.close();
      await swtpm.stop();
    });
  }

  it("goes on with a swtpm that was killed and started again, with its keys", async function () {
    needs(this, "swtpm");
    const first = await startSwtpm();
    const tpm = await openTpm(first.spec, noDevice);
    const client = createTpmClient(tpm.transport, { random, log });
    await client.startUp({ platform: tpm.platform, own: tpm.own });
    const { name } = await client.ensureEk("ecc");
    await first.kill();
    await assert.rejects(client.getRandom(8), TpmUnreachable);
    const second = await startSwtpm({ directory: first.directory });
    await client.startUp({ platform: tpm.platform, own: tpm.own });
    assert.deepEqual((await client.ensureEk("ecc")).name, name);
    await tpm.close();
    await second.stop();
    await first.stop();
  });

  it("swtpm without a control channel, started already", async function () {
    needs(this, "swtpm");
    const swtpm = await startSwtpm({ arguments: ["--flags", "not-need-init,startup-clear"] });
    const tpm = await openTpm(swtpm.spec.replace(/,ctrl=.*/, ""), noDevice);
    assert.equal(tpm.platform, undefined);
    const client = createTpmClient(tpm.transport, { random, log });
    await client.startUp({ platform: tpm.platform, own: tpm.own });
    await tpm.close();
    await assert.rejects(tpm.transport.send(new Uint8Array(10)), TpmUnreachable);
    await swtpm.stop();
  });

  it("a TPM without power and nobody to give it stays refused", async function () {
    needs(this, "swtpm");
    const swtpm = await startSwtpm();
    const tpm = await openTpm(swtpm.spec.replace(/,ctrl=.*/, ""), noDevice);
    const client = createTpmClient(tpm.transport, { random, log });
    await assert.rejects(client.startUp({ platform: undefined, own: true }), { rc: TpmRc.FAILURE });
    const raw = encodeCommand({
      commandCode: commands.ReadClock.code,
      handles: [],
      sessions: [],
      parameters: new Uint8Array(0),
    });
    assert.equal((await tpm.transport.send(raw)).byteLength, 10);
    await tpm.close();
    await swtpm.stop();
  });
});

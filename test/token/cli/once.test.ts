import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cast } from "../../e2e/cast.ts";
import type { Process } from "../../support/process.ts";

describe("fobnail token --once", function () {
  this.timeout(40_000);
  const cast = new Cast(mkdtempSync(join(tmpdir(), "fobnail-once-")));
  const tpm = `emulator:${cast.path("tpm")}`;
  const state = cast.path("token");
  const ekRoot = ["--ek-root", cast.path("vendor", "vendor-root.pem")];

  before(async () => {
    await cast.command("tpm", "manufacture", "--tpm", tpm, "--out", cast.path("vendor"));
    await cast.command("owner", "init", cast.path("owner"), "--key", "ecc");
  });

  after(async () => {
    await cast.processes.killAll();
    rmSync(cast.folder, { recursive: true, force: true });
  });

  const once = (attester: string, ...more: readonly string[]) =>
    cast.token({ state, attester, more: ["--once", ...more] }).program;

  const ends = async (token: Process, code: number, told: RegExp) => {
    await token.line(told);
    assert.equal(await token.ended, code, token.said());
  };

  it("0: green, from a new token on", async () => {
    const attester = await cast.attester(tpm);
    const starting = cast.token({ state, attester: "127.0.0.1:9", more: ["--unplugged"] });
    const owner = await cast.owner(await starting.deviceId());
    await starting.quit();
    const at = `127.0.0.1:${attester.port}`;
    const token = once(at, "--owner", `127.0.0.1:${owner.port}`, ...ekRoot);
    await ends(token, 0, /"attested".*"trusted":true/);
    await ends(once(at), 0, /"attested".*"trusted":true/); // roots and platform are in the state
    assert.equal(await attester.program.kill("SIGTERM"), 0);
  });

  it("1: red, when the computer booted something else", async () => {
    const attester = await cast.attester(tpm, []);
    await ends(
      once(`127.0.0.1:${attester.port}`),
      1,
      /"attestation-failed".*"reason":"no-dynamic-launch".*"pcrs":\[[\d,]*17,18\]/,
    );
    assert.equal(await attester.program.kill("SIGTERM"), 0);
  });

  it("3: nobody answers", async () => {
    await ends(once("127.0.0.1:9"), 3, /"attestation-failed".*"reason":"attester-silent"/);
  });

  describe("1: it ends without a verdict", () => {
    const waiting = async () => {
      const args = ["token", "--net", "udp", "--port", "0", "--state", cast.path("waits"), "--once", "--json"];
      const token = cast.processes.start(args);
      await token.line(/"lamps"/);
      return token;
    };
    const NO_VERDICT = /^error: there was no verdict yet$/m;

    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      it(`on ${signal}`, async () => {
        const token = await waiting();
        assert.equal(await token.kill(signal), 1, token.said());
        assert.match(token.said(), NO_VERDICT);
      });
    }

    it("on the key q", async () => {
      const token = await waiting();
      token.type("q");
      assert.equal(await token.ended, 1, token.said());
      assert.match(token.said(), NO_VERDICT);
    });

    it("when nobody reads on", async () => {
      const token = await waiting();
      token.readNoMore();
      token.type("u");
      assert.equal(await token.ended, 1);
    });
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tpmCommand } from "../../../attester/cli/tpm/command.ts";
import { EventType, encodeTcgLog } from "../../../shared/event-log/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { runHere } from "./run-here.ts";

const NONE = new Uint8Array(0);

describe("fobnail tpm eventlog", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-tpm-eventlog-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const put = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const logIn = (hash: number, type: number = EventType.POST_CODE) =>
    encodeTcgLog({
      ...{ format: "crypto-agile", algorithms: [{ hash, digestBytes: 32 }], vendorInfo: NONE },
      events: [{ pcr: 0, type, digests: [{ hash, digest: new Uint8Array(32) }], data: NONE }],
    });
  const eventlog = (...args: readonly string[]) => runHere(["eventlog", "--tpm", "emulator", ...args], tpmCommand());

  it("1: nothing was compared, in banks that the TPM does not have", async () => {
    const log = put("sm3", logIn(TpmAlg.SM3_256));
    for (const more of [[], ["--json"]]) {
      const { code, output } = await eventlog("--firmware-log", log, ...more);
      assert.match(output, /^error: nothing was compared: the TPM has bank sha1, .*, the logs tell of bank sm3-256$/m);
      assert.equal(code, 1, output);
    }
  });

  it("1: nothing was compared, as the logs tell of remarks alone", async () => {
    const log = put("remarks", logIn(TpmAlg.SHA256, EventType.NO_ACTION));
    const { code, output } = await eventlog("--firmware-log", log);
    assert.match(
      output,
      /^error: nothing was compared: .* the logs tell of bank sha256, but of no PCR that can be compared$/m,
    );
    assert.equal(code, 1, output);
  });

  it("2: names the file that is no event log", async () => {
    const [log, garbage] = [put("sha256", logIn(TpmAlg.SHA256)), put("garbage", Uint8Array.of(1, 2, 3))];
    const { code, output } = await eventlog("--firmware-log", log, "--drtm-log", garbage);
    assert.ok(output.includes(`error: ${garbage} is no event log: `), output);
    assert.equal(code, 2, output);
  });
});

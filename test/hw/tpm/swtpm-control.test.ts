import assert from "node:assert/strict";
import { createTpmClient } from "../../../attester/tpm/index.ts";
import { openSwtpm } from "../../../hw/tpm/swtpm.ts";
import { openSwtpmControl, SwtpmControlError } from "../../../hw/tpm/swtpm-control.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { needs } from "../../support/programs.ts";
import { seededRandom } from "../../support/random.ts";
import { type Swtpm, startSwtpm } from "../../support/swtpm.ts";

const env = { random: seededRandom(1, "control"), log: { write: () => undefined } };
const PCR17 = [{ hash: TpmAlg.SHA256, pcrSelect: 1 << 17 }];
const LAUNCHED = "554ca4e63fed0bf69e376ae97db85913d3464755597b319070b1c951cc41bffe";

async function openBoth(swtpm: Swtpm) {
  const transport = await openSwtpm(swtpm.data);
  const control = await openSwtpmControl(swtpm.control);
  const close = async () => {
    await transport.close();
    await control.close();
  };
  return { client: createTpmClient(transport, env), control, close };
}

describe("hw/tpm swtpm control channel", () => {
  before(function () {
    needs(this, "swtpm");
  });

  it("knows localities 0 to 4, and swtpm's refusals", async () => {
    const swtpm = await startSwtpm();
    const { control, close } = await openBoth(swtpm);
    await assert.rejects(control.setLocality(5), RangeError);
    await assert.rejects(control.hashSequence(Uint8Array.of(1)), SwtpmControlError); // no power yet
    await control.power("on");
    for (const locality of [0, 1, 2, 3, 4]) await control.setLocality(locality);
    await close();
    await swtpm.stop();
  });

  it("an empty measurement is a launch too", async () => {
    const swtpm = await startSwtpm();
    const { client, control, close } = await openBoth(swtpm);
    await client.startUp({ platform: control, own: true });
    await control.hashSequence(new Uint8Array(0));
    const [bank] = await client.readPcrs(PCR17);
    assert.notEqual(toHex(bank?.values[0] ?? new Uint8Array(0)), "ff".repeat(32));
    await close();
    await swtpm.stop();
  });

  it("a launch made in one process goes on in the next by the stored volatile state, and not after a power cut", async () => {
    const first = await startSwtpm();
    const before = await openBoth(first);
    await before.client.startUp({ platform: before.control, own: true });
    await before.control.hashSequence(new Uint8Array(10_000).fill(0x5a));
    await before.control.storeVolatile();
    await before.control.shutdown();
    await before.close();
    await first.kill();

    const second = await startSwtpm({ directory: first.directory });
    const after = await openBoth(second);
    await after.control.power("on");
    const [bank] = await after.client.readPcrs(PCR17);
    assert.equal(toHex(bank?.values[0] ?? new Uint8Array(0)), LAUNCHED);
    await after.control.power("cut");
    await after.client.startUp({ platform: after.control, own: true });
    const [none] = await after.client.readPcrs(PCR17);
    assert.equal(toHex(none?.values[0] ?? new Uint8Array(0)), "ff".repeat(32));
    await after.close();
    await second.stop();
    await first.stop();
  });
});

import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { seededRandom } from "../support/random.ts";
import { measuredOnce } from "./as-json.ts";
import { directToken, enrolled, recorderOf } from "./prepared.ts";
import { playDirectly } from "./replay.ts";

describe("bench attest", () => {
  it("attests alone, over UDP, and with a TPM", async function () {
    this.timeout(60_000);
    const results = await measuredOnce("attest");
    const ways = results.flatMap(({ way }) => (typeof way === "string" ? [way] : []));
    assert.deepEqual(ways, [
      "token alone, in memory",
      "token and client over UDP",
      "sign and verify, twice each",
      "attester, TPM emulator and token",
    ]);
    const figures = results.filter(({ figure }) => figure !== undefined);
    assert.equal(figures.length, 3);
    for (const { value } of figures) assert.ok(Number(value) > 0);
  });

  it("what was recorded is right for a token of the same flash and randomness, and for no other", async () => {
    const { computer, image } = enrolled();
    const token = (seed: number) =>
      directToken({
        flash: createRamFlash(STICK_GEOMETRY, image),
        random: seededRandom(seed),
        clock: new VirtualClock(),
      });
    const record = recorderOf(computer, token(1), 2);
    const exchanges = [...record(2), ...record(1)];
    assert.equal(exchanges.length, 9);
    assert.equal(new Set(exchanges.map(({ from }) => from.port)).size, 2);
    await playDirectly(token(1)).play(exchanges);
    await assert.rejects(playDirectly(token(2)).play(exchanges), /otherwise/);
  });
});

import assert from "node:assert/strict";
import { createTurns, TpmBusyError } from "../../../attester/tpm/index.ts";

describe("turns at the TPM", () => {
  it("run one after the other, in order, whether they fail or not", async () => {
    const inTurn = createTurns();
    const log: string[] = [];
    const operation = (name: string, fails: boolean) => async () => {
      log.push(`${name} begins`);
      await Promise.resolve();
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
    const results = await Promise.allSettled([
      inTurn(operation("a", false)),
      inTurn(operation("b", true)),
      inTurn(operation("c", false)),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.deepEqual(log, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  });

  it("64 may wait; the next is told so at once", async () => {
    const inTurn = createTurns();
    let open: () => void = () => assert.fail("not yet");
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const waiting = Array.from({ length: 64 }, () => inTurn(() => gate));
    await assert.rejects(
      inTurn(() => gate),
      TpmBusyError,
    );
    open();
    await Promise.all(waiting);
    await inTurn(() => Promise.resolve());
  });
});

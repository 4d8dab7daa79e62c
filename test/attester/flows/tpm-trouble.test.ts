import assert from "node:assert/strict";
import { withTpm } from "../../../attester/flows/tpm-trouble.ts";
import { CodecError } from "../../../shared/bytes/index.ts";
import { TpmUnreachable } from "../../../shared/tpm/index.ts";

describe("trouble with the TPM", () => {
  it("is logged with a sentence, not as a bug that has a stack; a bug goes on as it is", async () => {
    const told: unknown[] = [];
    const log = { write: (...line: readonly unknown[]) => void told.push(line) };
    await withTpm(log, () => Promise.reject(new TpmUnreachable("no such device")));
    assert.deepEqual(told, [["error", "no such device", { error: "no such device" }]]);
    await withTpm(log, () => Promise.reject(new CodecError("short", "", 0)));
    assert.equal(typeof Object(told[1])[2].error, "string");
    const bug = new TypeError("no function");
    await assert.rejects(
      withTpm(log, () => Promise.reject(bug)),
      bug,
    );
    assert.equal(told.length, 2);
  });
});

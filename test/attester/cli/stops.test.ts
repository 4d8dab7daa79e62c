import assert from "node:assert/strict";
import { Exit, Stop } from "../../../attester/cli/exit.ts";
import { stopFor } from "../../../attester/cli/stops.ts";
import { NvTooLargeError, PcrsChangingError, TpmBusyError } from "../../../attester/tpm/index.ts";
import { SwtpmControlError } from "../../../hw/tpm/swtpm-control.ts";

describe("what goes wrong with a TPM", () => {
  for (const error of [
    new SwtpmControlError("SET_LOCALITY", 3),
    new NvTooLargeError("NV index 0x1c00002 has 65535 bytes"),
    new PcrsChangingError("the PCRs changed while they were read, 5 times"),
    new TpmBusyError("64 operations wait for the TPM already"),
  ]) {
    it(`is no bug of the program: ${error.name}`, () => {
      const stop = stopFor(error);
      assert.ok(stop instanceof Stop);
      assert.equal(stop.exit, Exit.Refused);
      assert.ok(stop.message.endsWith(error.message), stop.message);
      assert.equal(stop.cause, error);
    });
  }

  it("is one when nobody foresaw it", () => {
    const error = new Error("odd");
    assert.equal(stopFor(error), error);
  });
});

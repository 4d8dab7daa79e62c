import assert from "node:assert/strict";
import { explainRc, rcFor, TpmCc, TpmError, TpmRc } from "../../../shared/tpm/index.ts";

describe("TPM response codes", () => {
  const cases: readonly [number, string, string | undefined][] = [
    [0x922, "TPM_RC_RETRY", undefined],
    [0x101, "TPM_RC_FAILURE", undefined],
    [0x100, "TPM_RC_INITIALIZE", undefined],
    [0x18b, "TPM_RC_HANDLE", "handle 1"],
    [0x1c4, "TPM_RC_VALUE", "parameter 1"],
    [0x3c3, "TPM_RC_HASH", "parameter 3"],
    [0x3e0, "TPM_RC_TICKET", "parameter 3"],
    [0x2d2, "TPM_RC_SCHEME", "parameter 2"],
    [0x98e, "TPM_RC_AUTH_FAIL", "session 1"],
    [0x9a2, "TPM_RC_BAD_AUTH", "session 1"],
    [0x1df, "TPM_RC_INTEGRITY", "parameter 1"],
    [0x09a, "TPM_RC_INSUFFICIENT", undefined],
    [0x17f, "TPM_RC 0x17f", undefined],
  ];

  it("are taken apart as Part 2, 6.6.2 says", () => {
    for (const [rc, name, subject] of cases) {
      const parts = explainRc(rc);
      assert.equal(parts.name, name);
      assert.equal(parts.subject && `${parts.subject.kind} ${parts.subject.number}`, subject);
    }
  });

  it("are put together the same way", () => {
    assert.equal(rcFor(TpmRc.HASH, "parameter", 3), 0x3c3);
    assert.equal(rcFor(TpmRc.HANDLE, "handle", 1), 0x18b);
    assert.equal(rcFor(TpmRc.AUTH_FAIL, "session", 1), 0x98e);
  });

  it("make an error that says command, code and culprit", () => {
    const error = new TpmError(0x3c3, TpmCc.Quote);
    assert.equal(error.message, "TPM2_Quote: TPM_RC_HASH, parameter 3 (0x3c3)");
    assert.equal(error.base, TpmRc.HASH);
    assert.equal(new TpmError(0x101, 0x999).message, "command 0x999: TPM_RC_FAILURE (0x101)");
  });

  it("all have a name, and names are unique", () => {
    const codes = Object.values(TpmRc);
    assert.equal(new Set(codes).size, codes.length);
    for (const [name, code] of Object.entries(TpmRc)) assert.equal(explainRc(code).name, `TPM_RC_${name}`);
  });
});

import assert from "node:assert/strict";
import { encode } from "../../../../shared/bytes/index.ts";
import { digest } from "../../../../shared/crypto/index.ts";
import {
  TpmaObjectBit as Bit,
  commands,
  TpmAlg,
  TpmCc,
  TpmlPcrSelection,
  TpmRc,
  TpmRh,
  type TpmsAuthCommand,
  type TpmtPublic,
} from "../../../../shared/tpm/index.ts";
import { Bench, PASSWORD } from "./support.ts";

const NONE = new Uint8Array(0);
const SECRET = new TextEncoder().encode("a secret");
const PCRS = [{ hash: TpmAlg.SHA256, pcrSelect: 1 << 8 }];
const RIGHT = { ...PASSWORD, hmac: Uint8Array.of(0xaa) };
const WRONG = { ...PASSWORD, hmac: Uint8Array.of(0xbb) };

function sealed(attributes: number, authPolicy: Uint8Array = NONE): TpmtPublic {
  return {
    type: TpmAlg.KEYEDHASH,
    nameAlg: TpmAlg.SHA256,
    objectAttributes: Bit.FIXED_TPM | Bit.FIXED_PARENT | attributes,
    authPolicy,
    parameters: { scheme: { scheme: TpmAlg.NULL } },
    unique: NONE,
  };
}

function seal(bench: Bench, inPublic: TpmtPublic): number {
  return bench.must(commands.CreatePrimary, [TpmRh.OWNER], {
    inSensitive: { userAuth: Uint8Array.of(0xaa), data: SECRET },
    inPublic,
    outsideInfo: NONE,
    creationPCR: [],
  }).handle;
}

const unseal = (bench: Bench, object: number, session: TpmsAuthCommand) =>
  bench.run(commands.Unseal, [object], {}, [session]);

/** Wrong passwords until the TPM is locked. The first use of a protected object only takes note. */
function lock(bench: Bench, object: number): void {
  assert.equal(unseal(bench, object, RIGHT).rc, TpmRc.RETRY);
  for (let tries = 0; tries < 3; tries++) assert.equal(unseal(bench, object, WRONG).rc, TpmRc.AUTH_FAIL | 0x900);
  assert.equal(unseal(bench, object, RIGHT).rc, TpmRc.LOCKOUT);
}

describe("the emulator's lockout: Part 1, 19.8", () => {
  it("forgets a try with each recovery time", () => {
    const bench = new Bench().start();
    const object = seal(bench, sealed(Bit.USER_WITH_AUTH));
    lock(bench, object);
    bench.clock.advance(999_000);
    assert.equal(unseal(bench, object, RIGHT).rc, TpmRc.LOCKOUT);
    bench.clock.advance(1_000);
    assert.deepEqual(unseal(bench, object, RIGHT).response?.outData, SECRET);
    assert.equal(unseal(bench, object, WRONG).rc, TpmRc.AUTH_FAIL | 0x900);
    assert.equal(unseal(bench, object, RIGHT).rc, TpmRc.LOCKOUT, "only one was forgotten");
    bench.clock.advance(3_000_000);
    for (let tries = 0; tries < 2; tries++) assert.equal(unseal(bench, object, WRONG).rc, TpmRc.AUTH_FAIL | 0x900);
    assert.equal(unseal(bench, object, RIGHT).rc, 0, "all were");
  });

  it("leaves alone what is exempt, and is ended by lockoutAuth", () => {
    const bench = new Bench().start();
    const object = seal(bench, sealed(Bit.USER_WITH_AUTH));
    const free = seal(bench, sealed(Bit.USER_WITH_AUTH | Bit.NO_DA));
    lock(bench, object);
    assert.equal(unseal(bench, free, WRONG).rc, TpmRc.BAD_AUTH | 0x900);
    assert.deepEqual(unseal(bench, free, RIGHT).response?.outData, SECRET);
    bench.must(commands.DictionaryAttackLockReset, [TpmRh.LOCKOUT], {});
    assert.deepEqual(unseal(bench, object, RIGHT).response?.outData, SECRET);
  });

  it("takes one wrong lockoutAuth, then none until its own recovery time is over", () => {
    const bench = new Bench().start();
    const reset = (session: TpmsAuthCommand) =>
      bench.run(commands.DictionaryAttackLockReset, [TpmRh.LOCKOUT], {}, [session]).rc;
    bench.must(commands.DictionaryAttackParameters, [TpmRh.LOCKOUT], {
      newMaxTries: 5,
      newRecoveryTime: 10,
      lockoutRecovery: 60,
    });
    assert.equal(reset(WRONG), TpmRc.AUTH_FAIL | 0x900);
    assert.equal(reset(PASSWORD), TpmRc.LOCKOUT);
    bench.clock.advance(59_000);
    assert.equal(reset(PASSWORD), TpmRc.LOCKOUT);
    bench.clock.advance(1_000);
    assert.equal(reset(PASSWORD), 0);
  });

  it("outlives the power", () => {
    const bench = new Bench().start();
    lock(bench, seal(bench, sealed(Bit.USER_WITH_AUTH)));
    bench.must(commands.Shutdown, [], { shutdownType: 0 });
    bench.start();
    assert.equal(unseal(bench, seal(bench, sealed(Bit.USER_WITH_AUTH)), RIGHT).rc, TpmRc.LOCKOUT);
  });
});

describe("the emulator's sealed data", () => {
  const session = (handle: number): TpmsAuthCommand => ({ ...PASSWORD, sessionHandle: handle, sessionAttributes: 1 });

  function start(bench: Bench, sessionType: 1 | 3): number {
    return bench.must(commands.StartAuthSession, [TpmRh.NULL, TpmRh.NULL], {
      nonceCaller: new Uint8Array(16),
      encryptedSalt: NONE,
      sessionType,
      symmetric: { algorithm: TpmAlg.NULL },
      authHash: TpmAlg.SHA256,
    }).handle;
  }

  it("comes out with the PCRs that it was sealed to, and not with others", () => {
    const bench = new Bench().start();
    const trial = start(bench, 3);
    bench.must(commands.PolicyPCR, [trial], { pcrDigest: NONE, pcrs: PCRS });
    const { policyDigest } = bench.must(commands.PolicyGetDigest, [trial], {}).response;
    const values = digest("sha256", new Uint8Array(32));
    const code = Uint8Array.of(0, 0, TpmCc.PolicyPCR >> 8, TpmCc.PolicyPCR & 0xff);
    const expected = digest("sha256", new Uint8Array(32), code, encode(TpmlPcrSelection, PCRS), values);
    assert.deepEqual(policyDigest, expected, "Part 3, 23.7");
    const object = seal(bench, sealed(Bit.NO_DA, policyDigest));
    const policy = start(bench, 1);
    bench.must(commands.PolicyPCR, [policy], { pcrDigest: NONE, pcrs: PCRS });
    assert.deepEqual(unseal(bench, object, session(policy)).response?.outData, SECRET);
    assert.equal(unseal(bench, object, session(policy)).rc, TpmRc.POLICY_FAIL | 0x900, "spent");
    assert.equal(unseal(bench, object, RIGHT).rc, TpmRc.AUTH_UNAVAILABLE, "no password");
    bench.must(commands.PolicyPCR, [policy], { pcrDigest: NONE, pcrs: PCRS });
    bench.must(commands.PCR_Event, [8], { eventData: NONE });
    assert.equal(unseal(bench, object, session(policy)).rc, TpmRc.PCR_CHANGED);
    bench.must(commands.PolicyRestart, [policy], {});
    bench.must(commands.PolicyPCR, [policy], { pcrDigest: NONE, pcrs: PCRS });
    assert.equal(unseal(bench, object, session(policy)).rc, TpmRc.POLICY_FAIL | 0x900);
  });

  it("goes with TPM2_Clear, as does all that the owner had", () => {
    const bench = new Bench().start();
    const object = seal(bench, sealed(Bit.USER_WITH_AUTH | Bit.NO_DA));
    bench.must(commands.EvictControl, [TpmRh.OWNER, object], { persistentHandle: 0x81000001 });
    bench.must(commands.HierarchyChangeAuth, [TpmRh.OWNER], { newAuth: Uint8Array.of(1) });
    const saved = bench.must(commands.ContextSave, [object], {}).response;
    bench.must(commands.Clear, [TpmRh.LOCKOUT], {});
    assert.equal(unseal(bench, object, RIGHT).rc, TpmRc.REFERENCE_H0);
    assert.equal(unseal(bench, 0x81000001, RIGHT).rc, TpmRc.HANDLE | 0x100);
    assert.equal(bench.run(commands.ContextLoad, [], saved).rc, TpmRc.INTEGRITY | 0x1c0);
    seal(bench, sealed(Bit.USER_WITH_AUTH)); // with an empty owner's authValue again
  });
});

/** Commands for tests: at least one of each kind, and an emulator in which most of them succeed. */
import { encode, Reader } from "../../../../shared/bytes/index.ts";
import { digest, generateEcKey } from "../../../../shared/crypto/index.ts";
import {
  aikRestrictedEcc,
  type CommandSpec,
  commands,
  ekEcc,
  encodeCommand,
  FobnailHandle,
  TpmRh,
  type TpmsAuthCommand,
  TpmtPublic,
  type TpmtSensitive,
} from "../../../../shared/tpm/index.ts";
import { seededRandom } from "../../../support/random.ts";
import { Bench, PASSWORD } from "./support.ts";

const NONE = new Uint8Array(0);
const CREATION = {
  inSensitive: { userAuth: NONE, data: NONE },
  outsideInfo: NONE,
  creationPCR: [{ hash: 0x0b, pcrSelect: 0xff }],
};
const SCHEME = { scheme: 0x18, hashAlg: 0x0b } as const;
const TICKET = { tag: 0x8024, hierarchy: TpmRh.NULL, digest: NONE } as const;

/** Sealed data, an HMAC key with its secret, a public key of somebody else. */
const SEALED_DATA: TpmtPublic = {
  type: 0x08,
  nameAlg: 0x0b,
  objectAttributes: 0x452,
  authPolicy: NONE,
  parameters: { scheme: { scheme: 0x10 } },
  unique: NONE,
};
const SEALED = { ...CREATION, inSensitive: { userAuth: NONE, data: new Uint8Array(20) } };
const HMAC_SECRET: TpmtSensitive = {
  sensitiveType: 0x08,
  authValue: NONE,
  seedValue: new Uint8Array(32),
  sensitive: new Uint8Array(32),
};
const HMAC_KEY: TpmtPublic = {
  ...SEALED_DATA,
  objectAttributes: 0x40440,
  parameters: { scheme: { scheme: 0x05, hashAlg: 0x0b } },
  unique: digest("sha256", new Uint8Array(64)),
};
const POINT = generateEcKey(seededRandom("external"), "P-256");
const EXTERNAL: TpmtPublic = { ...aikRestrictedEcc, objectAttributes: 0x40440, unique: { x: POINT.x, y: POINT.y } };

function command<P, R>(spec: CommandSpec<P, R>, handles: readonly number[], parameters: P): Uint8Array {
  const sessions: TpmsAuthCommand[] = spec.handles.filter(({ auth }) => auth !== "none").map(() => PASSWORD);
  return encodeCommand({ commandCode: spec.code, handles, sessions, parameters: encode(spec.parameters, parameters) });
}

/** One good command of each kind, or nearly good: what they refer to is there in a started bench. */
export const seeds: readonly Uint8Array[] = [
  command(commands.Shutdown, [], { shutdownType: 0 }),
  command(commands.SelfTest, [], { fullTest: 1 }),
  command(commands.GetCapability, [], { capability: 6, property: 0x100, propertyCount: 100 }),
  command(commands.GetRandom, [], { bytesRequested: 16 }),
  command(commands.ReadClock, [], {}),
  command(commands.PCR_Read, [], { pcrSelectionIn: [{ hash: 0x0b, pcrSelect: 0xffff }] }),
  command(commands.PCR_Extend, [16], { digests: [{ hashAlg: 0x0b, digest: new Uint8Array(32) }] }),
  command(commands.PCR_Reset, [16], {}),
  command(commands.Hash, [], { data: new Uint8Array(40), hashAlg: 0x0b, hierarchy: TpmRh.OWNER }),
  command(commands.HashSequenceStart, [], { auth: NONE, hashAlg: 0x0b }),
  command(commands.SequenceUpdate, [0x80000001], { buffer: new Uint8Array(10) }),
  command(commands.SequenceComplete, [0x80000001], { buffer: NONE, hierarchy: TpmRh.OWNER }),
  command(commands.CreatePrimary, [TpmRh.ENDORSEMENT], { ...CREATION, inPublic: ekEcc }),
  command(commands.CreatePrimary, [TpmRh.OWNER], { ...CREATION, inPublic: aikRestrictedEcc }),
  command(commands.Create, [FobnailHandle.EK_ECC], { ...CREATION, inPublic: aikRestrictedEcc }),
  command(commands.Load, [FobnailHandle.EK_ECC], { inPrivate: new Uint8Array(80), inPublic: aikRestrictedEcc }),
  command(commands.ReadPublic, [FobnailHandle.EK_ECC], {}),
  command(commands.EvictControl, [TpmRh.OWNER, 0x80000000], { persistentHandle: 0x81000007 }),
  command(commands.FlushContext, [], { flushHandle: 0x80000002 }),
  command(commands.StartAuthSession, [TpmRh.NULL, TpmRh.NULL], {
    nonceCaller: new Uint8Array(16),
    encryptedSalt: NONE,
    sessionType: 1,
    symmetric: { algorithm: 0x10 },
    authHash: 0x0b,
  }),
  command(commands.StartAuthSession, [FobnailHandle.EK_ECC, TpmRh.OWNER], {
    nonceCaller: new Uint8Array(16),
    encryptedSalt: new Uint8Array(68),
    sessionType: 0,
    symmetric: { algorithm: 6, keyBits: 128, mode: 0x43 },
    authHash: 0x0b,
  }),
  command(commands.FlushContext, [], { flushHandle: 0x03000001 }),
  command(commands.PolicySecret, [TpmRh.ENDORSEMENT, 0x03000000], {
    nonceTPM: NONE,
    cpHashA: NONE,
    policyRef: NONE,
    expiration: 0,
  }),
  command(commands.PolicyGetDigest, [0x03000000], {}),
  command(commands.MakeCredential, [FobnailHandle.EK_ECC], {
    credential: new Uint8Array(16),
    objectName: new Uint8Array(34),
  }),
  command(commands.ActivateCredential, [0x80000000, FobnailHandle.EK_ECC], {
    credentialBlob: new Uint8Array(70),
    secret: new Uint8Array(68),
  }),
  command(commands.Quote, [0x80000000], {
    qualifyingData: new Uint8Array(32),
    inScheme: SCHEME,
    PCRselect: [{ hash: 0x0b, pcrSelect: 0x600ff }],
  }),
  command(commands.Sign, [0x80000000], { digest: new Uint8Array(32), inScheme: SCHEME, validation: TICKET }),
  command(commands.NV_DefineSpace, [TpmRh.OWNER], {
    auth: NONE,
    publicInfo: { nvIndex: 0x01000002, nameAlg: 0x0b, attributes: 0x02060006, authPolicy: NONE, dataSize: 64 },
  }),
  command(commands.NV_UndefineSpace, [TpmRh.OWNER, 0x01000002], {}),
  command(commands.NV_ReadPublic, [0x01000001], {}),
  command(commands.NV_Write, [0x01000001, 0x01000001], { data: new Uint8Array(32), offset: 4 }),
  command(commands.NV_Read, [0x01000001, 0x01000001], { size: 32, offset: 0 }),
  command(commands.GetTestResult, [], {}),
  command(commands.TestParms, [], {
    parameters: { type: aikRestrictedEcc.type, parameters: aikRestrictedEcc.parameters },
  }),
  command(commands.HMAC, [0x80000001], { buffer: new Uint8Array(9), hashAlg: 0x0b }),
  command(commands.HMAC_Start, [0x80000001], { auth: NONE, hashAlg: 0x10 }),
  command(commands.EventSequenceComplete, [16, 0x80000001], { buffer: new Uint8Array(9) }),
  command(commands.PCR_Event, [16], { eventData: new Uint8Array(40) }),
  command(commands.CreatePrimary, [TpmRh.OWNER], { ...SEALED, inPublic: SEALED_DATA }),
  command(commands.CreateLoaded, [TpmRh.OWNER], {
    inSensitive: CREATION.inSensitive,
    inPublic: encode(TpmtPublic, aikRestrictedEcc),
  }),
  command(commands.LoadExternal, [], { inPrivate: undefined, inPublic: EXTERNAL, hierarchy: TpmRh.NULL }),
  command(commands.LoadExternal, [], { inPrivate: HMAC_SECRET, inPublic: HMAC_KEY, hierarchy: TpmRh.NULL }),
  command(commands.Unseal, [0x80000002], {}),
  command(commands.Certify, [0x80000000, 0x80000000], {
    qualifyingData: new Uint8Array(4),
    inScheme: { scheme: 0x10 },
  }),
  command(commands.VerifySignature, [0x80000000], {
    digest: new Uint8Array(32),
    signature: { sigAlg: 0x18, hash: 0x0b, signatureR: new Uint8Array(32), signatureS: new Uint8Array(32) },
  }),
  command(commands.PolicyPCR, [0x03000000], { pcrDigest: NONE, pcrs: [{ hash: 0x0b, pcrSelect: 0xff }] }),
  command(commands.PolicyAuthValue, [0x03000000], {}),
  command(commands.PolicyPassword, [0x03000000], {}),
  command(commands.PolicyCommandCode, [0x03000000], { code: commands.Sign.code }),
  command(commands.PolicyOR, [0x03000000], { pHashList: [new Uint8Array(32), new Uint8Array(32)] }),
  command(commands.PolicyRestart, [0x03000000], {}),
  command(commands.ContextSave, [0x80000000], {}),
  command(commands.ContextLoad, [], {
    context: { sequence: 1n, savedHandle: 0x80000000, hierarchy: TpmRh.OWNER, contextBlob: new Uint8Array(200) },
  }),
  command(commands.NV_Increment, [0x01000001, 0x01000001], {}),
  command(commands.NV_SetBits, [0x01000001, 0x01000001], { bits: 5n }),
  command(commands.NV_Extend, [0x01000001, 0x01000001], { data: new Uint8Array(9) }),
  command(commands.HierarchyChangeAuth, [TpmRh.ENDORSEMENT], { newAuth: NONE }),
  command(commands.DictionaryAttackLockReset, [TpmRh.LOCKOUT], {}),
  command(commands.DictionaryAttackParameters, [TpmRh.LOCKOUT], {
    newMaxTries: 5,
    newRecoveryTime: 10,
    lockoutRecovery: 10,
  }),
  command(commands.ClearControl, [TpmRh.PLATFORM], { disable: 0 }),
  command(commands.Clear, [TpmRh.LOCKOUT], {}),
  command(commands.Startup, [], { startupType: 0 }),
];

/** An open key at 0x80000000, the EK at its persistent handle, an index, a session. */
export function furnished(): Bench {
  const bench = new Bench("fuzz").start();
  const ek = bench.must(commands.CreatePrimary, [TpmRh.ENDORSEMENT], { ...CREATION, inPublic: ekEcc });
  bench.must(commands.EvictControl, [TpmRh.OWNER, ek.handle], { persistentHandle: FobnailHandle.EK_ECC });
  bench.must(commands.FlushContext, [], { flushHandle: ek.handle });
  bench.must(commands.CreatePrimary, [TpmRh.OWNER], { ...CREATION, inPublic: aikRestrictedEcc });
  for (const seed of seeds.filter((one) => [0x12a, 0x176].includes(new Reader(one.subarray(6)).u32be())))
    bench.engine.execute(seed);
  return bench;
}

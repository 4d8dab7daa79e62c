/** One value or more of every structure, for the tests of all codecs. */
import type { Codec } from "../../../shared/bytes/index.ts";
import * as tpm from "../../../shared/tpm/index.ts";
import { seededRandom } from "../../support/random.ts";

const { TpmAlg, TpmSt, TpmCap } = tpm;
const random = seededRandom(1, "tpm samples");
const bytes = (size: number) => random.bytes(size);
const name = Uint8Array.of(0, 0x0b, ...bytes(32));
const clockInfo = { clock: 0x0102030405060708n, resetCount: 9, restartCount: 10, safe: 1 } as const;
const selection = [
  { hash: TpmAlg.SHA256, pcrSelect: 0x0600ff },
  { hash: TpmAlg.SHA1, pcrSelect: 0 },
];

const attest = { qualifiedSigner: name, extraData: bytes(32), clockInfo, firmwareVersion: 0x2019102300163636n };

const rsaKey = { ...tpm.aikReference, unique: bytes(256) };
const eccKey = { ...tpm.aikRestrictedEcc, unique: { x: bytes(32), y: bytes(32) } };

const creationData = {
  pcrSelect: selection,
  pcrDigest: bytes(32),
  locality: 1,
  parentNameAlg: TpmAlg.SHA256,
  parentName: name,
  parentQualifiedName: name,
  outsideInfo: bytes(4),
};

const nvPublic = {
  nvIndex: 0x01c00002,
  nameAlg: TpmAlg.SHA256,
  attributes: 0x62072001,
  authPolicy: bytes(0),
  dataSize: 1016,
};

export interface Sample {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly value: unknown;
  /** The structure takes all bytes that are left, so no trailing byte can be told from its content. */
  readonly open?: true;
}

function sample<T>(structure: string, codec: Codec<T>, ...values: readonly T[]): readonly Sample[] {
  // The pair belongs together, which the list of all of them cannot say.
  return values.map((value) => ({ name: structure, codec: codec as Codec<unknown>, value }));
}

export const samples: readonly Sample[] = [
  ...sample("TPM2B_DIGEST", tpm.Tpm2bDigest, bytes(32), bytes(0), bytes(64)),
  ...sample("TPM2B_DATA", tpm.Tpm2bData, bytes(66)),
  ...sample("TPM2B_NONCE", tpm.Tpm2bNonce, bytes(16)),
  ...sample("TPM2B_AUTH", tpm.Tpm2bAuth, bytes(4)),
  ...sample("TPMT_HA or none", tpm.TpmtHaOrNull, { hashAlg: TpmAlg.NULL }, tpm.tpmtHa(TpmAlg.SHA256, bytes(32))),
  ...sample("TPML_DIGEST of branches", tpm.TpmlBranches, [bytes(32), bytes(32)]),
  ...sample("TPM2B_EVENT", tpm.Tpm2bEvent, bytes(40)),
  ...sample("TPM2B_TEMPLATE", tpm.Tpm2bTemplate, bytes(90)),
  ...sample(
    "TPMT_PUBLIC_PARMS",
    tpm.TpmtPublicParms,
    { type: TpmAlg.RSA, parameters: tpm.ekRsa.parameters },
    { type: TpmAlg.ECC, parameters: tpm.ekEcc.parameters },
  ),
  ...sample("TPM2B_SENSITIVE or nothing", tpm.Tpm2bOptionalSensitive, undefined, {
    sensitiveType: TpmAlg.ECC,
    authValue: bytes(0),
    seedValue: bytes(0),
    sensitive: bytes(32),
  }),
  ...sample("TPM2B_MAX_BUFFER", tpm.Tpm2bMaxBuffer, bytes(1024)),
  ...sample("TPM2B_MAX_NV_BUFFER", tpm.Tpm2bMaxNvBuffer, bytes(64)),
  ...sample("TPM2B_TIMEOUT", tpm.Tpm2bTimeout, bytes(8)),
  ...sample("TPM2B_NAME", tpm.Tpm2bName, name, bytes(4), bytes(0)),
  ...sample("TPM2B_ATTEST", tpm.Tpm2bAttest, bytes(145)),
  ...sample("TPM2B_SENSITIVE_DATA", tpm.Tpm2bSensitiveData, bytes(32)),
  ...sample("TPM2B_PUBLIC_KEY_RSA", tpm.Tpm2bPublicKeyRsa, bytes(256)),
  ...sample("TPM2B_PRIVATE_KEY_RSA", tpm.Tpm2bPrivateKeyRsa, bytes(128)),
  ...sample("TPM2B_ECC_PARAMETER", tpm.Tpm2bEccParameter, bytes(32)),
  ...sample("TPM2B_SYM_KEY", tpm.Tpm2bSymKey, bytes(16)),
  ...sample("TPM2B_ENCRYPTED_SECRET", tpm.Tpm2bEncryptedSecret, bytes(68)),
  ...sample("TPM2B_PRIVATE", tpm.Tpm2bPrivate, bytes(80)),
  ...sample("TPM2B_ID_OBJECT", tpm.Tpm2bIdObject, bytes(70)),
  ...sample("TPM2B_CONTEXT_DATA", tpm.Tpm2bContextData, bytes(50)),
  ...sample("TPMI_YES_NO", tpm.TpmiYesNo, 0, 1),
  ...sample("TPMA_LOCALITY", tpm.TpmaLocality, 0x10),
  ...sample("TPMA_OBJECT", tpm.TpmaObject, 0x000300b2, 0x00060472),
  ...sample("TPMA_NV", tpm.TpmaNv, 0x62072001, 0x80000000),
  ...sample("TPMA_SESSION", tpm.TpmaSession, 0x01, 0x61),
  ...sample(
    "TPMT_HA",
    tpm.TpmtHa,
    tpm.tpmtHa(TpmAlg.SHA1, bytes(20)),
    tpm.tpmtHa(TpmAlg.SHA256, bytes(32)),
    tpm.tpmtHa(TpmAlg.SHA384, bytes(48)),
    tpm.tpmtHa(TpmAlg.SHA512, bytes(64)),
  ),
  ...sample("TPML_DIGEST_VALUES", tpm.TpmlDigestValues, [tpm.tpmtHa(TpmAlg.SHA256, bytes(32))]),
  ...sample("TPML_PCR_SELECTION", tpm.TpmlPcrSelection, selection, []),
  ...sample("TPML_DIGEST", tpm.TpmlDigest, [bytes(32), bytes(20)]),
  ...sample(
    "TPMT_SYM_DEF",
    tpm.TpmtSymDef,
    { algorithm: TpmAlg.NULL },
    { algorithm: TpmAlg.AES, keyBits: 128, mode: TpmAlg.CFB },
    { algorithm: TpmAlg.XOR, hashAlg: TpmAlg.SHA256 },
  ),
  ...sample("TPMT_SYM_DEF_OBJECT", tpm.TpmtSymDefObject, { algorithm: TpmAlg.AES, keyBits: 128, mode: TpmAlg.CFB }),
  ...sample(
    "TPMT_KEYEDHASH_SCHEME",
    tpm.TpmtKeyedHashScheme,
    { scheme: TpmAlg.HMAC, hashAlg: TpmAlg.SHA256 },
    { scheme: TpmAlg.XOR, hashAlg: TpmAlg.SHA256, kdf: TpmAlg.KDF1_SP800_108 },
  ),
  ...sample(
    "TPMT_KDF_SCHEME",
    tpm.TpmtKdfScheme,
    { scheme: TpmAlg.NULL },
    { scheme: TpmAlg.MGF1, hashAlg: TpmAlg.SHA1 },
  ),
  ...sample(
    "TPMT_RSA_SCHEME",
    tpm.TpmtRsaScheme,
    { scheme: TpmAlg.RSAES },
    { scheme: TpmAlg.OAEP, hashAlg: TpmAlg.SHA1 },
  ),
  ...sample("TPMT_ECC_SCHEME", tpm.TpmtEccScheme, { scheme: TpmAlg.ECDAA, hashAlg: TpmAlg.SHA256, count: 1 }),
  ...sample(
    "TPMT_SIG_SCHEME",
    tpm.TpmtSigScheme,
    { scheme: TpmAlg.NULL },
    { scheme: TpmAlg.RSAPSS, hashAlg: TpmAlg.SHA384 },
    { scheme: TpmAlg.ECDAA, hashAlg: TpmAlg.SHA256, count: 1 },
  ),
  ...sample(
    "TPMT_RSA_DECRYPT",
    tpm.TpmtRsaDecrypt,
    { scheme: TpmAlg.RSAES },
    { scheme: TpmAlg.OAEP, hashAlg: TpmAlg.SHA256 },
  ),
  ...sample(
    "TPMT_PUBLIC",
    tpm.TpmtPublic,
    tpm.ekRsa,
    tpm.ekEcc,
    rsaKey,
    eccKey,
    tpm.aikRestrictedRsa,
    {
      type: TpmAlg.KEYEDHASH,
      nameAlg: TpmAlg.SHA256,
      objectAttributes: 0x52,
      authPolicy: bytes(32),
      parameters: { scheme: { scheme: TpmAlg.HMAC, hashAlg: TpmAlg.SHA256 } },
      unique: bytes(32),
    },
    {
      type: TpmAlg.SYMCIPHER,
      nameAlg: TpmAlg.SHA256,
      objectAttributes: 0x52,
      authPolicy: bytes(0),
      parameters: { sym: { algorithm: TpmAlg.AES, keyBits: 128, mode: TpmAlg.CFB } },
      unique: bytes(32),
    },
  ),
  ...sample("TPM2B_PUBLIC", tpm.Tpm2bPublic, rsaKey, eccKey),
  ...sample("TPMS_ECC_POINT", tpm.TpmsEccPoint, { x: bytes(32), y: bytes(32) }),
  ...sample(
    "TPMT_SENSITIVE",
    tpm.TpmtSensitive,
    { sensitiveType: TpmAlg.KEYEDHASH, authValue: bytes(3), seedValue: bytes(32), sensitive: bytes(32) },
    { sensitiveType: TpmAlg.SYMCIPHER, authValue: bytes(3), seedValue: bytes(32), sensitive: bytes(16) },
  ),
  ...sample("TPM2B_SENSITIVE_CREATE", tpm.Tpm2bSensitiveCreate, { userAuth: bytes(4), data: bytes(9) }),
  ...sample(
    "TPM2B_SENSITIVE",
    tpm.Tpm2bSensitive,
    { sensitiveType: TpmAlg.RSA, authValue: bytes(3), seedValue: bytes(32), sensitive: bytes(128) },
    { sensitiveType: TpmAlg.ECC, authValue: bytes(0), seedValue: bytes(0), sensitive: bytes(32) },
  ),
  ...sample("TPMS_ID_OBJECT", tpm.TpmsIdObject, { integrityHMAC: bytes(32), encIdentity: bytes(34) }).map((s) => ({
    ...s,
    open: true as const,
  })),
  ...sample(
    "TPMT_SIGNATURE",
    tpm.TpmtSignature,
    { sigAlg: TpmAlg.NULL },
    { sigAlg: TpmAlg.RSASSA, hash: TpmAlg.SHA256, sig: bytes(256) },
    { sigAlg: TpmAlg.ECDSA, hash: TpmAlg.SHA256, signatureR: bytes(32), signatureS: bytes(31) },
    { sigAlg: TpmAlg.HMAC, hmac: tpm.tpmtHa(TpmAlg.SHA256, bytes(32)) },
  ),
  ...sample("TPMS_CLOCK_INFO", tpm.TpmsClockInfo, clockInfo),
  ...sample("TPMS_TIME_INFO", tpm.TpmsTimeInfo, { time: 77n, clockInfo }),
  ...sample(
    "TPMS_ATTEST",
    tpm.TpmsAttest,
    { type: TpmSt.ATTEST_QUOTE, ...attest, attested: { pcrSelect: selection, pcrDigest: bytes(32) } },
    { type: TpmSt.ATTEST_CERTIFY, ...attest, attested: { name, qualifiedName: name } },
    { type: TpmSt.ATTEST_CREATION, ...attest, attested: { objectName: name, creationHash: bytes(32) } },
    {
      type: TpmSt.ATTEST_TIME,
      ...attest,
      attested: { time: { time: 5n, clockInfo }, firmwareVersion: 1n },
    },
    { type: TpmSt.ATTEST_NV, ...attest, attested: { indexName: name, offset: 3, nvContents: bytes(7) } },
    { type: TpmSt.ATTEST_NV_DIGEST, ...attest, attested: { indexName: name, nvDigest: bytes(32) } },
    { type: TpmSt.ATTEST_SESSION_AUDIT, ...attest, attested: { exclusiveSession: 1, sessionDigest: bytes(32) } },
    {
      type: TpmSt.ATTEST_COMMAND_AUDIT,
      ...attest,
      attested: { auditCounter: 3n, digestAlg: TpmAlg.SHA256, auditDigest: bytes(32), commandDigest: bytes(32) },
    },
  ),
  ...sample("TPMS_CREATION_DATA", tpm.TpmsCreationData, creationData),
  ...sample("TPM2B_CREATION_DATA", tpm.Tpm2bCreationData, creationData),
  ...sample("TPMT_TK_CREATION", tpm.TpmtTkCreation, { tag: TpmSt.CREATION, hierarchy: 1, digest: bytes(32) }),
  ...sample("TPMT_TK_VERIFIED", tpm.TpmtTkVerified, { tag: TpmSt.VERIFIED, hierarchy: 1, digest: bytes(64) }),
  ...sample("TPMT_TK_HASHCHECK", tpm.TpmtTkHashcheck, { tag: TpmSt.HASHCHECK, hierarchy: 1, digest: bytes(32) }),
  ...sample("TPMT_TK_AUTH", tpm.TpmtTkAuth, { tag: TpmSt.AUTH_SECRET, hierarchy: 1, digest: bytes(0) }),
  ...sample("TPMS_NV_PUBLIC", tpm.TpmsNvPublic, nvPublic),
  ...sample("TPM2B_NV_PUBLIC", tpm.Tpm2bNvPublic, nvPublic),
  ...sample("TPMS_CONTEXT", tpm.TpmsContext, {
    sequence: 1n,
    savedHandle: 0x80000000,
    hierarchy: 1,
    contextBlob: bytes(50),
  }),
  ...sample(
    "TPMS_CAPABILITY_DATA",
    tpm.TpmsCapabilityData,
    { capability: TpmCap.ALGS, data: [{ alg: TpmAlg.RSA, algProperties: 9 }] },
    { capability: TpmCap.HANDLES, data: [0x80000000, 0x80000001] },
    { capability: TpmCap.COMMANDS, data: [0x144] },
    { capability: TpmCap.PCRS, data: selection },
    { capability: TpmCap.TPM_PROPERTIES, data: [{ property: 0x105, value: 0x49424d00 }] },
    { capability: TpmCap.PCR_PROPERTIES, data: [{ tag: 0, pcrSelect: 0x00ffff }] },
    { capability: TpmCap.ECC_CURVES, data: [3, 4] },
    { capability: TpmCap.AUTH_POLICIES, data: [{ handle: 1, policyHash: tpm.tpmtHa(TpmAlg.SHA256, bytes(32)) }] },
  ),
  ...sample("TPMS_TAGGED_PCR_SELECT", tpm.TpmsTaggedPcrSelect, { tag: 0, pcrSelect: 0x00ffff }),
  ...sample("response header", tpm.TpmResponseHeader, {
    tag: TpmSt.NO_SESSIONS,
    responseSize: 10,
    responseCode: 0x922,
  }),
  ...sample("TPMS_AUTH_COMMAND", tpm.TpmsAuthCommand, {
    sessionHandle: tpm.TpmRh.PW,
    nonce: bytes(0),
    sessionAttributes: 1,
    hmac: bytes(5),
  }),
  ...sample("TPMS_AUTH_RESPONSE", tpm.TpmsAuthResponse, { nonce: bytes(16), sessionAttributes: 1, hmac: bytes(0) }),
];

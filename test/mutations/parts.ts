import type { Mutation } from "./mutation.ts";

/** What a token is built of: flash, certificates, cryptography, CoAP, USB; and the TPM emulator. */

const STORE = { file: "token/storage/store.ts", tests: ["test/token/storage"] };
const RECOVER = { file: "token/storage/recover.ts", tests: ["test/token/storage"] };
const OPEN = { file: "token/storage/open.ts", tests: ["test/token/storage"] };
const JUDGE = { file: "shared/x509/judge.ts", tests: ["test/shared/x509/path.test.ts"] };
const PATHS = { file: "shared/x509/path.ts", tests: ["test/shared/x509/path.test.ts"] };
const DUPLICATES = { file: "shared/coap/duplicates.ts", tests: ["test/shared/coap/exchange.test.ts"] };
const EMULATOR = "hw/tpm/emulator";
const TPM_TESTS = [
  ...["commands", "pcr", "power", "protection", "refusals", "signatures"].map(
    (name) => `test/hw/tpm/emulator/${name}.test.ts`,
  ),
  ...["attestation", "hmac", "nv", "objects", "power", "sessions"].map(
    (name) => `test/hw/tpm/emulator/differential/${name}.test.ts`,
  ),
];
const POLICIES = { file: `${EMULATOR}/authorization.ts`, tests: TPM_TESTS };

export const partMutations: readonly Mutation[] = [
  {
    ...{ id: "W1", what: "a commit of several values is written as several", ...STORE },
    find: "    this.#write(effective);\n",
    replace: "    for (const change of effective) this.#write([change]);\n",
  },
  {
    ...{ id: "W2", what: "values count that were never committed", ...RECOVER },
    find: "isChange(header) ? committed.has(header.version) : marked",
    replace: "isChange(header) ? header.version > 0 : marked",
  },
  {
    ...{ id: "W3", what: "bits that the flash lost go out as they are", ...STORE },
    find: "      if (crc32(name, data) !== crc) throw",
    replace: "      if (crc32(name, data) !== crc && size < 0) throw",
  },
  {
    ...{ id: "W4", what: "a mark that a power cut left half set is not finished at the next start", ...OPEN },
    find: "for (const at of found.unfinished) flash.program(at, SET_MARK);",
    replace: "for (const at of []) flash.program(at, SET_MARK);",
  },
  {
    ...{ id: "X1", what: "any certificate may issue others", ...JUDGE },
    find: "  if (basicConstraints?.ca !== true) return",
    replace: "  if (basicConstraints === undefined && following < 0) return",
  },
  {
    ...{ id: "X2", what: "signatures of certificates are not verified", ...PATHS },
    find: "    if (!isSignedBy(child, parent.publicKeyInfo)) {",
    replace: "    if (!isSignedBy(child, parent.publicKeyInfo) && rank < 0) {",
  },
  {
    ...{ id: "X3", what: "unknown critical extensions are passed over", ...JUDGE },
    find: "  if (unknown !== undefined) return",
    replace: `  if (unknown === "") return`,
  },
  {
    ...{ id: "X4", what: "the path length of a CA is ignored", ...JUDGE },
    find: "  if (following > limit) return",
    replace: "  if (following > limit + 1e9) return",
  },
  {
    ...{ id: "X5", what: "the owner's root vouches for TPMs", ...PATHS },
    find: "    if (holds(forbiddenRoots, parent)) {",
    replace: "    if (forbiddenRoots.length > 1e9) {",
  },
  {
    ...{ id: "C1", what: "an RSA signature is right when its end is", file: "shared/crypto/rsa-pkcs1.ts" },
    find: "constantTimeEqual(expected, got);",
    replace: "constantTimeEqual(expected.subarray(-digest.byteLength), got.subarray(-digest.byteLength));",
    tests: ["test/shared/crypto"],
  },
  {
    ...{ id: "C2", what: "an RSA exponent of 1 is an exponent", file: "shared/crypto/rsa-check.ts" },
    find: "key.e < 3 ||",
    replace: "key.e < 1 ||",
    tests: ["test/shared/crypto"],
  },
  {
    ...{ id: "C3", what: "Ed25519 keys of small order are keys", file: "shared/crypto/ed25519.ts" },
    find: "return y < FIELD && !SMALL_ORDER_Y.includes(y);",
    replace: "return y < FIELD;",
    tests: ["test/shared/crypto"],
  },
  {
    ...{ id: "D1", what: "a request that is sent again is done again", ...DUPLICATES },
    find: "this.#index.find(keyOf(peer, messageId))",
    replace: "this.#index.find(keyOf(peer, messageId) + 1e9)",
  },
  {
    ...{ id: "D2", what: "a message id and a size make a duplicate", ...DUPLICATES },
    find: "head.byteLength), head)) return undefined;",
    replace: "head.byteLength), head) && slot < 0) return undefined;",
  },
  {
    ...{ id: "D3", what: "a body in blocks may be of any size", file: "shared/coap/block1-server.ts" },
    find: "    if (Math.max(start + size, announced) > this.#limits.bodyBytes) return",
    replace: "    if (Math.max(start + size, announced) > 1e9) return",
    tests: ["test/shared/coap/blockwise.test.ts"],
  },
  {
    ...{ id: "D4", what: "a session's reads are told again when it has ended", file: "shared/coap/exchange.ts" },
    find: "revocable ? peer.era : undefined",
    replace: "undefined",
    tests: ["test/shared/coap/exchange.test.ts"],
  },
  {
    ...{ id: "U1", what: "the checksum of an EEM packet is not looked at", file: "shared/eem/packet.ts" },
    find: "from.u32le() === crc32(frame)",
    replace: "from.u32le() >= 0",
    tests: ["test/shared/eem"],
  },
  {
    ...{ id: "U2", what: "the begin of an EEM packet outlives a bus reset", file: "shared/eem/receiver.ts" },
    find: "  reset(): void {\n    this.#carry = NOTHING;\n",
    replace: "  reset(): void {\n",
    tests: ["test/shared/eem", "test/token/usb"],
  },
  {
    ...{ id: "U3", what: "USB/IP transfers pile up without end", file: "hw/usb-device/usbip/session.ts" },
    find: "    if (this.#pending.size > MAX_PENDING) ",
    replace: "    if (this.#pending.size > 1e9 * MAX_PENDING) ",
    tests: ["test/hw/usb-device/usbip"],
  },
  {
    ...{ id: "T1", what: "the TPM takes any policy for the right one", ...POLICIES },
    find: "if (wanted === undefined || !constantTimeEqual(policy.digest, wanted.digest)) refuse",
    replace: "if (wanted === undefined) refuse",
  },
  {
    ...{ id: "T2", what: "the TPM forgets that PCRs changed since PolicyPCR", ...POLICIES },
    find: "if (policy.pcrCounter !== undefined && policy.pcrCounter !== tpm.ram.pcrs.updateCounter) refuse",
    replace: "if (policy.pcrCounter === -1) refuse",
  },
  {
    ...{ id: "T3", what: "the TPM takes any password", ...POLICIES },
    find: "  if (!constantTimeEqual(given, expected)) failSession",
    replace: "  if (!constantTimeEqual(given, expected) && !plain) failSession",
  },
  {
    ...{
      id: "T4",
      what: "a restricted key signs what the TPM did not hash",
      file: `${EMULATOR}/commands/signature.ts`,
    },
    find: " || (attributes & TpmaObjectBit.RESTRICTED) !== 0",
    replace: "",
    tests: TPM_TESTS,
  },
  {
    ...{ id: "T5", what: "every locality may extend every PCR", file: `${EMULATOR}/commands/pcr.ts` },
    find: "  if (!mayExtend(pcr, tpm.locality)) refuse(TpmRc.LOCALITY);\n",
    replace: "",
    tests: TPM_TESTS,
  },
  {
    ...{ id: "T6", what: "the TPM says its clock is safe after a power cut", file: `${EMULATOR}/machine.ts` },
    find: "safe: nv.safe === 1 && orderly",
    replace: "safe: nv.safe === 1 || !orderly",
    tests: TPM_TESTS,
  },
  {
    ...{ id: "T7", what: "wrong passwords are not counted", file: `${EMULATOR}/authorization.ts` },
    find: "!(authorizes !== undefined && includeAuth && isDaProtected(tpm, authorizes))",
    replace: "!(authorizes === -1 && includeAuth && isDaProtected(tpm, authorizes))",
    tests: TPM_TESTS,
  },
];

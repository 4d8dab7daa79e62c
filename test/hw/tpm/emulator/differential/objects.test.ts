import { commands } from "../../../../../shared/tpm/index.ts";
import { field, newHandle, story, type Twins } from "./twins.ts";

const OWNER = "40000001";
const SENSITIVE = "0004 0000 0000";
const REST = "0000 00000000";
const EK_POLICY = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const EK_RSA = `0001000b000300b20020${EK_POLICY}00060080004300100800000000000100${"00".repeat(256)}`;
const STORAGE = "0023 000b 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000";

const sized = (words: string) => `2b:${words.replace(/ /g, "")}`;

/** Templates for ECC and RSA keys, most of them bad: name, TPMT_PUBLIC. */
const TEMPLATES: readonly (readonly [string, string])[] = [
  ["storage", STORAGE],
  ["unknown type", "0099 000b 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["unknown name algorithm", "0023 0012 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["NULL name algorithm", "0023 0010 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["SHA-1 names", "0023 0004 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["SHA-384 names", "0023 000c 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["SHA-512 names", "0023 000d 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["reserved attribute", "0023 000b 80030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["fixedTPM without fixedParent", "0023 000b 00030462 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["fixedParent without fixedTPM", "0023 000b 00030470 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["duplicable", "0023 000b 00030460 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["fixed, encrypted duplication", "0023 000b 00030c72 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["restricted, sign and decrypt", "0023 000b 00070472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["neither sign nor decrypt", "0023 000b 00000472 0000 0010 0010 0003 0010 0000 0000"],
  ["policy of one byte", "0023 000b 00030472 0001aa 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["parent without a cipher", "0023 000b 00030472 0000 0010 0010 0003 0010 0000 0000"],
  ["unknown cipher", "0023 000b 00030472 0000 0099 0080 0043 0010 0003 0010 0000 0000"],
  ["cipher key of 129 bits", "0023 000b 00030472 0000 0006 0081 0043 0010 0003 0010 0000 0000"],
  ["unknown mode", "0023 000b 00030472 0000 0006 0080 0099 0010 0003 0010 0000 0000"],
  ["parent with a scheme", "0023 000b 00030472 0000 0006 0080 0043 0018 000b 0003 0010 0000 0000"],
  ["unknown scheme", "0023 000b 00030472 0000 0006 0080 0043 0099 0003 0010 0000 0000"],
  ["unknown curve", "0023 000b 00030472 0000 0006 0080 0043 0010 0099 0010 0000 0000"],
  ["no curve", "0023 000b 00030472 0000 0006 0080 0043 0010 0000 0010 0000 0000"],
  ["P-384", "0023 000b 00030472 0000 0006 0080 0043 0010 0004 0010 0000 0000"],
  ["KDF", "0023 000b 00030472 0000 0006 0080 0043 0010 0003 0020 000b 0000 0000"],
  ["unknown KDF", "0023 000b 00030472 0000 0006 0080 0043 0010 0003 0099 000b 0000 0000"],
  ["signs with any scheme", "0023 000b 00040472 0000 0010 0010 0003 0010 0000 0000"],
  ["restricted, signs with any scheme", "0023 000b 00050472 0000 0010 0010 0003 0010 0000 0000"],
  ["restricted, signs with ECDSA", "0023 000b 00050472 0000 0010 0018 000b 0003 0010 0000 0000"],
  ["ECDSA with an unknown hash", "0023 000b 00050472 0000 0010 0018 0099 0003 0010 0000 0000"],
  ["ECDSA without a hash", "0023 000b 00050472 0000 0010 0018 0010 0003 0010 0000 0000"],
  ["signing key with a cipher", "0023 000b 00040472 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["sensitive data from outside", "0023 000b 00030452 0000 0006 0080 0043 0010 0003 0010 0000 0000"],
  ["sign and decrypt", "0023 000b 00060472 0000 0010 0010 0003 0010 0000 0000"],
  ["sign and decrypt with a scheme", "0023 000b 00060472 0000 0010 0018 000b 0003 0010 0000 0000"],
  ["decrypts with ECDH", "0023 000b 00020472 0000 0010 0019 000b 0003 0010 0000 0000"],
  ["decrypts with ECDSA", "0023 000b 00020472 0000 0010 0018 000b 0003 0010 0000 0000"],
  ["long unique", `0023 000b 00030472 0000 0006 0080 0043 0010 0003 0010 0001aa 0001bb`],
  ["for X.509", "0023 000b 000c0472 0000 0010 0010 0003 0010 0000 0000"],
  ["RSA of 1000 bits", "0001 000b 00030472 0000 0006 0080 0043 0010 03e8 00000000 0000"],
  ["RSA with exponent 3", "0001 000b 00030472 0000 0006 0080 0043 0010 0800 00000003 0000"],
  ["RSA with exponent 65536", "0001 000b 00030472 0000 0006 0080 0043 0010 0800 00010000 0000"],
  ["RSA with exponent 65537", "0001 000b 00030472 0000 0006 0080 0043 0010 0800 00010001 0000"],
  ["RSA with a short unique", "0001 000b 00030472 0000 0006 0080 0043 0010 0800 00000000 0005 1122334455"],
  ["RSA with ECDSA", "0001 000b 00040472 0000 0010 0018 000b 0800 00000000 0000"],
  ["RSA, decrypts with RSASSA", "0001 000b 00020472 0000 0010 0014 000b 0800 00000000 0000"],
  ["RSA, decrypts with OAEP", "0001 000b 00020472 0000 0010 0017 000b 0800 00000000 0000"],
  ["RSA, signs with OAEP", "0001 000b 00040472 0000 0010 0017 000b 0800 00000000 0000"],
  ["RSA, restricted, RSAPSS", "0001 000b 00050472 0000 0010 0016 000b 0800 00000000 0000"],
  ["byte behind the template", `${STORAGE} 00`],
];

/** Creates a primary and flushes it again. */
async function primary(tpm: Twins, name: string, body: string): Promise<void> {
  const rc = await tpm.step(`primary: ${name}`, "CreatePrimary", body, { keep: { primaryHandle: newHandle } });
  if (rc === 0) await tpm.step(`flush: ${name}`, "FlushContext", "{primaryHandle}");
}

story("emulator and swtpm: templates of primaries", async (tpm) => {
  for (const [name, template] of TEMPLATES)
    await primary(tpm, name, `${OWNER} pw ${SENSITIVE} ${sized(template)} ${REST}`);
  const storage = sized(STORAGE);
  for (const hierarchy of ["4000000b", "4000000c", "40000007", "40000002", "4000000a", "80000000", "01000000"]) {
    await primary(tpm, `under ${hierarchy}`, `${hierarchy} pw ${SENSITIVE} ${storage} ${REST}`);
  }
  await primary(tpm, "wrong password", `${OWNER} pw:aa ${SENSITIVE} ${storage} ${REST}`);
  for (const [name, sensitive] of Object.entries({
    "with data": "0005 0000 0001aa",
    "password of 32 bytes": "0024 0020 11*32 0000",
    "password of 33 bytes": "0025 0021 11*33 0000",
    "password of 33 bytes that ends in zero": "0025 0021 11*32 00 0000",
    "password of 65 bytes": "0045 0041 11*65 0000",
    "sensitive cut": "0003 0000 00",
    "sensitive empty": "0000",
    "byte behind the sensitive": "0005 0000 0000 00",
    "data of 257 bytes": "0105 0000 0101 11*257",
  })) {
    await primary(tpm, name, `${OWNER} pw ${sensitive} ${storage} ${REST}`);
  }
  await primary(tpm, "no public area", `${OWNER} pw ${SENSITIVE} 0000 ${REST}`);
  await primary(tpm, "outsideInfo of 66 bytes", `${OWNER} pw ${SENSITIVE} ${storage} 2b:11*66 00000000`);
  await primary(tpm, "outsideInfo of 67 bytes", `${OWNER} pw ${SENSITIVE} ${storage} 2b:11*67 00000000`);
  await primary(tpm, "with PCRs", `${OWNER} pw ${SENSITIVE} ${storage} 0000 00000002 000b 03 010000 0004 03 ffffff`);
  await primary(
    tpm,
    "with PCRs of an unknown bank",
    `${OWNER} pw ${SENSITIVE} ${storage} 0000 00000001 0099 03 010000`,
  );
  await primary(tpm, "trailing byte", `${OWNER} pw ${SENSITIVE} ${storage} ${REST} 00`);
  await primary(tpm, "parameters cut", `${OWNER} pw ${SENSITIVE} ${storage} 0000 000000`);
  await tpm.step("no object is left", "GetCapability", "00000001 80000000 00000010", { bytes: true });
});

story("emulator and swtpm: children", async (tpm) => {
  const createPrimary = (name: string, hierarchy: string, template: string, handle: string) =>
    tpm.step(name, "CreatePrimary", `${hierarchy} pw ${SENSITIVE} ${sized(template)} ${REST}`, {
      keep: { [handle]: newHandle },
    });
  await createPrimary("parent", OWNER, STORAGE, "parentHandle");
  await createPrimary("signing key", OWNER, "0023 000b 00040472 0000 0010 0010 0003 0010 0000 0000", "signerHandle");
  const keep = {
    private: field(commands.Create, ({ outPrivate }) => outPrivate),
  };
  const create = (name: string, template: string, sensitive = SENSITIVE, parent = "{parentHandle}", options = {}) =>
    tpm.step(`create: ${name}`, "Create", `${parent} pw ${sensitive} ${sized(template)} ${REST}`, options);
  for (const [name, template] of TEMPLATES.filter(([, area]) => area.startsWith("0023"))) await create(name, template);
  await create("with data", STORAGE, "0005 0000 0001aa");
  await create("under a signing key", STORAGE, SENSITIVE, "{signerHandle}");
  await create("under nothing", STORAGE, SENSITIVE, "80000002");
  await create("under a hierarchy", STORAGE, SENSITIVE, OWNER);
  await create("with SHA-1 names under SHA-256", "0023 0004 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000");
  const signing = "0023 000b 00040072 0000 0010 0010 0003 0010 0000 0000";
  await create("a DA-protected signing key with a password", signing, "0006 0002 aabb 0000", "{parentHandle}", {
    keep,
  });
  const load = (name: string, body: string, options = {}) => tpm.step(`load: ${name}`, "Load", body, options);
  await load("nothing", "{parentHandle} pw 0000 0000");
  await load("no private area", `{parentHandle} pw 0000 ${sized(signing)}`);
  await load("another public area", `{parentHandle} pw 2b:{private} ${sized(signing)}`);
  await load("no TPM2B_PRIVATE", `{parentHandle} pw 2b:11*50 ${sized(signing)}`);
  await load("a short TPM2B_PRIVATE", `{parentHandle} pw 2b:0020 ${sized(signing)}`);
  await load("under a signing key", `{signerHandle} pw 2b:{private} ${sized(signing)}`);
  await tpm.step("third object", "CreatePrimary", `${OWNER} pw ${SENSITIVE} ${sized(STORAGE)} ${REST}`, {
    keep: { thirdHandle: newHandle },
  });
  await load("no room", `{parentHandle} pw 2b:{private} ${sized(signing)}`);
  await create("no room", STORAGE);
  await createPrimary("no room", OWNER, STORAGE, "fourthHandle");
  await tpm.step("no room for a sequence", "HashSequenceStart", "0000 000b");
  await tpm.step("objects", "GetCapability", "00000001 80000000 00000010", { bytes: true });
  const evict = (name: string, body: string) => tpm.step(`evict: ${name}`, "EvictControl", body, { bytes: true });
  await evict("keep", `${OWNER} {thirdHandle} pw 81000001`);
  await evict("keep twice", `${OWNER} {thirdHandle} pw 81000001`);
  await evict("in the platform's range", `${OWNER} {thirdHandle} pw 81800000`);
  await evict("by the platform", "4000000c {thirdHandle} pw 81800000");
  await evict("not persistent", `${OWNER} {thirdHandle} pw 80000000`);
  await evict("by the endorsement hierarchy", "4000000b {thirdHandle} pw 81000001");
  await evict("nothing", `${OWNER} 8000ffff pw 81000001`);
  await evict("nothing persistent, no slot to look", `${OWNER} 81000009 pw 81000009`);
  await tpm.step("persistent, no slot to look", "ReadPublic", "81000001");
  await tpm.step("flush", "FlushContext", "{thirdHandle}");
  await tpm.step("persistent", "ReadPublic", "81000001");
  await tpm.step("not persistent", "ReadPublic", "81000002");
  await evict("with another handle", `${OWNER} 81000001 pw 81000002`);
  await evict("nothing there", `${OWNER} 81000009 pw 81000009`);
  await tpm.step("persistent handles", "GetCapability", "00000001 81000000 00000010", { bytes: true });
  await create("under a persistent parent, no slot", STORAGE, SENSITIVE, "81000001");
  await tpm.step("flush", "FlushContext", "{signerHandle}");
  await create("under a persistent parent", STORAGE, SENSITIVE, "81000001");
  await tpm.step("hierarchy NULL", "CreatePrimary", `40000007 pw ${SENSITIVE} ${sized(STORAGE)} ${REST}`, {
    keep: { nullHandle: newHandle },
  });
  await evict("temporary", `${OWNER} {nullHandle} pw 81000003`);
  await tpm.step("flush", "FlushContext", "{nullHandle}");
  await tpm.step("platform", "CreatePrimary", `4000000c pw ${SENSITIVE} ${sized(STORAGE)} ${REST}`, {
    keep: { platformHandle: newHandle },
  });
  await evict("the platform's by the owner", `${OWNER} {platformHandle} pw 81000004`);
  await evict("the platform's in the owner's range", "4000000c {platformHandle} pw 81000004");
  await evict("the platform's", "4000000c {platformHandle} pw 81800000");
  await evict("the platform's away, by the owner", `${OWNER} 81800000 pw 81800000`);
  await evict("the platform's away", "4000000c 81800000 pw 81800000");
  await evict("the owner's away, by the platform", "4000000c 81000001 pw 81000001");
  await evict("again", "4000000c 81000001 pw 81000001");
  await tpm.step(
    "stClear",
    "CreatePrimary",
    `${OWNER} pw ${SENSITIVE} ${sized(STORAGE.replace("00030472", "00030476"))} ${REST}`,
    { keep: { clearHandle: newHandle } },
  );
  await evict("stClear", `${OWNER} {clearHandle} pw 81000005`);
  await createPrimary("EK", "4000000b", EK_RSA, "ekHandle");
});

story("emulator and swtpm: persistent keys, by each name algorithm", async (tpm) => {
  for (const [i, nameAlg] of ["0004", "000b", "000c", "000d"].entries()) {
    const signer = sized(`0023 ${nameAlg} 00040472 0000 0010 0018 000b 0003 0010 0000 0000`);
    await tpm.step(nameAlg, "CreatePrimary", `${OWNER} pw ${SENSITIVE} ${signer} ${REST}`, {
      keep: { keyHandle: newHandle },
      code: true,
    });
    await tpm.step(`${nameAlg}: persistent`, "EvictControl", `${OWNER} {keyHandle} pw 8100000${i}`);
    await tpm.step(`${nameAlg}: flush`, "FlushContext", "{keyHandle}");
  }
  await tpm.step("shutdown", "Shutdown", "0000");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("startup", "Startup", "0000");
  for (const i of [0, 1, 2, 3]) await tpm.step(`names of ${i}`, "ReadPublic", `8100000${i}`);
});

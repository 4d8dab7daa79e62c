import assert from "node:assert/strict";
import { encode, u32be } from "../../../../../shared/bytes/index.ts";
import { commands } from "../../../../../shared/tpm/index.ts";
import { field, newHandle, story } from "./twins.ts";

const WORDS = {
  tpmKey: "40000007",
  bind: "40000007",
  nonce: "2b:11*16",
  salt: "0000",
  type: "01",
  symmetric: "0010",
  hash: "000b",
} as const;

/** The body of a TPM2_StartAuthSession with some words changed. */
function session(changed: Partial<Record<keyof typeof WORDS, string>> = {}): string {
  return Object.values({ ...WORDS, ...changed }).join(" ");
}

story("emulator and swtpm: sessions", async (tpm) => {
  const start = async (name: string, changed: Parameters<typeof session>[0]) => {
    const rc = await tpm.step(`start: ${name}`, "StartAuthSession", session(changed), {
      keep: { startedHandle: newHandle },
    });
    if (rc === 0) await tpm.step(`flush: ${name}`, "FlushContext", "{startedHandle}");
  };
  for (const [name, nonce] of Object.entries({ "15": "11*15", "32": "11*32", "33": "11*33", "65": "11*65" })) {
    await start(`nonce of ${name} bytes`, { nonce: `2b:${nonce}` });
  }
  await start("no nonce", { nonce: "0000" });
  await start("nonce of 20 bytes with SHA-1", { nonce: "2b:11*20", hash: "0004" });
  await start("nonce of 21 bytes with SHA-1", { nonce: "2b:11*21", hash: "0004" });
  await start("nonce of 64 bytes with SHA-512", { nonce: "2b:11*64", hash: "000d" });
  await start("HMAC", { type: "00" });
  await start("type 2", { type: "02" });
  await start("type 4", { type: "04" });
  await start("trial", { type: "03" });
  await start("salt without a key", { salt: "000111" });
  await start("unknown cipher", { symmetric: "0099" });
  await start("AES-CFB", { symmetric: "0006 0080 0043" });
  await start("AES-CBC", { symmetric: "0006 0080 0042" });
  await start("AES of 129 bits", { symmetric: "0006 0081 0043" });
  await start("AES in an unknown mode", { symmetric: "0006 0080 0099" });
  await start("XOR", { symmetric: "000a 000b" });
  await start("XOR with an unknown hash", { symmetric: "000a 0099" });
  await start("unknown hash", { hash: "0099" });
  await start("NULL hash", { hash: "0010" });
  await start("key not loaded", { tpmKey: "80000000" });
  await start("hierarchy as key", { tpmKey: "40000001" });
  await start("bound to what is not loaded", { bind: "80000000" });
  await start("bound to an unknown handle", { bind: "40000002" });
  await start("bound to the owner", { bind: "40000001", type: "00" });
  await start("bound to a PCR", { bind: "00000010", type: "00" });
  await start("bound to a missing index", { bind: "01000001", type: "00" });
  await tpm.step("first", "StartAuthSession", session(), { keep: { aHandle: newHandle } });
  await tpm.step("trial", "StartAuthSession", session({ type: "03" }), { keep: { trialHandle: newHandle } });
  await tpm.step("HMAC", "StartAuthSession", session({ type: "00" }), { keep: { hmacHandle: newHandle } });
  await tpm.step("fourth", "StartAuthSession", session());
  await tpm.step("loaded", "GetCapability", "00000001 02000000 00000010", { bytes: true });
  await tpm.step("saved", "GetCapability", "00000001 03000000 00000010", { bytes: true });

  const secret = (name: string, body: string, options = {}) =>
    tpm.step(`secret: ${name}`, "PolicySecret", body, options);
  const plain = "0000 0000 0000 00000000";
  const digest = (name: string, handle = "{aHandle}") =>
    tpm.step(`digest: ${name}`, "PolicyGetDigest", handle, { bytes: true });
  await digest("fresh");
  await secret("endorsement", `4000000b {aHandle} pw ${plain}`, { bytes: true });
  await digest("EK policy");
  await secret("owner", `40000001 {aHandle} pw ${plain}`, { bytes: true });
  await digest("both");
  await secret("in a trial", `4000000b {trialHandle} pw ${plain}`, { bytes: true });
  await digest("trial", "{trialHandle}");
  await digest("of an HMAC session", "{hmacHandle}");
  await secret("in an HMAC session", `4000000b {hmacHandle} pw ${plain}`);
  await secret("in no session", `4000000b 80000000 pw ${plain}`);
  await secret("in a session that is not loaded", `4000000b 0300000a pw ${plain}`);
  await secret("in a session beyond all", `4000000b 03ffff00 pw ${plain}`);
  await secret("unknown entity", `40000002 {aHandle} pw ${plain}`);
  await secret("NULL", `40000007 {aHandle} pw ${plain}`);
  await secret("lockout", `4000000a {aHandle} pw ${plain}`);
  await secret("PCR", `00000010 {aHandle} pw ${plain}`);
  await secret("wrong password", `4000000b {aHandle} pw:aa ${plain}`);
  await secret("no authorization", `4000000b {aHandle} ${plain}`);
  await secret("another nonce", "4000000b {aHandle} pw 2b:22*16 0000 0000 00000000");
  await secret("nonce of 65 bytes", "4000000b {aHandle} pw 2b:22*65 0000 0000 00000000");
  await secret("policyRef", "4000000b {aHandle} pw 0000 0000 2b:1122334455 00000000");
  await digest("with a policyRef");
  await secret("policyRef of 65 bytes", "4000000b {aHandle} pw 0000 0000 2b:11*65 00000000");
  await secret("cpHash of 16 bytes", "4000000b {aHandle} pw 0000 2b:11*16 0000 00000000");
  await secret("cpHash", "4000000b {aHandle} pw 0000 2b:11*32 0000 00000000");
  await secret("the same cpHash", "4000000b {aHandle} pw 0000 2b:11*32 0000 00000000");
  await secret("another cpHash", "4000000b {aHandle} pw 0000 2b:12*32 0000 00000000");
  await secret("expires", "4000000b {aHandle} pw 0000 0000 0000 00000010");
  await secret("expires, with a ticket", "4000000b {aHandle} pw 0000 0000 0000 ffffff00");
  await secret("trial with a ticket", "4000000b {trialHandle} pw 0000 0000 0000 ffffff00");
  await secret("trailing byte", `4000000b {aHandle} pw ${plain} 00`);
  await digest("end");
  await tpm.step("flush by the other type", "FlushContext", "02000000");
  await tpm.step("flush again", "FlushContext", "{aHandle}");
});

/** The hierarchy of a ticket for PolicySecret. */
const ticketOf = field(commands.PolicySecret, ({ policyTicket }) => encode(u32be, policyTicket.hierarchy));

story("emulator and swtpm: tickets name the hierarchy of who authorized", async (tpm) => {
  const keep = { sHandle: newHandle, nonce: field(commands.StartAuthSession, ({ nonceTPM }) => nonceTPM) };
  await tpm.step("session", "StartAuthSession", session(), { keep });
  const ticket = async (by: string) => {
    const body = `${by} {sHandle} pw 2b:{nonce} 0000 0000 fffff000`;
    await tpm.step(by, "PolicySecret", body, { keep: { ticket: ticketOf } });
    const [emulator, swtpm] = tpm.sides.map(({ kept }) => kept.get("ticket"));
    assert.deepEqual(emulator, swtpm, by);
  };
  for (const hierarchy of ["40000001", "4000000b", "4000000c", "40000007"]) {
    const signer = "2b:0023000b00040472000000100018000b0003001000000000";
    await tpm.step("key", "CreatePrimary", `${hierarchy} pw 0004 0000 0000 ${signer} 0000 00000000`, {
      keep: { keyHandle: newHandle },
    });
    await ticket("{keyHandle}");
    await tpm.step("flush", "FlushContext", "{keyHandle}");
  }
  await tpm.step("owner's index", "NV_DefineSpace", "40000001 pw 0000 2b:01000001000b0206000600000008");
  await tpm.step("platform's index", "NV_DefineSpace", "4000000c pw 0000 2b:01000002000b4206000600000008");
  for (const by of ["40000001", "4000000b", "4000000c", "4000000a", "00000010", "01000001", "01000002"])
    await ticket(by);
});

story("emulator and swtpm: policies that authorize", async (tpm) => {
  const EK_POLICY = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
  const storage = `2b:0023000b000300b20020${EK_POLICY}000600800043001000030010${"00000000"}`;
  await tpm.step("parent", "CreatePrimary", `4000000b pw 0004 0000 0000 ${storage} 0000 00000000`, {
    keep: { parentHandle: newHandle },
  });
  const child = "2b:0023000b00040472000000100010000300100000" + "0000";
  const create = `0004 0000 0000 ${child} 0000 00000000`;
  const keep = {
    private: field(commands.Create, ({ outPrivate }) => outPrivate),
    public: field(commands.Create, () => new Uint8Array(0)),
  };
  await tpm.step("session", "StartAuthSession", session(), { keep: { sHandle: newHandle } });
  await tpm.step("no policy yet", "Create", `{parentHandle} policy:sHandle ${create}`);
  await tpm.step("by password", "Create", `{parentHandle} pw ${create}`);
  await tpm.step("secret", "PolicySecret", "4000000b {sHandle} pw 0000 0000 0000 00000000");
  await tpm.step("create", "Create", `{parentHandle} policy:sHandle ${create}`, { keep });
  await tpm.step("spent", "Create", `{parentHandle} policy:sHandle ${create}`);
  await tpm.step("owner instead", "PolicySecret", "40000001 {sHandle} pw 0000 0000 0000 00000000");
  await tpm.step("another policy", "Create", `{parentHandle} policy:sHandle ${create}`);
  await tpm.step("SHA-384 session", "StartAuthSession", session({ hash: "000c" }), { keep: { bHandle: newHandle } });
  await tpm.step("secret in it", "PolicySecret", "4000000b {bHandle} pw 0000 0000 0000 00000000");
  await tpm.step("another hash", "Create", `{parentHandle} policy:bHandle ${create}`);
  await tpm.step("HMAC session", "StartAuthSession", session({ type: "00" }), { keep: { hHandle: newHandle } });
  await tpm.step("HMAC session for a policy key", "Create", `{parentHandle} policy:hHandle ${create}`);
  await tpm.step("flush", "FlushContext", "{bHandle}");
  await tpm.step("trial", "StartAuthSession", session({ type: "03" }), { keep: { tHandle: newHandle } });
  await tpm.step("secret in the trial", "PolicySecret", "4000000b {tHandle} pw 0000 0000 0000 00000000");
  await tpm.step("trial", "Create", `{parentHandle} policy:tHandle ${create}`);
  await tpm.step("policy for the owner", "EvictControl", "40000001 {parentHandle} policy:sHandle 81000001");
  await tpm.step("policy for a PCR", "PCR_Extend", "00000010 policy:sHandle 00000001 000b 11*32");
  await tpm.step("HMAC of an empty password", "PCR_Extend", "00000010 policy:hHandle 00000001 000b 11*32");
  await tpm.step("HMAC session stays", "GetCapability", "00000001 02000000 00000010", { bytes: true });
});

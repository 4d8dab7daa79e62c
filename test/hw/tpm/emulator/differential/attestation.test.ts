import { commands } from "../../../../../shared/tpm/index.ts";
import { field, newHandle, story, type Twins } from "./twins.ts";

const SENSITIVE = "0004 0000 0000";
const REST = "0000 00000000";
const PCR0 = "00000001 000b 03 010000";
const NO_TICKET = "8024 40000007 0000";

const sized = (words: string) => `2b:${words.replace(/ /g, "")}`;

function primary(tpm: Twins, name: string, template: string, hierarchy = "4000000b"): Promise<number> {
  const body = `${hierarchy} pw ${SENSITIVE} ${sized(template)} ${REST}`;
  return tpm.step(name, "CreatePrimary", body, { keep: { [`${name}Handle`]: newHandle } });
}

const flush = (tpm: Twins, name: string) => tpm.step(`flush ${name}`, "FlushContext", `{${name}Handle}`);

story("emulator and swtpm: quotes", async (tpm) => {
  await primary(tpm, "open", "0001 000b 00040472 0000 0010 0010 0800 00000000 0000");
  await primary(tpm, "fixed", "0001 000b 00050472 0000 0010 0014 000b 0800 00000000 0000");
  await primary(tpm, "ecc", "0023 000b 00050472 0000 0010 0018 000b 0003 0010 0000 0000");
  const quote = (name: string, body: string) => tpm.step(`quote: ${name}`, "Quote", body);
  await quote("a scheme", `{openHandle} pw 0000 0014 000b ${PCR0}`);
  await quote("no scheme", `{openHandle} pw 0000 0010 ${PCR0}`);
  await quote("RSAPSS with SHA-384", `{openHandle} pw 0000 0016 000c ${PCR0}`);
  await quote("ECDSA with an RSA key", `{openHandle} pw 0000 0018 000b ${PCR0}`);
  await quote("unknown scheme", `{openHandle} pw 0000 0099 000b ${PCR0}`);
  await quote("OAEP", `{openHandle} pw 0000 0017 000b ${PCR0}`);
  await quote("unknown hash", `{openHandle} pw 0000 0014 0099 ${PCR0}`);
  await quote("NULL hash", `{openHandle} pw 0000 0014 0010 ${PCR0}`);
  await quote("the key's own scheme", `{fixedHandle} pw 0000 0010 ${PCR0}`);
  await quote("the same scheme", `{fixedHandle} pw 0000 0014 000b ${PCR0}`);
  await quote("another hash", `{fixedHandle} pw 0000 0014 000c ${PCR0}`);
  await quote("another scheme", `{fixedHandle} pw 0000 0016 000b ${PCR0}`);
  await quote("ECDSA", `{eccHandle} pw 0000 0010 ${PCR0}`);
  await quote("66 bytes", `{fixedHandle} pw 2b:11*66 0010 ${PCR0}`);
  await quote("67 bytes", `{fixedHandle} pw 2b:11*67 0010 ${PCR0}`);
  await quote("no PCRs", "{fixedHandle} pw 0000 0010 00000000");
  await quote("two banks", "{fixedHandle} pw 0000 0010 00000002 000b 03 ffffff 0004 03 ffffff");
  await quote("a bank without PCRs", "{fixedHandle} pw 0000 0010 00000001 000b 03 000000");
  await quote("unknown bank", "{fixedHandle} pw 0000 0010 00000001 0012 03 010000");
  await quote("NULL bank", "{fixedHandle} pw 0000 0010 00000001 0010 03 010000");
  await quote("two bytes of PCRs", "{fixedHandle} pw 0000 0010 00000001 000b 02 0100");
  await quote("without a key", `40000007 pw 0000 0010 ${PCR0}`);
  await quote("without a key, with a scheme", `40000007 pw 0000 0014 000b ${PCR0}`);
  await quote("without authorization", `{fixedHandle} 0000 0010 ${PCR0}`);
  await quote("wrong password", `{fixedHandle} pw:aa 0000 0010 ${PCR0}`);
  await quote("with a hierarchy", `4000000b pw 0000 0010 ${PCR0}`);
  await flush(tpm, "ecc");
  await primary(tpm, "storage", "0023 000b 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000");
  await quote("with a storage key", `{storageHandle} pw 0000 0010 ${PCR0}`);
});

story("emulator and swtpm: signatures", async (tpm) => {
  await primary(tpm, "open", "0001 000b 00040472 0000 0010 0010 0800 00000000 0000");
  await primary(tpm, "fixed", "0023 000b 00050472 0000 0010 0018 000b 0003 0010 0000 0000", "40000001");
  await primary(tpm, "both", "0001 000b 00060472 0000 0010 0010 0800 00000000 0000");
  const keep = {
    hashed: field(commands.Hash, ({ outHash }) => outHash),
    ticket: field(commands.Hash, ({ validation }) => validation.digest),
  };
  await tpm.step("hash", "Hash", "2b:61626364 000b 40000001", { keep });
  const sign = (name: string, body: string) => tpm.step(`sign: ${name}`, "Sign", body);
  await sign("with a ticket", "{fixedHandle} pw 2b:{hashed} 0010 8024 40000001 2b:{ticket}");
  await sign("ticket for another hierarchy", "{fixedHandle} pw 2b:{hashed} 0010 8024 4000000b 2b:{ticket}");
  await sign("ticket for an unknown hierarchy", "{fixedHandle} pw 2b:{hashed} 0010 8024 40000002 2b:{ticket}");
  await sign("ticket for another digest", "{fixedHandle} pw 2b:11*32 0010 8024 40000001 2b:{ticket}");
  await sign("short ticket", "{fixedHandle} pw 2b:{hashed} 0010 8024 40000001 2b:11*32");
  await sign("no ticket", `{fixedHandle} pw 2b:{hashed} 0010 ${NO_TICKET}`);
  await sign("ticket of another kind", "{fixedHandle} pw 2b:{hashed} 0010 8021 40000001 2b:{ticket}");
  await sign("another scheme", "{fixedHandle} pw 2b:{hashed} 0014 000b 8024 40000001 2b:{ticket}");
  await sign("the same scheme", "{fixedHandle} pw 2b:{hashed} 0018 000b 8024 40000001 2b:{ticket}");
  await sign("another hash", "{fixedHandle} pw 2b:{hashed} 0018 000c 8024 40000001 2b:{ticket}");
  await sign("open, RSASSA", `{openHandle} pw 2b:{hashed} 0014 000b ${NO_TICKET}`);
  await sign("open, RSAPSS", `{openHandle} pw 2b:{hashed} 0016 000b ${NO_TICKET}`);
  await sign("open, with a ticket", "{openHandle} pw 2b:{hashed} 0014 000b 8024 40000001 2b:{ticket}");
  await sign("open, with a wrong ticket", "{openHandle} pw 2b:11*32 0014 000b 8024 40000001 2b:{ticket}");
  await sign("open, no scheme", `{openHandle} pw 2b:{hashed} 0010 ${NO_TICKET}`);
  await sign("open, ECDSA", `{openHandle} pw 2b:{hashed} 0018 000b ${NO_TICKET}`);
  await sign("open, HMAC", `{openHandle} pw 2b:{hashed} 0005 000b ${NO_TICKET}`);
  await sign("open, RSASSA with SHA-1", `{openHandle} pw 2b:11*20 0014 0004 ${NO_TICKET}`);
  await sign("open, RSASSA with SHA-384", `{openHandle} pw 2b:11*48 0014 000c ${NO_TICKET}`);
  await sign("open, RSASSA with SHA-512", `{openHandle} pw 2b:11*64 0014 000d ${NO_TICKET}`);
  await sign("open, digest of another length", `{openHandle} pw 2b:11*20 0014 000b ${NO_TICKET}`);
  await sign("open, no digest", `{openHandle} pw 0000 0014 000b ${NO_TICKET}`);
  await sign("open, digest of 65 bytes", `{openHandle} pw 2b:11*65 0014 000b ${NO_TICKET}`);
  await sign("open, ticket cut", "{openHandle} pw 2b:{hashed} 0014 000b 8024 40000007");
  await sign("wrong password", `{openHandle} pw:aa 2b:{hashed} 0014 000b ${NO_TICKET}`);
  await sign("no key", `40000007 pw 2b:{hashed} 0014 000b ${NO_TICKET}`);
  await sign("with a decrypting signing key", `{bothHandle} pw 2b:{hashed} 0014 000b ${NO_TICKET}`);
  await flush(tpm, "both");
  await primary(tpm, "x509", "0023 000b 000c0472 0000 0010 0010 0003 0010 0000 0000");
  await sign("X.509 key", `{x509Handle} pw 2b:{hashed} 0018 000b ${NO_TICKET}`);
  await flush(tpm, "x509");
  await primary(tpm, "curve", "0023 000b 00040472 0000 0010 0010 0004 0010 0000 0000");
  await sign("P-384", `{curveHandle} pw 2b:11*48 0018 000c ${NO_TICKET}`);
  await sign("P-384 with SHA-512", `{curveHandle} pw 2b:11*64 0018 000d ${NO_TICKET}`);
  await flush(tpm, "curve");
  await primary(tpm, "decrypt", "0001 000b 00020472 0000 0010 0017 000b 0800 00000000 0000");
  await sign("decryption key", `{decryptHandle} pw 2b:{hashed} 0014 000b ${NO_TICKET}`);
});

const EK_POLICY = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const EK = {
  RSA: `0001000b000300b20020${EK_POLICY}00060080004300100800000000000100${"00".repeat(256)}`,
  ECC: `0023000b000300b20020${EK_POLICY}0006008000430010000300100020${"00".repeat(32)}0020${"00".repeat(32)}`,
};
const SESSION = "40000007 40000007 2b:11*16 0000 01 0010 000b";
const ENDORSEMENT_SECRET = "4000000b {sessionHandle} pw 0000 0000 0000 00000000";

for (const [kind, template] of Object.entries(EK)) {
  story(`emulator and swtpm: credentials of an EK of type ${kind}`, async (tpm) => {
    await primary(tpm, "ek", template);
    await primary(tpm, "aik", "0023 000b 00050472 0000 0010 0018 000b 0003 0010 0000 0000");
    await tpm.step("name", "ReadPublic", "{aikHandle}", {
      keep: { name: field(commands.ReadPublic, ({ name }) => name) },
    });
    const keep = {
      blob: field(commands.MakeCredential, ({ credentialBlob }) => credentialBlob),
      secret: field(commands.MakeCredential, ({ secret }) => secret),
    };
    const make = (name: string, body: string, options = {}) =>
      tpm.step(`make: ${name}`, "MakeCredential", body, options);
    await make("credential", "{ekHandle} 2b:55*32 2b:{name}", { keep });
    await make("33 bytes", "{ekHandle} 2b:55*33 2b:{name}");
    await make("for a signing key", "{aikHandle} 2b:55*32 2b:{name}");
    await tpm.step("session", "StartAuthSession", SESSION, { keep: { sessionHandle: newHandle } });
    /** Activates with the policy satisfied; `areas` may be another pair of sessions. */
    const activate = async (name: string, body: string, policy = true) => {
      if (policy) await tpm.step(`policy for ${name}`, "PolicySecret", ENDORSEMENT_SECRET);
      const area = "00000012 40000009 0000 01 0000 {sessionHandle} 0000 01 0000";
      await tpm.step(`activate: ${name}`, "ActivateCredential", `{aikHandle} {ekHandle} ${area} ${body}`, {
        sessions: true,
      });
    };
    await activate("without the policy", "2b:{blob} 2b:{secret}", false);
    await activate("credential", "2b:{blob} 2b:{secret}");
    await activate("the policy is spent", "2b:{blob} 2b:{secret}", false);
    await activate("empty blob", "0000 2b:{secret}");
    await activate("empty secret", "2b:{blob} 0000");
    await activate("short secret", "2b:{blob} 2b:11*255");
    await activate("long secret", "2b:{blob} 2b:11*257");
    await activate("random blob", "2b:0020 2b:{secret}");
    await activate("blob of the right form", "0044 0020 11*32 22*34 2b:{secret}");
    await activate("blob without content", "0022 0020 11*32 2b:{secret}");
    await activate("blob with a short HMAC", "0042 001e 11*30 22*34 2b:{secret}");
    await activate("blob cut", "0020 0020 11*30 2b:{secret}");
    await activate("secret of 0x11", "2b:{blob} 2b:11*256");
    await activate("point off the curve", "2b:{blob} 0044 0020 11*32 0020 22*32");
    await activate("point cut", "2b:{blob} 0042 0020 11*32 001f 22*31");
    await activate("point with a byte behind", "2b:{blob} 0045 0020 11*32 0020 22*32 00");
    await activate("zero point", "2b:{blob} 0044 0020 00*32 0020 00*32");
    await tpm.step(
      "for another name",
      "ActivateCredential",
      "{ekHandle} {ekHandle} 00000012 40000009 0000 01 0000 {sessionHandle} 0000 01 0000 2b:{blob} 2b:{secret}",
      { sessions: true },
    );
    await tpm.step(
      "with the signing key",
      "ActivateCredential",
      "{aikHandle} {aikHandle} 00000012 40000009 0000 01 0000 40000009 0000 01 0000 2b:{blob} 2b:{secret}",
      { sessions: true },
    );
    await tpm.step("one session", "ActivateCredential", "{aikHandle} {ekHandle} pw 2b:{blob} 2b:{secret}");
    await tpm.step(
      "password for the EK",
      "ActivateCredential",
      "{aikHandle} {ekHandle} 00000012 40000009 0000 01 0000 40000009 0000 01 0000 2b:{blob} 2b:{secret}",
      { sessions: true },
    );
    await tpm.step(
      "policy for the password key",
      "ActivateCredential",
      "{aikHandle} {ekHandle} 00000012 {sessionHandle} 0000 01 0000 40000009 0000 01 0000 2b:{blob} 2b:{secret}",
      { sessions: true },
    );
    await tpm.step(
      "session twice",
      "ActivateCredential",
      "{aikHandle} {ekHandle} 00000012 {sessionHandle} 0000 01 0000 {sessionHandle} 0000 01 0000 2b:{blob} 2b:{secret}",
      { sessions: true },
    );
    await tpm.step("sessions left", "GetCapability", "00000001 02000000 00000010", { bytes: true });
    await tpm.step("policy", "PolicySecret", ENDORSEMENT_SECRET);
    await tpm.step(
      "not continued",
      "ActivateCredential",
      "{aikHandle} {ekHandle} 00000012 40000009 0000 01 0000 {sessionHandle} 0000 00 0000 2b:{blob} 2b:{secret}",
      { sessions: true },
    );
    await tpm.step("sessions gone", "GetCapability", "00000001 02000000 00000010", { bytes: true });
  });
}

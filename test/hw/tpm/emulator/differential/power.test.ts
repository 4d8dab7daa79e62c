import assert from "node:assert/strict";
import { decode } from "../../../../../shared/bytes/index.ts";
import { TpmsTimeInfo } from "../../../../../shared/tpm/index.ts";
import { newHandle, story, type Twins } from "./twins.ts";

/** resetCount, restartCount and safe of both; the times themselves run apart. */
async function counts(tpm: Twins, name: string): Promise<void> {
  await tpm.step(`clock: ${name}`, "ReadClock", "", { keep: { time: ({ parameters }) => parameters } });
  const [emulator, swtpm] = tpm.sides.map(({ kept }) => decode(TpmsTimeInfo, kept.get("time") ?? new Uint8Array(0)));
  const shown = (time: TpmsTimeInfo | undefined) => time && { ...time.clockInfo, clock: undefined };
  assert.deepEqual(shown(emulator), shown(swtpm), name);
}

async function cycle(
  tpm: Twins,
  name: string,
  before: readonly ("CLEAR" | "STATE" | "EXTEND" | "EXTEND16" | "RANDOM")[],
  start = "0000",
): Promise<void> {
  for (const one of before) {
    if (one === "CLEAR" || one === "STATE")
      await tpm.step(`${name}: shutdown`, "Shutdown", one === "CLEAR" ? "0000" : "0001");
    if (one === "EXTEND") await tpm.step(`${name}: extend`, "PCR_Extend", "00000007 pw 00000001 000b 77*32");
    if (one === "EXTEND16") await tpm.step(`${name}: extend 16`, "PCR_Extend", "00000010 pw 00000001 000b 77*32");
    if (one === "RANDOM") await tpm.step(`${name}: random`, "GetRandom", "0010");
  }
  await tpm.platform((platform) => platform.power("cut"));
  const rc = await tpm.step(`${name}: startup`, "Startup", start);
  if (rc !== 0) await tpm.step(`${name}: startup after all`, "Startup", "0000");
  await counts(tpm, name);
  await tpm.step(`${name}: static PCRs`, "PCR_Read", "00000001 000b 03 810000", { bytes: true });
  await tpm.step(`${name}: other PCRs`, "PCR_Read", "00000001 000b 03 000083", { bytes: true });
}

story("emulator and swtpm: power and counts", async (tpm) => {
  await counts(tpm, "fresh");
  await tpm.step("extend", "PCR_Extend", "00000007 pw 00000001 000b 11*32");
  await cycle(tpm, "cut", []);
  await cycle(tpm, "orderly, still unsafe", ["CLEAR"]);
  await cycle(tpm, "resume", ["EXTEND", "EXTEND16", "STATE"], "0001");
  await cycle(tpm, "resume again", ["STATE"], "0001");
  await cycle(tpm, "restart", ["STATE"]);
  await cycle(tpm, "resume, a harmless command between", ["EXTEND", "STATE", "RANDOM"], "0001");
  await cycle(tpm, "resume, PCR 16 between", ["STATE", "EXTEND16"], "0001");
  await cycle(tpm, "resume, PCR 7 between", ["STATE", "EXTEND"], "0001");
  await cycle(tpm, "resume without saved state", ["CLEAR"], "0001");
  await cycle(tpm, "resume after a cut", [], "0001");
  await cycle(tpm, "orderly", ["CLEAR", "RANDOM"]);
  await tpm.step("bad type", "Shutdown", "0002");
  await tpm.step("short type", "Shutdown", "00");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("commands before Startup", "GetRandom", "0010");
  await tpm.step("bad Startup type", "Startup", "0002");
  for (const locality of [1, 2, 4]) {
    await tpm.platform((platform) => platform.setLocality(locality));
    await tpm.step(`Startup at ${locality}`, "Startup", "0000");
  }
  await tpm.platform((platform) => platform.setLocality(3));
  await tpm.step("Startup at 3", "Startup", "0000");
  await tpm.step("PCR 0", "PCR_Read", "00000002 000b 03 010000 0004 03 010000", { bytes: true });
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.platform((platform) => platform.hashSequence(new Uint8Array([1, 2, 3])));
  await tpm.platform((platform) => platform.setLocality(0));
  await tpm.step("Startup after H-CRTM", "Startup", "0000");
  await tpm.step("PCR 0 after H-CRTM", "PCR_Read", "00000002 000b 03 010000 0004 03 010000", { bytes: true });
  await tpm.step("PCR 17 after H-CRTM", "PCR_Read", "00000001 000b 03 000002", { bytes: true });
});

const EK_POLICY = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const STORAGE = `2b:0023000b000300b20020${EK_POLICY}000600800043001000030010${"00000000"}`;
/** Signing keys, ECDSA P-256: 0x00040072 is DA-protected, 0x00040472 is not. */
const signer = (attributes: string) => `2b:0023000b${attributes}0000001000100003001000000000`;
const SIGN = "2b:11*32 0018 000b 8024 40000007 0000";

story("emulator and swtpm: dictionary attacks", async (tpm) => {
  await tpm.step("parent", "CreatePrimary", `4000000b pw 0004 0000 0000 ${STORAGE} 0000 00000000`, {
    keep: { parentHandle: newHandle },
  });
  const primary = (name: string, attributes: string) =>
    tpm.step(name, "CreatePrimary", `40000001 pw 0006 0002 aabb 0000 ${signer(attributes)} 0000 00000000`, {
      keep: { [`${name}Handle`]: newHandle },
    });
  await primary("protected", "00040072");
  await primary("free", "00040472");
  const sign = (name: string, key: string, password: string) =>
    tpm.step(`${name}`, "Sign", `{${key}Handle} ${password} ${SIGN}`);
  const lockout = () => tpm.step("counter", "GetCapability", "00000006 0000020e 00000001", { bytes: true });
  await sign("free, right", "free", "pw:aabb");
  await sign("free, wrong", "free", "pw:aa");
  await lockout();
  await sign("protected: first use wants it again", "protected", "pw:aabb");
  await sign("protected, right", "protected", "pw:aabb");
  await sign("protected, right with zeros", "protected", "pw:aabb0000");
  await sign("protected, wrong", "protected", "pw:aa");
  await lockout();
  await sign("protected, wrong again", "protected", "pw");
  await sign("protected, right between", "protected", "pw:aabb");
  await sign("protected, wrong a third time", "protected", "pw:aa");
  await lockout();
  await sign("locked out, right", "protected", "pw:aabb");
  await sign("locked out, wrong", "protected", "pw:aa");
  await sign("free keys are not locked", "free", "pw:aabb");
  await sign("free keys are not locked, wrong", "free", "pw:aa");
  await tpm.step("flags", "GetCapability", "00000006 00000200 00000001", { bytes: true });
  await tpm.step("persistent", "EvictControl", "40000001 {protectedHandle} pw 81000001");
  await tpm.step("shutdown", "Shutdown", "0000");
  await tpm.platform((platform) => platform.power("orderly"));
  await tpm.step("startup", "Startup", "0000");
  await tpm.step("locked out after a power cycle", "Sign", `81000001 pw:aabb ${SIGN}`);
  await lockout();
});

story("emulator and swtpm: power cuts count against DA-protected keys", async (tpm) => {
  const primary = (name: string, attributes: string) =>
    tpm.step(name, "CreatePrimary", `40000001 pw 0006 0002 aabb 0000 ${signer(attributes)} 0000 00000000`, {
      keep: { keyHandle: newHandle },
    });
  await primary("protected", "00040072");
  await tpm.step("persistent", "EvictControl", "40000001 {keyHandle} pw 81000001");
  for (const round of [1, 2, 3, 4, 5]) {
    await tpm.step(`round ${round}: first`, "Sign", `81000001 pw:aabb ${SIGN}`);
    await tpm.step(`round ${round}: second`, "Sign", `81000001 pw:aabb ${SIGN}`);
    await tpm.platform((platform) => platform.power("cut"));
    await tpm.step(`round ${round}: startup`, "Startup", "0000");
    await tpm.step(`round ${round}: counter`, "GetCapability", "00000006 0000020e 00000001", { bytes: true });
  }
});

for (const [title, recovery] of [
  ["", "00001000"],
  [", where failures of others are not counted", "00000000"],
] as const) {
  story(
    `emulator and swtpm: guesses of lockoutAuth in a session that is bound to something else${title}`,
    async (tpm) => {
      const lockout = "4000000a";
      await tpm.step("parameters", "DictionaryAttackParameters", `${lockout} pw 00000020 ${recovery} 00001000`);
      await tpm.step("lockoutAuth", "HierarchyChangeAuth", `${lockout} pw 2b:aabb`);
      await tpm.step("protected index", "NV_DefineSpace", "40000001 pw 2b:ccdd 2b:01000001000b0006000600000008");
      await tpm.step("bound", "StartAuthSession", "40000007 01000001 2b:11*16 0000 00 0010 000b", {
        keep: { sHandle: newHandle },
      });
      const guess = `00000039 {sHandle} 2b:11*16 01 2b:77*32`;
      for (const at of [1, 2, 3])
        await tpm.step(`guess ${at}`, "DictionaryAttackLockReset", `${lockout} ${guess}`, { sessions: true });
      await tpm.step("counter", "GetCapability", "00000006 0000020e 00000001", { bytes: true });
      await tpm.step("flags", "GetCapability", "00000006 00000200 00000001", { bytes: true });
      await tpm.step("right, too late", "DictionaryAttackLockReset", `${lockout} pw:aabb`);
      await tpm.step("of the owner", "HierarchyChangeAuth", `40000001 ${guess} 0000`, { sessions: true });
      await tpm.step("counts as one of the index", "GetCapability", "00000006 0000020e 00000001", { bytes: true });
    },
  );
}

story("emulator and swtpm: capabilities", async (tpm) => {
  const get = (name: string, body: string, options = {}) =>
    tpm.step(`capability: ${name}`, "GetCapability", body, options);
  await get("permanent handles", "00000001 40000000 00000010", { bytes: true });
  await get("permanent handles from the middle", "00000001 4000000a 00000002", { bytes: true });
  await get("PCR handles", "00000001 00000000 00000040", { bytes: true });
  await get("PCR handles, some", "00000001 00000010 00000003", { bytes: true });
  await get("transient", "00000001 80000000 00000010", { bytes: true });
  await get("persistent", "00000001 81000000 00000010", { bytes: true });
  await get("indices", "00000001 01000000 00000010", { bytes: true });
  await get("sessions", "00000001 02000000 00000010", { bytes: true });
  await get("none asked", "00000001 40000000 00000000", { bytes: true });
  await get("unknown handles", "00000001 05000000 00000010");
  await get("unknown handles", "00000001 90000000 00000010");
  await get("unknown", "0000000b 00000000 00000001");
  await get("vendor", "00000100 00000000 00000001");
  await get("PCRs with a property", "00000005 00000001 00000001");
  await get("cut", "00000001 00000000 000000");
  await get("trailing byte", "00000001 00000000 00000001 00");
  for (const property of [
    0x100, 0x101, 0x102, 0x10d, 0x10e, 0x110, 0x112, 0x113, 0x119, 0x11a, 0x11e, 0x11f, 0x120, 0x12c, 0x12e, 0x204,
    0x207, 0x20e, 0x20f, 0x210, 0x211,
  ]) {
    await get(`property 0x${property.toString(16)}`, `00000006 ${property.toString(16).padStart(8, "0")} 00000001`, {
      code: true,
      keep: { value: lastWord },
    });
    const [emulator, swtpm] = tpm.sides.map(({ kept }) => kept.get("value"));
    assert.deepEqual(emulator, swtpm, `property 0x${property.toString(16)}`);
  }
  await get("curves", "00000008 00000000 00000001", { bytes: undefined });
  await get("PCR property: saved", "00000007 00000000 00000001", { code: true });
  for (const tag of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0x11, 0x12]) {
    await get(`PCR property ${tag}`, `00000007 ${tag.toString(16).padStart(8, "0")} 00000001`, { bytes: true });
  }
});

const lastWord = ({ parameters }: { readonly parameters: Uint8Array }) => parameters.slice(-4);

const STARTS = [
  { name: "a plain start", locality: 0, hCrtm: false },
  { name: "a start at locality 3", locality: 3, hCrtm: false },
  { name: "a start by H-CRTM", locality: 0, hCrtm: true },
  { name: "a start by H-CRTM at locality 3", locality: 3, hCrtm: true },
] as const;

story("emulator and swtpm: a resume goes on with a start of its own kind", async (tpm) => {
  const begin = async ({ locality, hCrtm }: (typeof STARTS)[number]) => {
    await tpm.platform((platform) => platform.power("cut"));
    if (hCrtm) await tpm.platform((platform) => platform.hashSequence(new Uint8Array([1, 2, 3])));
    await tpm.platform((platform) => platform.setLocality(locality));
  };
  for (const first of STARTS) {
    for (const then of STARTS) {
      const name = `${then.name} after ${first.name}`;
      await begin(first);
      await tpm.step(`${name}: start`, "Startup", "0000");
      await tpm.step(`${name}: shutdown`, "Shutdown", "0001");
      await begin(then);
      const rc = await tpm.step(`${name}: resume`, "Startup", "0001");
      if (rc !== 0) await tpm.step(`${name}: clear`, "Startup", "0000");
      await tpm.step(`${name}: PCR 0`, "PCR_Read", "00000002 000b 03 010000 0004 03 010000", { bytes: true });
      await tpm.step(`${name}: shutdown again`, "Shutdown", "0001");
      await begin(first);
      await tpm.step(`${name}: resume as at first`, "Startup", "0001");
      if (rc !== 0) await tpm.step(`${name}: clear after all`, "Startup", "0000");
    }
  }
  await counts(tpm, "in the end");
});

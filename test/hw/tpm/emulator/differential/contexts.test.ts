import assert from "node:assert/strict";
import { decode, encode } from "../../../../../shared/bytes/index.ts";
import { commands, TpmsContext, TpmtPublic } from "../../../../../shared/tpm/index.ts";
import { field, newHandle, type Response, story, type Twins } from "./twins.ts";

const SIGNER = (attributes: string) => `2b:0023000b${attributes}000000100018000b0003001000000000`;
const SIGN = "2b:11*32 0010 8024 40000007 0000";

const whole = ({ parameters }: Response) => parameters;
/** The context with one byte of its blob, counted from the end or with a minus from the start, or one of its labels changed. */
const changed =
  (what: Partial<TpmsContext> | number) =>
  ({ parameters }: Response) => {
    const { context } = decode(commands.ContextSave.response, parameters);
    if (typeof what !== "number") return encode(TpmsContext, { ...context, ...what });
    const contextBlob = context.contextBlob.map((byte, i, all) =>
      i === (what < 0 ? -what : all.length - what) ? byte ^ 1 : byte,
    );
    return encode(TpmsContext, { ...context, contextBlob });
  };

const save = (tpm: Twins, name: string, handle: string, as: string) =>
  tpm.step(`save ${name}`, "ContextSave", handle, {
    code: true,
    keep: {
      [as]: whole,
      [`${as}Tampered`]: changed(1),
      [`${as}Hmac`]: changed(-10),
      [`${as}Owner`]: changed({ hierarchy: 0x40000001 }),
      [`${as}Null`]: changed({ hierarchy: 0x40000007 }),
      [`${as}Lockout`]: changed({ hierarchy: 0x4000000a }),
      [`${as}Saved`]: changed({ savedHandle: 0x80000001 }),
      [`${as}Later`]: changed({ sequence: 99n }),
      [`${as}Empty`]: changed({ contextBlob: new Uint8Array(0) }),
      [`${as}Short`]: changed({ contextBlob: new Uint8Array(20) }),
    },
  });

const load = (tpm: Twins, name: string, as: string) => tpm.step(`load ${name}`, "ContextLoad", `{${as}}`);

story("emulator and swtpm: contexts of objects", async (tpm) => {
  const primary = (name: string, attributes: string, hierarchy = "40000001") =>
    tpm.step(name, "CreatePrimary", `${hierarchy} pw 0004 0000 0000 ${SIGNER(attributes)} 0000 00000000`, {
      keep: { [`${name}Handle`]: newHandle },
    });
  await primary("owner", "00040472");
  await save(tpm, "owner key", "{ownerHandle}", "owner");
  for (const flaw of ["Tampered", "Hmac", "Null", "Lockout", "Saved", "Later", "Empty", "Short"])
    await load(tpm, `owner key, ${flaw}`, `owner${flaw}`);
  await load(tpm, "owner key", "owner");
  await tpm.step("sign with the copy", "Sign", `80000001 pw ${SIGN}`, { code: true });
  await load(tpm, "again", "owner");
  await load(tpm, "no room", "owner");
  for (const slot of [0, 1, 2]) await tpm.step(`flush ${slot}`, "FlushContext", `8000000${slot}`);
  await load(tpm, "after all are gone", "owner");
  await tpm.step("sign", "Sign", `80000000 pw ${SIGN}`, { code: true });
  await primary("clear", "00040476");
  await save(tpm, "stClear key", "80000001", "clear");
  await tpm.step("sequence", "HashSequenceStart", "2b:aabb 000b", { keep: { sHandle: newHandle } });
  await tpm.step("update", "SequenceUpdate", "{sHandle} pw:aabb 2b:616263");
  await save(tpm, "sequence", "{sHandle}", "sequence");
  await tpm.step("update", "SequenceUpdate", "{sHandle} pw:aabb 2b:64");
  await tpm.step("complete", "SequenceComplete", "{sHandle} pw:aabb 0000 40000007", { bytes: true });
  await load(tpm, "sequence", "sequence");
  await tpm.step("complete the copy", "SequenceComplete", "80000002 pw:aabb 0000 40000007", { bytes: true });
  await load(tpm, "sequence again", "sequence");
  await tpm.step("save nothing", "ContextSave", "80000007");
  await tpm.step("save a persistent one", "ContextSave", "81000000");
  await tpm.step("save a hierarchy", "ContextSave", "40000001");
  await tpm.step("save with a session", "ContextSave", "80000000 pw");
  await tpm.step("load garbage", "ContextLoad", "0000000000000001 80000000 40000001 2b:11*80");
  await tpm.step("load a handle that is none", "ContextLoad", "0000000000000001 81000000 40000001 2b:11*80");
  await tpm.step("load nothing", "ContextLoad", "");
  await tpm.step("shutdown", "Shutdown", "0001");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("restart", "Startup", "0000");
  await load(tpm, "owner key after a restart", "owner");
  await load(tpm, "stClear key after a restart", "clear");
  await tpm.step("shutdown", "Shutdown", "0000");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("reset", "Startup", "0000");
  await load(tpm, "owner key after a reset", "owner");
});

story("emulator and swtpm: children of a key with stClear end with it", async (tpm) => {
  const STORAGE = (attributes: string) => `2b:0023000b${attributes}0000000600800043001000030010${"00000000"}`;
  const create = (name: string, command: "CreatePrimary" | "CreateLoaded", parent: string, area: string) => {
    const rest = command === "CreatePrimary" ? "0000 00000000" : "";
    return tpm.step(name, command, `${parent} pw 0004 0000 0000 ${area} ${rest}`, {
      code: true,
      keep: { [`${name}Handle`]: newHandle },
    });
  };
  const savedHandle = async (name: string) => {
    await save(tpm, name, `{${name}Handle}`, name);
    const handles = tpm.sides.map(({ kept }) => decode(TpmsContext, kept.get(name) ?? new Uint8Array(0)).savedHandle);
    assert.deepEqual(handles, [0x80000002, 0x80000002], name);
    await tpm.step(`evict ${name}`, "EvictControl", `40000001 {${name}Handle} pw 81000001`);
  };
  await create("parent", "CreatePrimary", "40000001", STORAGE("00030476"));
  await create("child", "CreateLoaded", "{parentHandle}", STORAGE("00030472"));
  await savedHandle("child");
  await create("grandchild", "CreateLoaded", "{childHandle}", SIGNER("00040472"));
  await savedHandle("grandchild");
  await tpm.step("flush", "FlushContext", "{grandchildHandle}");
  await tpm.step("create", "Create", `{childHandle} pw 0004 0000 0000 ${SIGNER("00040472")} 0000 00000000`, {
    code: true,
    keep: {
      private: field(commands.Create, ({ outPrivate }) => outPrivate),
      public: field(commands.Create, ({ outPublic }) => encode(TpmtPublic, outPublic)),
    },
  });
  await tpm.step("load", "Load", "{childHandle} pw 2b:{private} 2b:{public}", { keep: { loadedHandle: newHandle } });
  await savedHandle("loaded");
  await tpm.step("flush the loaded one", "FlushContext", "{loadedHandle}");
  await load(tpm, "loaded", "loaded");
  await tpm.step("evict a loaded context", "EvictControl", "40000001 {loadedHandle} pw 81000001");
  await tpm.step("shutdown", "Shutdown", "0001");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("restart", "Startup", "0000");
  for (const name of ["child", "grandchild", "loaded"]) await load(tpm, `${name} after a restart`, name);
});

story("emulator and swtpm: policies that expire end with the power", async (tpm) => {
  const start = (name: string) =>
    tpm.step(name, "StartAuthSession", "40000007 40000007 2b:11*16 0000 01 0010 000b", {
      keep: {
        [`${name}Handle`]: newHandle,
        [`${name}Nonce`]: field(commands.StartAuthSession, ({ nonceTPM }) => nonceTPM),
      },
    });
  const secret = (name: string, session: string, nonce: string, expiration: string) =>
    tpm.step(name, "PolicySecret", `4000000b {${session}Handle} pw ${nonce} 0000 0000 ${expiration}`);
  const EK_POLICY = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
  await tpm.step("index", "NV_DefineSpace", `40000001 pw 0000 2b:01000001000b020a00080020${EK_POLICY}0008`);
  for (const name of ["expiring", "plain"]) await start(name);
  await secret("expires", "expiring", "2b:{expiringNonce}", "00007000");
  for (const name of ["expiring", "plain"]) await save(tpm, name, `{${name}Handle}`, name);
  await tpm.step("shutdown", "Shutdown", "0001");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("resume", "Startup", "0001");
  for (const name of ["expiring", "plain"]) {
    await load(tpm, name, name);
    await save(tpm, `${name} once more`, `{${name}Handle}`, name);
    await load(tpm, `${name} once more`, name);
  }
  await tpm.step("use", "NV_Write", "01000001 01000001 policy:expiringHandle 2b:aa 0000");
  for (const name of ["expiring", "plain"]) {
    for (const nonce of [`2b:{${name}Nonce}`, "0000"]) {
      for (const expiration of ["00007000", "00000000"])
        await secret(`${name}: ${nonce}, ${expiration}`, name, nonce, expiration);
    }
    await tpm.step(`${name}: restart`, "PolicyRestart", `{${name}Handle}`);
    await secret(`${name}: still of another start`, name, "0000", "00007000");
    await secret(`${name}: for good`, name, "0000", "00000000");
  }
  const used = await tpm.step("a use", "NV_Write", "01000001 01000001 policy:plainHandle 2b:aa 0000");
  assert.equal(used, 0);
  await secret("begins anew", "plain", "0000", "00007000");
});

story("emulator and swtpm: contexts of sessions", async (tpm) => {
  const start = (name: string, type: string) =>
    tpm.step(name, "StartAuthSession", `40000007 40000007 2b:11*16 0000 ${type} 0010 000b`, {
      keep: { [`${name}Handle`]: newHandle },
    });
  const list = async () => {
    await tpm.step("loaded", "GetCapability", "00000001 02000000 00000010", { bytes: true });
    await tpm.step("saved", "GetCapability", "00000001 03000000 00000010", { bytes: true });
    for (const property of ["00000203", "00000204", "00000205", "00000206"])
      await tpm.step(property, "GetCapability", `00000006 ${property} 00000001`, { bytes: true });
  };
  await start("a", "00");
  await start("b", "01");
  await tpm.step("policy", "PolicySecret", "4000000b {bHandle} pw 0000 0000 0000 00000000", { bytes: true });
  await list();
  await save(tpm, "a", "{aHandle}", "a");
  await save(tpm, "b", "{bHandle}", "b");
  await list();
  await tpm.step("a saved session", "PolicyGetDigest", "{bHandle}");
  await tpm.step("saved already", "ContextSave", "{aHandle}");
  await start("c", "00");
  for (const flaw of ["Tampered", "Hmac", "Owner", "Lockout", "Later", "Empty", "Short"]) {
    await load(tpm, `b, ${flaw}`, `b${flaw}`);
  }
  await load(tpm, "b", "b");
  await tpm.step("as it was", "PolicyGetDigest", "{bHandle}", { bytes: true });
  await load(tpm, "b again", "b");
  await save(tpm, "b once more", "{bHandle}", "later");
  await load(tpm, "b by its old context", "b");
  await load(tpm, "b by its new context", "later");
  await list();
  await tpm.step("flush a saved one", "FlushContext", "{aHandle}");
  await load(tpm, "a, which was flushed", "a");
  await start("d", "00");
  await start("e", "01");
  await save(tpm, "d", "{dHandle}", "d");
  await start("f", "01");
  await list();
  await load(tpm, "d without room", "d");
  await tpm.step("flush", "FlushContext", "{cHandle}");
  await load(tpm, "d", "d");
  await list();
  await save(tpm, "d", "{dHandle}", "d");
  await tpm.step("shutdown", "Shutdown", "0001");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("resume", "Startup", "0001");
  await list();
  await load(tpm, "d after a resume", "d");
  await list();
  await tpm.step("shutdown", "Shutdown", "0000");
  await tpm.platform((platform) => platform.power("cut"));
  await tpm.step("reset", "Startup", "0000");
  await list();
  await load(tpm, "d after a reset", "d");
});

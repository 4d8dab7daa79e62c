import assert from "node:assert/strict";
import { concat, decode, encode, fromHex, u8, u32be } from "../../../../../shared/bytes/index.ts";
import { digest, hmac, kdfa, rsaOaepEncrypt } from "../../../../../shared/crypto/index.ts";
import { commands, decodeResponse, nameOfNv, publicKeyOf, TpmCc, TpmtPublic } from "../../../../../shared/tpm/index.ts";
import { seededRandom } from "../../../../support/random.ts";
import { field, newHandle, story, type Twins } from "./twins.ts";

const NONE = new Uint8Array(0);
const INDEX = 0x01000001;
const AUTH = Uint8Array.of(0xaa, 0xbb);
const CALLER = new Uint8Array(16).fill(0x11);
const SALT = new Uint8Array(32).fill(0x22);
const EK_POLICY = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const EK = `2b:0001000b000300b20020${EK_POLICY}00060080004300100800000000000100${"00".repeat(256)}`;
const PARAMETERS = fromHex("00040000") ?? NONE;

type Kept = Map<string, Uint8Array>;
const get = (kept: Kept, name: string) => kept.get(name) ?? assert.fail(`${name} was not kept`);

/** Puts the HMAC of an NV_Read of the index into `kept`, as Part 1, 19.6.5 computes it. */
function sign(kept: Kept, key: Uint8Array, attributes: number): void {
  const name = get(kept, "name");
  const cpHash = digest("sha256", encode(u32be, TpmCc.NV_Read), name, name, PARAMETERS);
  kept.set("mac", hmac("sha256", key, cpHash, CALLER, get(kept, "nonce"), encode(u8, attributes)));
}

/** Reads the index in the session; checks the HMAC of each answer, and rolls the nonce. */
async function read(
  tpm: Twins,
  label: string,
  sessionKey: (kept: Kept) => Uint8Array,
  authInKey: boolean,
  attributes = 1,
): Promise<void> {
  const key = (kept: Kept) => concat(sessionKey(kept), authInKey ? AUTH : NONE);
  for (const { kept } of tpm.sides) sign(kept, key(kept), attributes);
  const area = `00000039 {sHandle} 2b:11*16 ${attributes.toString(16).padStart(2, "0")} 2b:{mac}`;
  const answers = new Map<string, Uint8Array>();
  await tpm.step(label, "NV_Read", `01000001 01000001 ${area} 0004 0000`, { sessions: true, answers });
  for (const { name, kept } of tpm.sides) {
    const { parameters, sessions } = decodeResponse(get(answers, name), 0);
    const [answer] = sessions;
    assert.ok(answer !== undefined);
    const rpHash = digest("sha256", encode(u32be, 0), encode(u32be, TpmCc.NV_Read), parameters);
    const expected = hmac("sha256", key(kept), rpHash, answer.nonce, CALLER, encode(u8, answer.sessionAttributes));
    assert.deepEqual(answer.hmac, expected, `${label}: ${name}`);
    kept.set("nonce", answer.nonce);
  }
}

const start = { sHandle: newHandle, nonce: field(commands.StartAuthSession, ({ nonceTPM }) => nonceTPM) };
const ath = (kept: Kept, secret: Uint8Array) => kdfa("sha256", secret, "ATH", get(kept, "nonce"), CALLER, 256);

story("emulator and swtpm: HMAC sessions", async (tpm) => {
  const publicInfo = { nvIndex: INDEX, nameAlg: 0x0b, attributes: 0x02060006, authPolicy: NONE, dataSize: 16 };
  await tpm.step("define", "NV_DefineSpace", "40000001 pw 2b:aabb 2b:01000001000b0206000600000010");
  await tpm.step("write", "NV_Write", "01000001 01000001 pw:aabb 2b:55*16 0000");
  for (const { kept } of tpm.sides) kept.set("name", nameOfNv({ ...publicInfo, attributes: 0x22060006 }));

  await tpm.step("unbound", "StartAuthSession", "40000007 40000007 2b:11*16 0000 00 0010 000b", { keep: start });
  await read(tpm, "unbound", () => NONE, true);
  await read(tpm, "unbound, the nonce rolls", () => NONE, true);
  for (const { kept } of tpm.sides) sign(kept, Uint8Array.of(1), 1);
  await tpm.step("wrong key", "NV_Read", "01000001 01000001 00000039 {sHandle} 2b:11*16 01 2b:{mac} 0004 0000", {
    sessions: true,
  });
  await read(tpm, "the last one", () => NONE, true, 0);
  await tpm.step("it is gone", "FlushContext", "{sHandle}");

  await tpm.step("bound", "StartAuthSession", "40000007 01000001 2b:11*16 0000 00 0010 000b", { keep: start });
  for (const { kept } of tpm.sides) kept.set("sessionKey", ath(kept, AUTH));
  await read(tpm, "bound to the index", (kept) => get(kept, "sessionKey"), false);
  await tpm.step("flush", "FlushContext", "{sHandle}");

  const keep = {
    ekHandle: newHandle,
    ek: field(commands.CreatePrimary, ({ outPublic }) => encode(TpmtPublic, outPublic)),
  };
  await tpm.step("EK", "CreatePrimary", `4000000b pw 0004 0000 0000 ${EK} 0000 00000000`, { keep });
  for (const { kept } of tpm.sides) {
    const key = publicKeyOf(decode(TpmtPublic, get(kept, "ek")));
    assert.ok(key?.type === "rsa");
    const sealed = rsaOaepEncrypt(key, "sha256", new TextEncoder().encode("SECRET\0"), SALT, seededRandom(1));
    kept.set("salt", sealed ?? assert.fail("the salt does not fit"));
  }
  await tpm.step("salted", "StartAuthSession", "{ekHandle} 40000007 2b:11*16 2b:{salt} 00 0010 000b", { keep: start });
  for (const { kept } of tpm.sides) kept.set("sessionKey", ath(kept, SALT));
  await read(tpm, "salted", (kept) => get(kept, "sessionKey"), true);
  await tpm.step("flush", "FlushContext", "{sHandle}");
  await tpm.step("salted and bound", "StartAuthSession", "{ekHandle} 01000001 2b:11*16 2b:{salt} 00 0010 000b", {
    keep: start,
  });
  for (const { kept } of tpm.sides) kept.set("sessionKey", ath(kept, concat(AUTH, SALT)));
  await read(tpm, "salted and bound", (kept) => get(kept, "sessionKey"), false);
  await tpm.step("bad salt", "StartAuthSession", "{ekHandle} 40000007 2b:11*16 2b:11*256 00 0010 000b");
  await tpm.step("short salt", "StartAuthSession", "{ekHandle} 40000007 2b:11*16 2b:11*16 00 0010 000b");
  await tpm.step("no salt", "StartAuthSession", "{ekHandle} 40000007 2b:11*16 0000 00 0010 000b");
});

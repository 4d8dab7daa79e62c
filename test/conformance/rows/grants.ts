import { toHex } from "../../../shared/bytes/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import { authorizationFor, V1 } from "../../../shared/protocol/index.ts";
import { expect, expectOther } from "../answer.ts";
import { asBytes, asCbor, asItem } from "../client.ts";
import { attest, type FileRequest, file, grantFor, read, requestGrant, write } from "../flows.ts";
import { flipped, signed, text } from "../platform.ts";
import { COMPAT_ONLY, type ProfileName, type Row, STRICT_ONLY } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/api.md, Extension 1";
const SECRET = text("the key of the disk");
const GET: FileRequest = { method: "GET", name: "a" };
const PUT: FileRequest = { method: "PUT", name: "a", body: SECRET };
const PATH = `${V1.STORAGE}/a`;
const NEEDED = { code: "4.01", text: /grant/ } as const;

/** A row of an attested session that has written the file "a". */
function attested(
  id: string,
  title: string,
  profiles: readonly ProfileName[],
  run: (scene: Scene) => Promise<void>,
): Row {
  return {
    id,
    title,
    source: profiles.length === 1 ? `${SOURCE}; D-59` : SOURCE,
    profiles,
    state: "enrolled",
    async run(scene) {
      const { me, enrolled } = scene;
      await attest(me, enrolled);
      expect(await write(me, enrolled, "a", SECRET), "2.01");
      await run(scene);
    },
  };
}

const strict = (id: string, title: string, run: (scene: Scene) => Promise<void>): Row =>
  attested(id, title, STRICT_ONLY, run);
const both = (id: string, title: string, run: (scene: Scene) => Promise<void>): Row =>
  attested(id, title, ["strict", "compat"], run);

export const grantRows: readonly Row[] = [
  both("GR-01", "a grant has 16 bytes and no two are the same", async ({ me, enrolled: { machine }, by }) => {
    const wanted = { code: "2.01", bytes: 16, format: by(ContentFormat.OctetStream, "none") } as const;
    const first = expect(await requestGrant(me, machine, PATH, GET), wanted);
    expectOther("two grants", first.payload, expect(await requestGrant(me, machine, PATH, GET), wanted).payload);
  }),
  both("GR-02", "a request with its grant is served", async ({ me, enrolled }) => {
    expect(await read(me, enrolled, "a"), "2.05");
  }),
  strict(
    "GR-03",
    "without a grant nothing is read, written or deleted, and the answer says what is missing",
    async ({ me }) => {
      expect(await me.get(file("a")), NEEDED);
      expect(await me.ask("PUT", file("a"), asBytes(SECRET)), NEEDED);
      expect(await me.ask("DELETE", file("a")), NEEDED);
    },
  ),
  attested("GR-04", "without a grant everything is served, as by the reference", COMPAT_ONLY, async ({ me }) => {
    expect(await me.get(file("a")), "2.05");
    expect(await me.ask("PUT", file("a"), asBytes(SECRET)), "2.04");
    expect(await me.ask("DELETE", file("a")), "2.02");
  }),
  strict("GR-05", "a grant serves once", async ({ me, enrolled }) => {
    const query = [await grantFor(me, enrolled, GET)];
    expect(await me.get(file("a"), { query }), "2.05");
    expect(await me.get(file("a"), { query }), NEEDED);
  }),
  strict("GR-06", "a grant for another file is refused, and used up", async ({ me, enrolled }) => {
    const query = [await grantFor(me, enrolled, GET)];
    expect(await me.get(file("b"), { query }), NEEDED);
    expect(await me.get(file("a"), { query }), NEEDED);
  }),
  strict("GR-07", "a grant for another body is refused, and used up", async ({ me, enrolled }) => {
    const query = [await grantFor(me, enrolled, PUT)];
    expect(await me.ask("PUT", file("a"), asBytes(text("another body")), { query }), NEEDED);
    expect(await me.ask("PUT", file("a"), asBytes(SECRET), { query }), NEEDED);
  }),
  strict("GR-08", "a grant for another method is refused, and used up", async ({ me, enrolled }) => {
    const query = [await grantFor(me, enrolled, GET)];
    expect(await me.ask("DELETE", file("a"), undefined, { query }), NEEDED);
    expect(await me.get(file("a"), { query }), NEEDED);
  }),
  strict("GR-09", "a grant belongs to its session", async (scene) => {
    const { me, enrolled } = scene;
    const query = [await grantFor(me, enrolled, GET)];
    const thief = await scene.peer();
    expect(await thief.get(file("a"), { query }), "4.04");
    await attest(thief, enrolled);
    expect(await thief.get(file("a"), { query }), NEEDED);
    expect(await me.get(file("a"), { query }), "2.05");
  }),
  strict("GR-10", "a grant that was never given is refused", async ({ me }) => {
    for (const grant of ["00".repeat(16), "", "x", "00".repeat(64)]) {
      expect(await me.get(file("a"), { query: [`grant=${grant}`] }), NEEDED);
    }
  }),
  strict("GR-11", "of nine grants in a session the oldest gives way", async ({ me, enrolled }) => {
    const grants: string[] = [];
    for (let i = 0; i < 9; i++) grants.push(await grantFor(me, enrolled, GET));
    const [first = "", second = ""] = grants;
    expect(await me.get(file("a"), { query: [first] }), NEEDED);
    expect(await me.get(file("a"), { query: [second] }), "2.05");
  }),
  strict(
    "GR-12",
    "whoever takes the port over after the session ended finds nothing, grant or not",
    async ({ me, enrolled }) => {
      const query = [await grantFor(me, enrolled, GET)];
      await me.silentFor(3_000);
      expect(await me.get(file("a"), { query }), "4.04");
    },
  ),
  {
    id: "GR-13",
    title: "a session that is not attested gets no grant",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      expect(await requestGrant(me, enrolled.machine, PATH, GET), "4.04");
    },
  },
  both("GR-14", "a grant needs a nonce in the session", async ({ me, enrolled: { machine } }) => {
    const none = new Uint8Array(32);
    const data = authorizationFor({ method: "GET", path: PATH, body: new Uint8Array() }, none);
    expect(await me.post(V1.GRANT, asCbor(await signed(machine, data, none))), "4.03");
  }),
  both("GR-15", "a nonce gives one grant", async ({ me, enrolled: { machine } }) => {
    const nonce = await me.nonce();
    const data = authorizationFor({ method: "GET", path: PATH, body: new Uint8Array() }, nonce);
    const body = asCbor(await signed(machine, data, nonce));
    expect(await me.post(V1.GRANT, body), "2.01");
    expect(await me.post(V1.GRANT, body), "4.03");
  }),
  both("GR-16", "a wrong signature gives no grant", async ({ me, enrolled: { machine } }) => {
    const nonce = await me.nonce();
    const data = authorizationFor({ method: "GET", path: PATH, body: new Uint8Array() }, nonce);
    expect(await me.post(V1.GRANT, asCbor(flipped(await signed(machine, data, nonce)))), "4.03");
  }),
  both(
    "GR-17",
    "an authorization for another nonce than the signed one gives no grant",
    async ({ me, enrolled: { machine } }) => {
      const other = new Uint8Array(32);
      const data = authorizationFor({ method: "GET", path: PATH, body: new Uint8Array() }, other);
      expect(await me.post(V1.GRANT, asCbor(await signed(machine, data, await me.nonce()))), "4.03");
    },
  ),
  {
    ...both("GR-18", "the AIK of another platform gets no grant", async (scene) => {
      const stranger = scene.softwareMachine({ aik: scene.by("restricted-rsa", "restricted-ecc") });
      expect(await requestGrant(scene.me, stranger, PATH, GET), "4.03");
    }),
    needs: ["software-tpm"],
  },
  both(
    "GR-19",
    "there are no grants for other methods than GET, PUT and DELETE",
    async ({ me, enrolled: { machine } }) => {
      for (const method of ["POST", "FETCH", "iPATCH"] as const) {
        expect(await requestGrant(me, machine, PATH, { method }), "4.03");
      }
    },
  ),
  both("GR-20", "there are no grants for what is not a file", async ({ me, enrolled: { machine } }) => {
    for (const path of ["/api/v1/nonce", "/api/v1/storage", "", `/x${PATH}`]) {
      expect(await requestGrant(me, machine, path === "" ? "/" : path, GET), "4.03");
    }
  }),
  both("GR-21", "an authorization that is malformed gives no grant", async ({ me, enrolled: { machine } }) => {
    const nonce = await me.nonce();
    expect(await me.post(V1.GRANT, asCbor(await signed(machine, Uint8Array.of(0xa0), nonce))), "4.03");
  }),
  both("GR-22", "a body that is malformed or of a wrong format is told as such", async ({ me }) => {
    await me.nonce();
    expect(await me.post(V1.GRANT, asItem({ data: Uint8Array.of(1) })), "4.00");
    expect(await me.post(V1.GRANT, asBytes(Uint8Array.of(1))), "4.00");
  }),
  strict("GR-23", "a grant in upper-case digits is another", async ({ me, enrolled }) => {
    const answer = await requestGrant(me, enrolled.machine, PATH, GET);
    const grant = toHex(expect(answer, "2.01").payload).toUpperCase();
    expect(await me.get(file("a"), { query: [`grant=${grant}`] }), NEEDED);
  }),
  strict("GR-24", "a used grant voids the older ones for its file, and no others", async ({ me, enrolled }) => {
    const [older, other] = [await grantFor(me, enrolled, PUT), await grantFor(me, enrolled, { ...PUT, name: "b" })];
    expect(await read(me, enrolled, "a"), "2.05");
    expect(await me.ask("PUT", file("a"), asBytes(SECRET), { query: [older] }), NEEDED);
    expect(await me.ask("PUT", file("b"), asBytes(SECRET), { query: [other] }), "2.01");
  }),
];

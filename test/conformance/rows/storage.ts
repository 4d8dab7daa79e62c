import { ContentFormat } from "../../../shared/coap/index.ts";
import { expect, expectSame } from "../answer.ts";
import { asBytes, asCbor, bare } from "../client.ts";
import { attest, enrol, file, grantFor, read, remove, withGrant, write } from "../flows.ts";
import { text } from "../platform.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";
import { Unmet } from "../unmet.ts";

const SOURCE = "docs/api.md, Resources";

/** A row of an attested session. */
function attested(id: string, title: string, run: (scene: Scene) => Promise<void>, source = SOURCE): Row {
  return {
    id,
    title,
    source,
    state: "enrolled",
    async run(scene) {
      await attest(scene.me, scene.enrolled);
      await run(scene);
    },
  };
}

const SECRET = text("the key of the disk");
const filled = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => i % 251);
/** Names that no file may have. */
const BAD = [".", "..", "", "a/b", "a\0b", "/"] as const;

export const storageRows: readonly Row[] = [
  attested("ST-01", "a file that was not there is created", async ({ me, enrolled, by }) => {
    const answer = await write(me, enrolled, "a", SECRET);
    expect(answer, { code: "2.01", bytes: 0, format: by(ContentFormat.OctetStream, "none") });
  }),
  attested("ST-02", "a file that was there is replaced", async ({ me, enrolled, by }) => {
    expect(await write(me, enrolled, "a", SECRET), "2.01");
    const answer = await write(me, enrolled, "a", text("another"));
    expect(answer, { code: "2.04", bytes: 0, format: by(ContentFormat.OctetStream, "none") });
    expectSame("the file", (await read(me, enrolled, "a")).payload, text("another"));
  }),
  attested("ST-03", "a file is read whole, and no cache keeps it", async ({ me, enrolled, by }) => {
    await write(me, enrolled, "a", SECRET);
    const wanted = { code: "2.05", maxAge: 0, format: by(ContentFormat.OctetStream, "none") } as const;
    expectSame("the file", expect(await read(me, enrolled, "a"), wanted).payload, SECRET);
  }),
  attested("ST-04", "a deleted file is gone", async ({ me, enrolled, by }) => {
    await write(me, enrolled, "a", SECRET);
    const answer = await remove(me, enrolled, "a");
    expect(answer, { code: "2.02", bytes: 0, format: by(ContentFormat.OctetStream, "none") });
    expect(await read(me, enrolled, "a"), "4.04");
  }),
  attested("ST-05", "deleting a file that never was succeeds", async ({ me, enrolled }) => {
    expect(await remove(me, enrolled, "never"), "2.02");
  }),
  attested("ST-06", "a file that is not there is not found", async ({ me, enrolled }) => {
    expect(await read(me, enrolled, "never"), "4.04");
  }),
  ...(["GET", "PUT", "DELETE"] as const).map(
    (method, i): Row => ({
      id: `ST-${11 + i}`,
      title: `${method} of a session that is not attested finds nothing`,
      source: SOURCE,
      state: "enrolled",
      async run(scene) {
        await attest(scene.me, scene.enrolled);
        await write(scene.me, scene.enrolled, "a", SECRET);
        const body = method === "PUT" ? asBytes(SECRET) : undefined;
        expect(await (await scene.peer()).ask(method, file("a"), body), "4.04");
      },
    }),
  ),
  attested("ST-14", "bad names are not found", async ({ me, enrolled }) => {
    for (const name of BAD) expect(await withGrant(me, enrolled, { method: "GET", name }), "4.04");
  }),
  attested("ST-15", "bad names cannot be written", async ({ me, enrolled }) => {
    for (const name of BAD) expect(await withGrant(me, enrolled, { method: "PUT", name, body: SECRET }), "4.03");
  }),
  attested("ST-16", "deleting a bad name succeeds", async ({ me, enrolled }) => {
    for (const name of BAD) expect(await withGrant(me, enrolled, { method: "DELETE", name }), "2.02");
  }),
  attested(
    "ST-17",
    "names need not be ASCII, and may have 255 bytes",
    async ({ me, enrolled }) => {
      for (const name of ["schlüssel", "ключ", "a b", "n".repeat(255)]) {
        expect(await write(me, enrolled, name, text(name)), "2.01");
        expectSame(name, (await read(me, enrolled, name)).payload, text(name));
      }
    },
    "docs/api.md, Resources; defect 5 of the reference",
  ),
  attested(
    "ST-18",
    "CBOR is the wrong format for a file",
    async ({ me, enrolled, by }) => {
      const request = { method: "PUT", name: "a", body: SECRET } as const;
      const query = by(true, false) ? [await grantFor(me, enrolled, request)] : [];
      expect(await me.ask("PUT", file("a"), asCbor(SECRET), { query }), "4.00");
      expect(await read(me, enrolled, "a"), "4.04");
    },
    "docs/api.md, Every request",
  ),
  attested(
    "ST-19",
    "no Content-Format means octet-stream",
    async ({ me, enrolled }) => {
      const query = [await grantFor(me, enrolled, { method: "PUT", name: "a", body: SECRET })];
      expect(await me.ask("PUT", file("a"), bare(SECRET), { query }), "2.01");
    },
    "docs/api.md, Every request",
  ),
  attested("ST-20", "a file may be empty", async ({ me, enrolled }) => {
    expect(await write(me, enrolled, "a", new Uint8Array()), "2.01");
    expect(await read(me, enrolled, "a"), { code: "2.05", bytes: 0 });
  }),
  attested(
    "ST-21",
    "a file of 6000 bytes fits, and comes back block by block",
    async ({ me, enrolled }) => {
      expect(await write(me, enrolled, "a", filled(6000)), "2.01");
      expectSame("the file", expect(await read(me, enrolled, "a"), "2.05").payload, filled(6000));
    },
    "docs/api.md, Resources; RFC 7959",
  ),
  attested("ST-22", "a file of 6001 bytes is too large, and the former one stays", async ({ me, enrolled }) => {
    await write(me, enrolled, "a", SECRET);
    expect(await write(me, enrolled, "a", filled(6001)), "5.00");
    expectSame("the file", (await read(me, enrolled, "a")).payload, SECRET);
  }),
  attested(
    "ST-23",
    "the 33rd file of a platform is refused, and those that are there can be replaced",
    async ({ me, enrolled }) => {
      for (let i = 0; i < 32; i++) expect(await write(me, enrolled, `file ${i}`, SECRET), "2.01");
      expect(await write(me, enrolled, "one more", SECRET), "5.00");
      expect(await write(me, enrolled, "file 7", text("another")), "2.04");
      for (let i = 0; i < 32; i++) await remove(me, enrolled, `file ${i}`);
    },
  ),
  attested("ST-24", "over 64 KiB of a platform are refused", async ({ me, enrolled }) => {
    for (let i = 0; i < 10; i++) expect(await write(me, enrolled, `file ${i}`, filled(6000)), "2.01");
    expect(await write(me, enrolled, "file 10", filled(5537)), "5.00");
    expect(await write(me, enrolled, "file 10", filled(5536)), "2.01");
    for (let i = 0; i < 11; i++) await remove(me, enrolled, `file ${i}`);
  }),
  attested("ST-25", "another session of the same platform has the same files", async (scene) => {
    await write(scene.me, scene.enrolled, "a", SECRET);
    const peer = await scene.peer();
    await attest(peer, scene.enrolled);
    expectSame("the file", (await read(peer, scene.enrolled, "a")).payload, SECRET);
  }),
  attested("ST-26", "another platform does not see them", async (scene) => {
    await write(scene.me, scene.enrolled, "a", SECRET);
    const [peer, other] = [await scene.peer(), await scene.platform()];
    await enrol(peer, other);
    await attest(peer, other);
    expect(await read(peer, other, "a"), "4.04");
    expect(await write(peer, other, "a", text("its own")), "2.01");
    expectSame("the file", (await read(scene.me, scene.enrolled, "a")).payload, SECRET);
  }),
  {
    ...attested(
      "ST-27",
      "files outlive the power",
      async (scene) => {
        await write(scene.me, scene.enrolled, "a", SECRET);
        await scene.restart();
        const peer = await scene.peer();
        await attest(peer, scene.enrolled);
        expectSame("the file", (await read(peer, scene.enrolled, "a")).payload, SECRET);
      },
      "docs/storage-format.md",
    ),
    needs: ["power"],
  },
  {
    ...attested("ST-28", "a full storage is told, and files that are there stay", async ({ me, enrolled }) => {
      const MOST = 32;
      expect(await write(me, enrolled, "first", SECRET), "2.01");
      for (let i = 1; ; i++) {
        if (i === MOST) throw new Unmet(`${MOST} files fit`);
        const answer = await write(me, enrolled, `file ${i}`, filled(3000));
        if (answer.code < 0x80) continue;
        expect(answer, "5.00");
        break;
      }
      expectSame("the file", (await read(me, enrolled, "first")).payload, SECRET);
      expect(await remove(me, enrolled, "first"), "2.02");
    }),
    needs: ["small-flash"],
  },
  attested("ST-29", "nothing is below a file", async ({ me, enrolled }) => {
    await write(me, enrolled, "a", SECRET);
    expect(await me.get([...file("a"), "b"]), "4.04");
  }),
];

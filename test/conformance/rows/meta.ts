import { concat } from "../../../shared/bytes/index.ts";
import { encodeItem } from "../../../shared/cbor/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import { expect } from "../answer.ts";
import { asBytes, asCbor, itemOf, type Plain } from "../client.ts";
import { another, context, openContext, postSigned, sendMeta } from "../flows.ts";
import { facts, NO_NONCES, signed } from "../platform.ts";
import type { Row } from "../row.ts";

const SOURCE = "docs/api.md, Resources";
const MESSAGES = "docs/api.md, Nonces and signed objects";

const GOOD = { ...facts, serial_number: "1" };
const { mac: _mac, ...WITHOUT_MAC } = GOOD;
const encoded = (value: Plain): Uint8Array => encodeItem(itemOf(value));

/** Metadata that no platform may have, rightly signed. */
const MALFORMED: readonly (readonly [name: string, metadata: Uint8Array])[] = [
  ["without mac", encoded(WITHOUT_MAC)],
  ["of version 2", encoded({ ...GOOD, version: 2 })],
  ["with a mac of five bytes", encoded({ ...GOOD, mac: new Uint8Array(5) })],
  ["with the mac as text", encoded({ ...GOOD, mac: "00:0d:b9" })],
  ["with an empty manufacturer", encoded({ ...GOOD, manufacturer: "" })],
  ["with an empty product name", encoded({ ...GOOD, product_name: "" })],
  ["with an empty serial number", encoded({ ...GOOD, serial_number: "" })],
  ["with a key that is not known", encoded({ ...GOOD, model: "x" })],
  ["that is no map", encoded([1])],
  ["with a byte behind it", concat(encoded(GOOD), Uint8Array.of(0))],
];

export const metaRows: readonly Row[] = [
  {
    id: "ME-01",
    title: "metadata signed over a fresh nonce is taken",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, platform, by }) {
      const answer = await sendMeta(me, await openContext(me, machine), await platform());
      expect(answer, { code: "2.01", bytes: 0, format: by(ContentFormat.OctetStream, "none") });
    },
  },
  {
    id: "ME-02",
    title: "metadata may be replaced",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, platform, by }) {
      const id = await openContext(me, machine);
      expect(await sendMeta(me, id, await platform()), "2.01");
      const answer = await sendMeta(me, id, await platform());
      expect(answer, { code: "2.04", format: by(ContentFormat.OctetStream, "none") });
    },
  },
  {
    id: "ME-03",
    title: "an unknown context is told before anything else is looked at",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const path = context(another(await openContext(me, machine)), "/meta");
      for (const body of [asCbor(Uint8Array.of(0xff)), asBytes(Uint8Array.of(1)), undefined]) {
        expect(await me.post(path, body), "4.04");
      }
    },
  },
  {
    id: "ME-04",
    title: "the context of another session is unknown",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run(scene) {
      const { me, machine, platform } = scene;
      const foreign = await openContext(await scene.peer(), machine);
      expect(await sendMeta(me, foreign, await platform()), "4.04");
    },
  },
  {
    id: "ME-05",
    title: "ids have one way of writing",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run({ me, platform }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      for (const text of [`0${id}`, `+${id}`, `0x${id.toString(16)}`, `${id}.0`, `${id + 2 ** 32}`, "", "x"]) {
        expect(await postSigned(me, machine, `/api/v1/admin/provision/${text}/meta`, metadata), "4.04");
      }
    },
  },
  {
    id: "ME-06",
    title: "metadata without a nonce in the session is refused",
    source: MESSAGES,
    state: "owned",
    async run({ me, platform }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      for (const nonce of NO_NONCES) {
        expect(await me.post(context(id, "/meta"), asCbor(await signed(machine, metadata, nonce))), "4.03");
      }
    },
  },
  {
    id: "ME-07",
    title: "a signature over the data alone is refused",
    source: `${MESSAGES}; D-48`,
    state: "owned",
    async run({ me, platform, by }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      await me.nonce();
      const body = asCbor(await signed(machine, metadata, new Uint8Array()));
      expect(await me.post(context(id, "/meta"), body), by("4.03", "4.00"));
    },
  },
  {
    id: "ME-08",
    title: "a signature of another AIK is refused",
    source: `${MESSAGES}; D-48`,
    state: "owned",
    needs: ["software-tpm"],
    async run(scene) {
      const { me, machine, platform, by } = scene;
      const { metadata } = await platform();
      const stranger = scene.softwareMachine({ aik: "restricted-rsa" });
      const other = scene.profile === "strict" ? stranger : scene.softwareMachine({ aik: "restricted-ecc" });
      const id = await openContext(me, machine);
      expect(await postSigned(me, other, context(id, "/meta"), metadata), by("4.03", "4.00"));
    },
  },
  ...MALFORMED.map(
    ([name, metadata], i): Row => ({
      id: `ME-${11 + i}`,
      title: `metadata ${name} is malformed`,
      source: MESSAGES,
      state: "owned",
      async run({ me, machine }) {
        const id = await openContext(me, machine);
        expect(await postSigned(me, machine, context(id, "/meta"), metadata), "4.00");
      },
    }),
  ),
  {
    id: "ME-21",
    title: "metadata over 1024 bytes is malformed, and the token goes on",
    source: `${MESSAGES}; defect 5 of the reference`,
    state: "owned",
    async run({ me, machine, platform }) {
      const id = await openContext(me, machine);
      const long = encoded({ ...GOOD, manufacturer: "m".repeat(1100) });
      expect(await postSigned(me, machine, context(id, "/meta"), long), "4.00");
      expect(await sendMeta(me, id, await platform()), "2.01");
    },
  },
  {
    id: "ME-22",
    title: "refused metadata does not replace what was there",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, platform }) {
      const id = await openContext(me, machine);
      expect(await sendMeta(me, id, await platform()), "2.01");
      expect(await postSigned(me, machine, context(id, "/meta"), encoded(WITHOUT_MAC)), "4.00");
      expect(await sendMeta(me, id, await platform()), "2.04");
    },
  },
];

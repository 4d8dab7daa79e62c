import { Code, MessageType } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { expect, expectFacts } from "../answer.ts";
import { asCbor, type Client } from "../client.ts";
import { type Platform, signed } from "../platform.ts";
import { COMPAT_ONLY, type Row, STRICT_ONLY } from "../row.ts";

const SOURCE = "docs/api.md, Sessions";

/** Whether the session still holds this nonce: 2.01 when it does, 4.03 when not. */
async function trying(client: Client, { machine, metadata }: Platform, nonce: Uint8Array) {
  return client.post(V1.ATTEST, asCbor(await signed(machine, metadata, nonce)));
}

/** When the token's pings came, in ms after `from`. */
function pings({ wire }: Client, from: number): readonly number[] {
  const isPing = (message: { type: number; code: number } | undefined) =>
    message?.type === MessageType.Con && message.code === Code.Empty;
  return wire.seen
    .filter(({ direction, message, at }) => direction === "from-token" && at >= from && isPing(message))
    .map(({ at }) => Math.round((at - from) / 100) * 100);
}

export const sessionRows: readonly Row[] = [
  {
    id: "SE-01",
    title: "3 s of silence end a session and its nonce",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const nonce = await me.nonce();
      await me.silentFor(3_000);
      expect(await trying(me, enrolled, nonce), "4.03");
    },
  },
  {
    id: "SE-02",
    title: "2.8 s of silence end nothing",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const nonce = await me.nonce();
      await me.silentFor(2_800);
      expect(await trying(me, enrolled, nonce), "2.01");
    },
  },
  {
    id: "SE-03",
    title: "every message renews the session",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const nonce = await me.nonce();
      for (let i = 0; i < 3; i++) {
        await me.silentFor(2_000);
        await me.get(V1.VERSION);
      }
      expect(await trying(me, enrolled, nonce), "2.01");
    },
  },
  {
    id: "SE-04",
    title: "a ping renews the session and is answered with a RST",
    source: `${SOURCE}; RFC 7252, 4.3`,
    state: "enrolled",
    async run({ me, enrolled }) {
      const nonce = await me.nonce();
      for (let i = 0; i < 3; i++) {
        await me.silentFor(2_000);
        await me.ping();
      }
      expect(await trying(me, enrolled, nonce), "2.01");
    },
  },
  {
    id: "SE-05",
    title: "the token pings a silent peer after 1 s and after 2 s",
    source: `${SOURCE}; D-60`,
    profiles: STRICT_ONLY,
    state: "owned",
    async run({ me }) {
      await me.nonce();
      const from = me.time.clock.now();
      await me.silentFor(4_000);
      expectFacts("pings after ms", pings(me, from), [1_000, 2_000]);
    },
  },
  {
    id: "SE-06",
    title: "a peer that answers pings keeps its session",
    source: `${SOURCE}; D-60`,
    profiles: STRICT_ONLY,
    state: "enrolled",
    async run({ me, enrolled, wait }) {
      const nonce = await me.nonce();
      await wait(7_000);
      expect(await trying(me, enrolled, nonce), "2.01");
    },
  },
  {
    id: "SE-07",
    title: "the token pings nobody, and a peer that says nothing loses its session",
    source: `${SOURCE}; D-60`,
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled, wait }) {
      const nonce = await me.nonce();
      const from = me.time.clock.now();
      await wait(4_000);
      expectFacts("pings", pings(me, from), []);
      expect(await trying(me, enrolled, nonce), "4.03");
    },
  },
  {
    id: "SE-08",
    title: "a peer that only asked for the version is not pinged: it has no session",
    source: `${SOURCE}; D-60`,
    profiles: STRICT_ONLY,
    state: "owned",
    async run({ me, wait }) {
      await me.get(V1.VERSION);
      await me.get("/nothing");
      const from = me.time.clock.now();
      await wait(3_000);
      expectFacts("pings", pings(me, from), []);
    },
  },
];

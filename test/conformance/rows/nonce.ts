import { ContentFormat } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { expect, expectOther } from "../answer.ts";
import { asCbor } from "../client.ts";
import { context, openAttestation, openContext, sendEvidence } from "../flows.ts";
import { flipped, signed } from "../platform.ts";
import { COMPAT_ONLY, type Row, STRICT_ONLY } from "../row.ts";

const SOURCE = "docs/api.md, Nonces and signed objects";

export const nonceRows: readonly Row[] = [
  {
    id: "NO-01",
    title: "a nonce is 32 raw bytes that no cache keeps",
    source: SOURCE,
    state: "owned",
    async run({ me, by }) {
      const wanted = { code: "2.05", bytes: 32, maxAge: 0, format: by(ContentFormat.OctetStream, "none") } as const;
      expect(await me.get(V1.NONCE), wanted);
    },
  },
  {
    id: "NO-02",
    title: "each GET makes another nonce",
    source: SOURCE,
    state: "owned",
    async run({ me }) {
      expectOther("two nonces", await me.nonce(), await me.nonce());
    },
  },
  {
    id: "NO-03",
    title: "two sessions have two nonces",
    source: SOURCE,
    state: "owned",
    async run(scene) {
      expectOther("nonces of two peers", await scene.me.nonce(), await (await scene.peer()).nonce());
    },
  },
  {
    id: "NO-04",
    title: "nothing is below /api/v1/nonce",
    source: "docs/api.md, Resources",
    state: "owned",
    async run({ me }) {
      expect(await me.get(`${V1.NONCE}/1`), "4.04");
    },
  },
  {
    id: "NO-05",
    title: "a fresh nonce replaces the former one",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, platform, by }) {
      const { metadata } = await platform();
      const id = await openContext(me, machine);
      const former = await me.nonce();
      await me.nonce();
      const body = asCbor(await signed(machine, metadata, former));
      expect(await me.post(context(id, "/meta"), body), by("4.03", "4.00"));
    },
  },
  {
    id: "NO-06",
    title: "asking for a nonce ends an open attestation",
    source: `${SOURCE}; D-45`,
    profiles: STRICT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      await me.nonce();
      expect(await sendEvidence(me, id, await enrolled.machine.quote(request)), "4.04");
    },
  },
  {
    id: "NO-07",
    title: "asking for a nonce leaves an open attestation open",
    source: `${SOURCE}; D-45`,
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      await me.nonce();
      expect(await sendEvidence(me, id, await enrolled.machine.quote(request)), "2.04");
    },
  },
  {
    id: "NO-08",
    title: "a nonce that metadata used up is gone",
    source: SOURCE,
    state: "owned",
    async run({ me, platform }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      const body = asCbor(await signed(machine, metadata, await me.nonce()));
      expect(await me.post(context(id, "/meta"), body), "2.01");
      expect(await me.post(context(id, "/meta"), body), "4.03");
    },
  },
  {
    id: "NO-09",
    title: "a wrong signature uses the nonce up as well",
    source: SOURCE,
    state: "owned",
    async run({ me, platform, by }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      const good = await signed(machine, metadata, await me.nonce());
      expect(await me.post(context(id, "/meta"), asCbor(flipped(good))), by("4.03", "4.00"));
      expect(await me.post(context(id, "/meta"), asCbor(good)), "4.03");
    },
  },
];

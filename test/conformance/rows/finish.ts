import { ContentFormat } from "../../../shared/coap/index.ts";
import { expect } from "../answer.ts";
import { asBytes } from "../client.ts";
import {
  another,
  attest,
  context,
  enrol,
  filledContext,
  openContext,
  sendMeta,
  sendRim,
  startAttestation,
} from "../flows.ts";
import { COMPAT_ONLY, type Row, STRICT_ONLY } from "../row.ts";
import { Unmet } from "../unmet.ts";

const SOURCE = "docs/api.md, Resources";
const BODY = asBytes(Uint8Array.of(1));

export const finishRows: readonly Row[] = [
  {
    id: "FI-01",
    title: "metadata and reference values make a platform, which can attest",
    source: SOURCE,
    state: "owned",
    async run({ me, platform, by }) {
      const made = await platform();
      const answer = await me.post(context(await filledContext(me, made)));
      expect(answer, { code: "2.04", bytes: 0, format: by(ContentFormat.OctetStream, "none") });
      await attest(me, made);
    },
  },
  {
    id: "FI-02",
    title: "success ends the context",
    source: SOURCE,
    state: "owned",
    async run({ me, platform }) {
      const id = await filledContext(me, await platform());
      expect(await me.post(context(id)), "2.04");
      expect(await me.post(context(id)), "4.04");
      expect(await sendMeta(me, id, await platform()), "4.04");
    },
  },
  {
    id: "FI-03",
    title: "without metadata there is no platform",
    source: SOURCE,
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      const id = await openContext(me, made.machine);
      expect(await sendRim(me, id, made), "2.01");
      expect(await me.post(context(id)), "4.03");
      expect(await startAttestation(me, made), "4.04");
    },
  },
  {
    id: "FI-04",
    title: "without reference values there is no platform",
    source: SOURCE,
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      const id = await openContext(me, made.machine);
      expect(await sendMeta(me, id, made), "2.01");
      expect(await me.post(context(id)), "4.03");
      expect(await startAttestation(me, made), "4.04");
    },
  },
  {
    id: "FI-05",
    title: "what is missing can follow after a refusal",
    source: `${SOURCE}; D-55`,
    profiles: STRICT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      const id = await openContext(me, made.machine);
      expect(await sendMeta(me, id, made), "2.01");
      expect(await me.post(context(id)), "4.03");
      expect(await sendRim(me, id, made), "2.01");
      expect(await me.post(context(id)), "2.04");
    },
  },
  {
    id: "FI-06",
    title: "a refusal ends the context",
    source: `${SOURCE}; D-55`,
    profiles: COMPAT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      const id = await openContext(me, made.machine);
      expect(await sendMeta(me, id, made), "2.01");
      expect(await me.post(context(id)), "4.03");
      expect(await sendRim(me, id, made), "4.04");
    },
  },
  {
    id: "FI-07",
    title: "a platform that is known is not enrolled again",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const id = await filledContext(me, enrolled);
      expect(await me.post(context(id)), "4.03");
      await attest(me, enrolled);
    },
  },
  {
    id: "FI-08",
    title: "a body is malformed, and what was sent before is not lost",
    source: `${SOURCE}; D-54`,
    profiles: STRICT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const id = await filledContext(me, await platform());
      expect(await me.post(context(id), BODY), "4.00");
      expect(await me.post(context(id)), "2.04");
    },
  },
  {
    id: "FI-09",
    title: "a body is not looked at",
    source: `${SOURCE}; D-54`,
    profiles: COMPAT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      expect(await me.post(context(await filledContext(me, await platform())), BODY), "2.04");
    },
  },
  {
    id: "FI-10",
    title: "an unknown context is told, also one that is no number",
    source: SOURCE,
    state: "owned",
    async run({ me, platform }) {
      const id = await filledContext(me, await platform());
      expect(await me.post(context(another(id))), "4.04");
      expect(await me.post("/api/v1/admin/provision/x"), "4.04");
    },
  },
  {
    id: "FI-11",
    title: "the context of another session is unknown",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run(scene) {
      const { me, platform } = scene;
      const id = await filledContext(me, await platform());
      expect(await (await scene.peer()).post(context(id)), "4.04");
      expect(await me.post(context(id)), "2.04");
    },
  },
  {
    id: "FI-12",
    title: "several platforms are known side by side",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled, platform }) {
      const [one, other] = [await platform(), await platform()];
      await enrol(me, one);
      await enrol(me, other);
      for (const known of [one, other, enrolled]) expect(await startAttestation(me, known), "2.01");
    },
  },
  {
    id: "FI-13",
    title: "a platform outlives the power",
    source: "docs/storage-format.md",
    state: "owned",
    needs: ["power"],
    async run(scene) {
      const made = await scene.platform();
      await enrol(scene.me, made);
      await scene.restart();
      await attest(await scene.peer(), made);
    },
  },
  {
    id: "FI-14",
    title: "an unfinished platform does not outlive the power",
    source: "docs/storage-format.md",
    state: "owned",
    needs: ["power"],
    async run(scene) {
      const made = await scene.platform();
      const id = await filledContext(scene.me, made);
      await scene.restart();
      const peer = await scene.peer();
      expect(await peer.post(context(id)), "4.04");
      expect(await startAttestation(peer, made), "4.04");
    },
  },
  {
    id: "FI-15",
    title: "a full storage is told, and what is known stays known",
    source: SOURCE,
    state: "enrolled",
    needs: ["small-flash"],
    async run({ me, enrolled, platform }) {
      const MOST = 40;
      for (let i = 0; ; i++) {
        if (i === MOST) throw new Unmet(`${MOST} platforms fit`);
        const answer = await me.post(context(await filledContext(me, await platform())));
        if (answer.code < 0x80) continue;
        expect(answer, "5.00");
        break;
      }
      await attest(me, enrolled);
    },
  },
  {
    id: "FI-16",
    title: "a platform that is known is not enrolled again in other bytes",
    source: `${SOURCE}; D-74`,
    profiles: STRICT_ONLY,
    state: "enrolled",
    async run({ me, enrolled, inOtherBytes }) {
      const again = inOtherBytes(enrolled);
      expect(await me.post(context(await filledContext(me, again))), "4.03");
      expect(await startAttestation(me, again), "4.04");
      await attest(me, enrolled);
    },
  },
  {
    id: "FI-17",
    title: "a platform that is known is another one in other bytes",
    source: "docs/deviations.md, D-74",
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled, inOtherBytes }) {
      const again = inOtherBytes(enrolled);
      expect(await me.post(context(await filledContext(me, again))), "2.04");
      await attest(me, again);
    },
  },
];

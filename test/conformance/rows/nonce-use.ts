import { V1 } from "../../../shared/protocol/index.ts";
import { expect } from "../answer.ts";
import { asBytes, asCbor } from "../client.ts";
import {
  activate,
  another,
  context,
  filledContext,
  offered,
  openAttestation,
  openContext,
  sendEvidence,
  startAttestation,
} from "../flows.ts";
import { signed } from "../platform.ts";
import { COMPAT_ONLY, type Row, STRICT_ONLY } from "../row.ts";

const SOURCE = "docs/api.md, Nonces and signed objects";

export const nonceUseRows: readonly Row[] = [
  {
    id: "NO-10",
    title: "a request that is malformed, has a wrong format or id uses no nonce up",
    source: `${SOURCE}; D-56`,
    profiles: STRICT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      const good = await signed(machine, metadata, await me.nonce());
      expect(await me.post(context(id, "/meta"), asBytes(good)), "4.00");
      expect(await me.post(context(id, "/meta"), asCbor(good.subarray(1))), "4.00");
      expect(await me.post(context(another(id), "/meta"), asCbor(good)), "4.04");
      expect(await me.post(context(id, "/meta"), asCbor(good)), "2.01");
    },
  },
  {
    id: "NO-11",
    title: "a wrong format below platform provisioning uses the nonce up",
    source: `${SOURCE}; D-56`,
    profiles: COMPAT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      const good = await signed(machine, metadata, await me.nonce());
      expect(await me.post(context(id, "/meta"), asBytes(good)), "4.00");
      expect(await me.post(context(id, "/meta"), asCbor(good)), "4.03");
    },
  },
  {
    id: "NO-12",
    title: "an unknown id below platform provisioning uses the nonce up",
    source: `${SOURCE}; D-56`,
    profiles: COMPAT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const { machine, metadata } = await platform();
      const id = await openContext(me, machine);
      const good = await signed(machine, metadata, await me.nonce());
      expect(await me.post(context(another(id), "/meta"), asCbor(good)), "4.04");
      expect(await me.post(context(id, "/meta"), asCbor(good)), "4.03");
    },
  },
  {
    id: "NO-13",
    title: "finishing uses the nonce up although it is not signed",
    source: `${SOURCE}; D-56`,
    profiles: COMPAT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      const id = await filledContext(me, made);
      const body = asCbor(await signed(made.machine, made.metadata, await me.nonce()));
      expect(await me.post(context(id)), "2.04");
      expect(await me.post(V1.ATTEST, body), "4.03");
    },
  },
  {
    id: "NO-14",
    title: "finishing uses no nonce up",
    source: `${SOURCE}; D-56`,
    profiles: STRICT_ONLY,
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      const id = await filledContext(me, made);
      const body = asCbor(await signed(made.machine, made.metadata, await me.nonce()));
      expect(await me.post(context(id)), "2.04");
      expect(await me.post(V1.ATTEST, body), "2.01");
    },
  },
  {
    id: "NO-15",
    title: "an attestation uses the nonce up",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const body = asCbor(await signed(enrolled.machine, enrolled.metadata, await me.nonce()));
      expect(await me.post(V1.ATTEST, body), "2.01");
      expect(await me.post(V1.ATTEST, body), "4.03");
    },
  },
  {
    id: "NO-16",
    title: "EK, AIK and activation use no nonce up",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled: { machine, metadata } }) {
      const body = asCbor(await signed(machine, metadata, await me.nonce()));
      expect(await activate(me, await offered(me, machine)), "2.01");
      expect(await me.post(V1.ATTEST, body), "2.01");
    },
  },
  {
    id: "NO-17",
    title: "evidence uses no nonce of the session up",
    source: SOURCE,
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const body = asCbor(await signed(enrolled.machine, enrolled.metadata, await me.nonce()));
      expect(await sendEvidence(me, id, await enrolled.machine.quote(request)), "2.04");
      expect(await me.post(V1.ATTEST, body), "2.01");
    },
  },
  {
    id: "NO-18",
    title: "the nonce of another session is worth nothing",
    source: SOURCE,
    state: "enrolled",
    async run(scene) {
      const { me, enrolled, by } = scene;
      const foreign = await (await scene.peer()).nonce();
      await me.nonce();
      const body = asCbor(await signed(enrolled.machine, enrolled.metadata, foreign));
      expect(await me.post(V1.ATTEST, body), by("4.04", "4.00"));
    },
  },
  {
    id: "NO-19",
    title: "a nonce serves either metadata or reference values, not both",
    source: SOURCE,
    state: "owned",
    async run({ me, platform }) {
      const { machine, metadata, rim } = await platform();
      const id = await openContext(me, machine);
      const nonce = await me.nonce();
      expect(await me.post(context(id, "/rim"), asCbor(await signed(machine, rim, nonce))), "2.01");
      expect(await me.post(context(id, "/meta"), asCbor(await signed(machine, metadata, nonce))), "4.03");
    },
  },
  {
    id: "NO-20",
    title: "an attestation of the same session follows another",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      expect(await startAttestation(me, enrolled), "2.01");
      expect(await startAttestation(me, enrolled), "2.01");
    },
  },
];

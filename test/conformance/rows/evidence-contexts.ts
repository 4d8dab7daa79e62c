import type { Evidence } from "../../../shared/protocol/index.ts";
import type { TpmsAttestQuote } from "../../../shared/tpm/index.ts";
import { expect } from "../answer.ts";
import { asBytes, asItem } from "../client.ts";
import {
  attest,
  attestation,
  enrol,
  evidenceBody,
  failAttestation,
  file,
  type OpenAttestation,
  openAttestation,
  sendEvidence,
} from "../flows.ts";
import { flipped, forged, otherRim, type Platform } from "../platform.ts";
import { COMPAT_ONLY, type Need, type Row, STRICT_ONLY } from "../row.ts";

const SOURCE = "docs/api.md, How evidence is appraised";

type MakeEvidence = (platform: Platform, open: OpenAttestation) => Promise<Evidence>;

function refused(id: string, title: string, source: string, make: MakeEvidence, needs: readonly Need[] = []): Row {
  return {
    id,
    title,
    source,
    state: "enrolled",
    needs,
    async run({ me, enrolled }) {
      const open = await openAttestation(me, enrolled);
      expect(await sendEvidence(me, open.id, await make(enrolled, open)), "4.03");
      expect(await me.get(file("a")), "4.04");
    },
  };
}

/** Evidence that the AIK signs although no TPM says so. */
function _lie(id: string, title: string, source: string, alter: (quote: TpmsAttestQuote) => TpmsAttestQuote): Row {
  return refused(id, title, source, ({ machine }, { request }) => forged(machine, request, alter), ["software-tpm"]);
}

/** TPMS_ATTEST with other bytes, rightly signed. */
function _bytesOf(change: (data: Uint8Array) => Uint8Array): MakeEvidence {
  return async ({ machine }, { request }) => {
    const data = change((await machine.quote(request)).data);
    return { data, signature: await machine.sign(data) };
  };
}

const selecting =
  (change: (quote: TpmsAttestQuote) => TpmsAttestQuote["attested"]["pcrSelect"]) => (quote: TpmsAttestQuote) => ({
    ...quote,
    attested: { ...quote.attested, pcrSelect: change(quote) },
  });
const _masked = (change: (mask: number) => number) =>
  selecting(({ attested }) => attested.pcrSelect.map((bank) => ({ ...bank, pcrSelect: change(bank.pcrSelect) })));

const step = (n: number): string => `${SOURCE}, ${n}`;

export const evidenceContextRows: readonly Row[] = [
  {
    id: "EV-28",
    title: "PCRs that differ from the recorded ones are refused",
    source: step(6),
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      await enrol(me, { ...made, rim: otherRim(made.rim) });
      const { id, request } = await openAttestation(me, made);
      expect(await sendEvidence(me, id, await made.machine.quote(request)), "4.03");
    },
  },
  {
    id: "EV-29",
    title: "a failure uses the context up",
    source: "docs/api.md, How evidence is appraised; D-57",
    profiles: STRICT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const { data, signature } = await enrolled.machine.quote(request);
      expect(await sendEvidence(me, id, { data, signature: flipped(signature) }), "4.03");
      expect(await sendEvidence(me, id, { data, signature }), "4.04");
    },
  },
  {
    id: "EV-30",
    title: "a failure leaves the context open",
    source: "docs/api.md, How evidence is appraised; D-57",
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const { data, signature } = await enrolled.machine.quote(request);
      expect(await sendEvidence(me, id, { data, signature: flipped(signature) }), "4.03");
      expect(await sendEvidence(me, id, { data, signature }), "2.04");
    },
  },
  {
    id: "EV-31",
    title: "a failure ends what the session proved before",
    source: "docs/api.md, How evidence is appraised; D-58",
    profiles: STRICT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      await attest(me, enrolled);
      expect(await failAttestation(me, enrolled), "4.03");
      expect(await me.get(file("a")), "4.04");
    },
  },
  {
    id: "EV-32",
    title: "a failure leaves what the session proved before",
    source: "docs/api.md, How evidence is appraised; D-58",
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      await attest(me, enrolled);
      expect(await me.ask("PUT", file("a"), asBytes(Uint8Array.of(1))), "2.01");
      expect(await failAttestation(me, enrolled), "4.03");
      expect(await me.get(file("a")), "2.05");
    },
  },
  {
    id: "EV-33",
    title: "a failure of one session leaves another attested",
    source: "docs/api.md, How evidence is appraised; defect 4 of the reference",
    state: "enrolled",
    async run(scene) {
      const { me, enrolled, by } = scene;
      await attest(me, enrolled);
      expect(await failAttestation(await scene.peer(), enrolled), "4.03");
      expect(await me.ask("PUT", file("a"), asBytes(Uint8Array.of(1))), by("4.01", "2.01"));
    },
  },
  {
    id: "EV-34",
    title: "malformed evidence is told as such and uses the context up",
    source: "docs/api.md, Resources; D-50",
    profiles: STRICT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      expect(await me.post(attestation(id), asItem({ data: Uint8Array.of(1) })), "4.00");
      expect(await sendEvidence(me, id, await enrolled.machine.quote(request)), "4.04");
    },
  },
  {
    id: "EV-35",
    title: "malformed evidence is a failed attestation",
    source: "docs/api.md, Resources; D-50",
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id } = await openAttestation(me, enrolled);
      expect(await me.post(attestation(id), asItem({ data: Uint8Array.of(1) })), "4.03");
    },
  },
  {
    id: "EV-36",
    title: "octet-stream is the wrong format, and leaves the context open",
    source: "docs/api.md, Every request",
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const body = evidenceBody(await enrolled.machine.quote(request));
      expect(await me.post(attestation(id), asBytes(body.payload)), "4.00");
      expect(await me.post(attestation(id), body), "2.04");
    },
  },
  {
    id: "EV-37",
    title: "six failures within a second stop nothing",
    source: "docs/api.md, How evidence is appraised; defect 5 of the reference",
    state: "enrolled",
    async run(scene) {
      const { me, enrolled } = scene;
      for (let i = 0; i < 6; i++) expect(await failAttestation(me, enrolled), "4.03");
      await attest(me, enrolled);
    },
  },
  {
    id: "EV-38",
    title: "evidence that was good once is refused in another context",
    source: step(3),
    state: "enrolled",
    async run({ me, enrolled }) {
      const first = await openAttestation(me, enrolled);
      const evidence = await enrolled.machine.quote(first.request);
      expect(await sendEvidence(me, first.id, evidence), "2.04");
      const second = await openAttestation(me, enrolled);
      expect(await sendEvidence(me, second.id, evidence), "4.03");
    },
  },
];

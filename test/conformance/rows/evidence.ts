import { concat } from "../../../shared/bytes/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import type { Evidence } from "../../../shared/protocol/index.ts";
import { TpmAlg, TpmSt, type TpmsAttestQuote } from "../../../shared/tpm/index.ts";
import { expect } from "../answer.ts";
import { asBytes, asCbor, asItem } from "../client.ts";
import {
  another,
  attest,
  attestation,
  enrol,
  file,
  type OpenAttestation,
  openAttestation,
  read,
  sendEvidence,
} from "../flows.ts";
import { flipped, forged, type Platform, withByte } from "../platform.ts";
import type { Need, Row } from "../row.ts";

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
function lie(id: string, title: string, source: string, alter: (quote: TpmsAttestQuote) => TpmsAttestQuote): Row {
  return refused(id, title, source, ({ machine }, { request }) => forged(machine, request, alter), ["software-tpm"]);
}

/** TPMS_ATTEST with other bytes, rightly signed. */
function bytesOf(change: (data: Uint8Array) => Uint8Array): MakeEvidence {
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
const masked = (change: (mask: number) => number) =>
  selecting(({ attested }) => attested.pcrSelect.map((bank) => ({ ...bank, pcrSelect: change(bank.pcrSelect) })));

const step = (n: number): string => `${SOURCE}, ${n}`;

export const evidenceRows: readonly Row[] = [
  {
    id: "EV-01",
    title: "a quote of the recorded PCRs attests the session, which may ask for its files",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled, by }) {
      const { id, request } = await openAttestation(me, enrolled);
      const answer = await sendEvidence(me, id, await enrolled.machine.quote(request));
      expect(answer, { code: "2.04", bytes: 0, format: by(ContentFormat.OctetStream, "none") });
      expect(await me.get(file("a")), by("4.01", "4.04"));
      expect(await read(me, enrolled, "a"), "4.04");
    },
  },
  {
    id: "EV-02",
    title: "the quote of a TPM, not only of its likeness, attests",
    source: `${SOURCE}; TPM 2.0 Part 3, 18.4`,
    state: "owned",
    needs: ["tpm"],
    async run({ me, platform, tpm }) {
      const made = await platform(tpm);
      await enrol(me, made);
      await attest(me, made);
    },
  },
  {
    id: "EV-03",
    title: "success uses the context up",
    source: "docs/api.md, Resources",
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const evidence = await enrolled.machine.quote(request);
      expect(await sendEvidence(me, id, evidence), "2.04");
      expect(await sendEvidence(me, id, evidence), "4.04");
    },
  },
  {
    id: "EV-04",
    title: "an unknown context is told before anything else is looked at",
    source: "docs/api.md, Resources",
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id } = await openAttestation(me, enrolled);
      for (const body of [asCbor(Uint8Array.of(0xff)), asBytes(Uint8Array.of(1)), undefined]) {
        expect(await me.post(attestation(another(id)), body), "4.04");
      }
      expect(await me.post("/api/v1/attest/x", asItem({})), "4.04");
    },
  },
  {
    id: "EV-05",
    title: "the context of another session is unknown, and stays its own",
    source: "docs/api.md, Sessions",
    state: "enrolled",
    async run(scene) {
      const { me, enrolled } = scene;
      const { id, request } = await openAttestation(me, enrolled);
      const evidence = await enrolled.machine.quote(request);
      expect(await sendEvidence(await scene.peer(), id, evidence), "4.04");
      expect(await sendEvidence(me, id, evidence), "2.04");
    },
  },
  refused("EV-11", "a wrong signature is refused", step(1), async ({ machine }, { request }) => {
    const { data, signature } = await machine.quote(request);
    return { data, signature: flipped(signature) };
  }),
  refused("EV-12", "a byte changed behind the signature is refused", step(1), async ({ machine }, { request }) => {
    const { data, signature } = await machine.quote(request);
    return { data: withByte(data, 40, (byte) => byte ^ 1), signature };
  }),
  refused(
    "EV-13",
    "another magic is no TPM's word",
    step(2),
    bytesOf((data) => withByte(data, 0, () => 0xfe)),
    ["software-tpm"],
  ),
  refused(
    "EV-14",
    "another type than a quote is refused",
    step(2),
    bytesOf((data) => withByte(data, 5, () => TpmSt.ATTEST_TIME & 0xff)),
    ["software-tpm"],
  ),
  refused(
    "EV-15",
    "bytes behind TPMS_ATTEST are refused",
    step(2),
    bytesOf((data) => concat(data, Uint8Array.of(0))),
    ["software-tpm"],
  ),
  refused(
    "EV-16",
    "a TPMS_ATTEST that is cut short is refused",
    step(2),
    bytesOf((data) => data.subarray(0, 60)),
    ["software-tpm"],
  ),
  lie("EV-17", "a quote with another nonce is refused", step(3), (quote) => ({
    ...quote,
    extraData: new Uint8Array(32),
  })),
  lie("EV-18", "a quote without a nonce is refused", step(3), (quote) => ({ ...quote, extraData: new Uint8Array() })),
  refused("EV-19", "a quote for the nonce of another context is refused", step(3), async ({ machine }, { request }) =>
    machine.quote({ ...request, nonce: request.nonce.map((byte) => byte ^ 0xff) }),
  ),
  lie("EV-20", "a TPM whose clock is not safe is refused", step(4), (quote) => ({
    ...quote,
    clockInfo: { ...quote.clockInfo, safe: 0 },
  })),
  lie(
    "EV-21",
    "a quote of no bank is refused",
    step(5),
    selecting(() => []),
  ),
  lie(
    "EV-22",
    "a quote of one bank more than asked for is refused",
    step(5),
    selecting(({ attested }) => [...attested.pcrSelect, { hash: TpmAlg.SHA1, pcrSelect: 0 }]),
  ),
  lie(
    "EV-23",
    "a quote of another bank is refused",
    step(5),
    selecting(() => [{ hash: TpmAlg.SHA384, pcrSelect: 0x0006_00ff }]),
  ),
  lie(
    "EV-24",
    "a quote of fewer PCRs than asked for is refused",
    step(5),
    masked((mask) => mask & ~1),
  ),
  lie(
    "EV-25",
    "a quote of more PCRs than asked for is refused",
    step(5),
    masked((mask) => mask | 0x8000),
  ),
  lie("EV-26", "a digest of other PCR values is refused", step(6), (quote) => ({
    ...quote,
    attested: { ...quote.attested, pcrDigest: flipped(quote.attested.pcrDigest) },
  })),
  lie("EV-27", "a digest of another size is refused", step(6), (quote) => ({
    ...quote,
    attested: { ...quote.attested, pcrDigest: new Uint8Array(48) },
  })),
];

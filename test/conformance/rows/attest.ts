import { ContentFormat } from "../../../shared/coap/index.ts";
import { QuoteRequest, V1 } from "../../../shared/protocol/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { bodyOf, expect, expectFacts, expectOther, idOf } from "../answer.ts";
import { asCbor } from "../client.ts";
import { attest, openAttestation, postSigned, sendEvidence, startAttestation } from "../flows.ts";
import { flipped, NO_NONCES, signed } from "../platform.ts";
import { COMPAT_ONLY, type Row } from "../row.ts";

const SOURCE = "docs/api.md, Resources";
const SIGNED = "docs/api.md, Nonces and signed objects";

export const attestRows: readonly Row[] = [
  {
    id: "AT-01",
    title: "a known platform gets a context with a nonce of 32 bytes and what to quote",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const answer = await startAttestation(me, enrolled);
      idOf(expect(answer, { code: "2.01", format: ContentFormat.Cbor }));
      expectFacts("bytes of the nonce", bodyOf(answer, QuoteRequest).nonce.byteLength, 32);
    },
  },
  {
    id: "AT-02",
    title: "PCR 0 to 7, 17 and 18 of the SHA-256 bank are asked for",
    source: SIGNED,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { banks } = bodyOf(await startAttestation(me, enrolled), QuoteRequest);
      expectFacts("banks", banks, [{ algo_id: TpmAlg.SHA256, pcrs: 0x0006_00ff }]);
    },
  },
  {
    id: "AT-03",
    title: "the answer is a map of indefinite length, as the reference writes it",
    source: "RFC 8949, 3.2.1",
    profiles: COMPAT_ONLY,
    state: "enrolled",
    async run({ me, enrolled }) {
      expectFacts("first byte", (await startAttestation(me, enrolled)).payload[0], 0xbf);
    },
  },
  {
    id: "AT-04",
    title: "every context has a nonce of its own, which is not the session's",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const sessions = await me.nonce();
      const body = asCbor(await signed(enrolled.machine, enrolled.metadata, sessions));
      const first = bodyOf(expect(await me.post(V1.ATTEST, body), "2.01"), QuoteRequest).nonce;
      const { request } = await openAttestation(me, enrolled);
      expectOther("nonces of two contexts", request.nonce, first);
      expectOther("nonces of session and context", first, sessions);
    },
  },
  {
    id: "AT-05",
    title: "an unknown platform is not there",
    source: SOURCE,
    state: "enrolled",
    async run({ me, platform }) {
      expect(await startAttestation(me, await platform()), "4.04");
    },
  },
  {
    id: "AT-06",
    title: "a token without an owner knows no platform",
    source: SOURCE,
    state: "blank",
    async run({ me, platform }) {
      expect(await startAttestation(me, await platform()), "4.04");
    },
  },
  {
    id: "AT-07",
    title: "metadata that differs in one bit is another platform",
    source: SIGNED,
    state: "enrolled",
    async run({ me, enrolled: { machine, metadata } }) {
      expect(await postSigned(me, machine, V1.ATTEST, flipped(metadata)), "4.04");
    },
  },
  {
    id: "AT-08",
    title: "metadata without a nonce in the session is refused",
    source: SIGNED,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { machine, metadata } = enrolled;
      const isRefused = async () => {
        for (const nonce of NO_NONCES)
          expect(await me.post(V1.ATTEST, asCbor(await signed(machine, metadata, nonce))), "4.03");
      };
      await isRefused();
      expect(await startAttestation(me, enrolled), "2.01");
      await isRefused(); // now there is a session
    },
  },
  {
    id: "AT-14",
    title: "without a nonce nobody learns whether a platform is known",
    source: SIGNED,
    state: "enrolled",
    async run({ me, platform }) {
      const { machine, metadata } = await platform();
      const body = asCbor(await signed(machine, metadata, new Uint8Array(32)));
      expect(await me.post(V1.ATTEST, body), "4.03");
      expect(await postSigned(me, machine, V1.ATTEST, metadata), "4.04");
      expect(await me.post(V1.ATTEST, body), "4.03");
    },
  },
  {
    id: "AT-09",
    title: "a wrong signature is refused",
    source: `${SIGNED}; D-49`,
    state: "enrolled",
    async run({ me, enrolled: { machine, metadata }, by }) {
      const body = flipped(await signed(machine, metadata, await me.nonce()));
      expect(await me.post(V1.ATTEST, asCbor(body)), by("4.04", "4.00"));
    },
  },
  {
    id: "AT-10",
    title: "a signature that was good for an earlier nonce is refused",
    source: `${SIGNED}; D-49`,
    state: "enrolled",
    async run({ me, enrolled: { machine, metadata }, by }) {
      const body = asCbor(await signed(machine, metadata, await me.nonce()));
      expect(await me.post(V1.ATTEST, body), "2.01");
      await me.nonce();
      expect(await me.post(V1.ATTEST, body), by("4.04", "4.00"));
    },
  },
  {
    id: "AT-11",
    title: "the AIK of another TPM does not speak for this platform",
    source: `${SIGNED}; D-49`,
    state: "enrolled",
    needs: ["software-tpm"],
    async run(scene) {
      const { me, enrolled, by } = scene;
      const stranger = scene.softwareMachine({ aik: by("restricted-rsa", "restricted-ecc") });
      expect(await postSigned(me, stranger, V1.ATTEST, enrolled.metadata), by("4.04", "4.00"));
    },
  },
  {
    id: "AT-12",
    title: "data over 1024 bytes is no known platform, and the token goes on",
    source: `${SIGNED}; defect 5 of the reference`,
    state: "enrolled",
    async run({ me, enrolled }) {
      expect(await postSigned(me, enrolled.machine, V1.ATTEST, new Uint8Array(1500)), "4.04");
      await attest(me, enrolled);
    },
  },
  {
    id: "AT-13",
    title: "of nine contexts in a session the oldest gives way",
    source: "docs/api.md, Sessions",
    profiles: COMPAT_ONLY, // in strict the nonce for the next ends the one before
    state: "enrolled",
    async run({ me, enrolled }) {
      const first = await openAttestation(me, enrolled);
      const second = await openAttestation(me, enrolled);
      for (let i = 0; i < 7; i++) await openAttestation(me, enrolled);
      expect(await sendEvidence(me, first.id, await enrolled.machine.quote(first.request)), "4.04");
      expect(await sendEvidence(me, second.id, await enrolled.machine.quote(second.request)), "2.04");
    },
  },
];

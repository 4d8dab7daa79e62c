/** TY: statements of a TPM that are none of these PCRs now: other types, magic, clock, nonce. */
import { wireSignature } from "../../../attester/flows/signed.ts";
import { concat, encode } from "../../../shared/bytes/index.ts";
import type { Evidence, QuoteRequest } from "../../../shared/protocol/index.ts";
import { commands, NULL_SCHEME, TpmSt, TpmsAttest, type TpmsAttestQuote } from "../../../shared/tpm/index.ts";
import { enrol } from "../../conformance/flows.ts";
import type { Machine } from "../../conformance/machine.ts";
import { forged, withByte } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import type { Attack } from "../attack.ts";
import { genuine, reboot } from "../genuine.ts";
import { attestsSaid, enrolledAttests, evidenceSaid } from "../ways.ts";

const NO_QUOTE = "4.03 what was signed is not a quote made by the TPM";
const OTHER_NONCE = "4.03 the quote answers another nonce";
/** After so long the clock has passed everything that it may have said before: Part 1, 36.3, at most 2^22 ms. */
const CLOCK_SAFE_MS = 2 ** 22;
const NAME = new Uint8Array(34);

/** Evidence that the enrolled key signs, as a broken TPM or a vendor who vouches for software would: only what it says is wrong. */
function signedBy(
  id: string,
  title: string,
  expected: string,
  make: (machine: Machine, request: QuoteRequest) => Promise<Evidence>,
): Attack {
  return {
    id,
    title,
    expected,
    honest: "2.04",
    attack: ({ me, enrolled }) => evidenceSaid(me, enrolled, (request) => make(enrolled.machine, request)),
    control: enrolledAttests,
  };
}

type Alter = (quote: TpmsAttestQuote) => TpmsAttest;
const saying = (alter: Alter) => (machine: Machine, request: QuoteRequest) => forged(machine, request, alter);

const bytes = (change: (data: Uint8Array) => Uint8Array) => async (machine: Machine, request: QuoteRequest) => {
  const data = change((await machine.quote(request)).data);
  return { data, signature: await machine.sign(data) };
};

async function enrolGenuine(scene: Scene) {
  const device = await genuine();
  const platform = await scene.platform(device.machine);
  await enrol(scene.me, platform);
  return { device, platform };
}

export const statementAttacks: readonly Attack[] = [
  {
    id: "TY-01",
    title: "have the real AIK certify a key over the token's nonce (TPM2_Certify)",
    expected: NO_QUOTE,
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { device, platform } = await enrolGenuine(scene);
      const { handle } = device.identity.aik;
      return evidenceSaid(scene.me, platform, ({ nonce }) =>
        device.client.turn(async (tpm) => {
          const { response } = await tpm.run(commands.Certify, {
            handles: [handle, handle],
            parameters: { qualifyingData: nonce, inScheme: NULL_SCHEME },
          });
          return { data: response.certifyInfo, signature: wireSignature(response.signature) };
        }),
      );
    },
    async control(scene) {
      const { platform } = await enrolGenuine(scene);
      return attestsSaid(scene.me, platform);
    },
  },
  signedBy(
    "TY-02",
    "send the attested time (TPM2_GetTime) over the token's nonce",
    NO_QUOTE,
    saying(({ attested: _, ...quote }) => ({
      ...quote,
      type: TpmSt.ATTEST_TIME,
      attested: { time: { time: 1n, clockInfo: quote.clockInfo }, firmwareVersion: 1n },
    })),
  ),
  signedBy(
    "TY-03",
    "send the audit of a session (TPM2_GetSessionAuditDigest) over the token's nonce",
    NO_QUOTE,
    saying(({ attested, ...quote }) => ({
      ...quote,
      type: TpmSt.ATTEST_SESSION_AUDIT,
      attested: { exclusiveSession: 1, sessionDigest: attested.pcrDigest },
    })),
  ),
  signedBy(
    "TY-04",
    "send an attested NV index whose content is written like a quote (TPM2_NV_Certify)",
    NO_QUOTE,
    saying((quote) => ({
      ...quote,
      type: TpmSt.ATTEST_NV,
      attested: { indexName: NAME, offset: 0, nvContents: encode(TpmsAttest, quote) },
    })),
  ),
  signedBy(
    "TY-05",
    "send a quote with another magic than TPM_GENERATED_VALUE",
    NO_QUOTE,
    bytes((data) => withByte(data, 0, () => 0xfe)),
  ),
  signedBy(
    "TY-06",
    "send a quote with bytes behind it",
    "4.03 the evidence is not what the protocol says",
    bytes((data) => concat(data, Uint8Array.of(0))),
  ),
  signedBy(
    "TY-07",
    "send a quote without a nonce",
    OTHER_NONCE,
    saying((quote) => ({ ...quote, extraData: new Uint8Array() })),
  ),
  signedBy(
    "TY-08",
    "send a quote whose nonce begins with the right one and goes on",
    OTHER_NONCE,
    saying((quote) => ({ ...quote, extraData: concat(quote.extraData, Uint8Array.of(0)) })),
  ),
  signedBy(
    "TY-09",
    "send a quote with the first half of the nonce",
    OTHER_NONCE,
    saying((quote) => ({ ...quote, extraData: quote.extraData.slice(0, 16) })),
  ),
  signedBy(
    "TY-10",
    "send a quote with clockInfo.safe = 0",
    "4.03 the TPM lost power without an orderly shutdown",
    saying((quote) => ({ ...quote, clockInfo: { ...quote.clockInfo, safe: 0 } })),
  ),
  {
    id: "TY-11",
    title: "cut the real TPM's power, which could let an old state of its clock come back, and quote",
    expected: "4.03 the TPM lost power without an orderly shutdown",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { device, platform } = await enrolGenuine(scene);
      await reboot(device, "cut");
      return attestsSaid(scene.me, platform);
    },
    async control(scene) {
      const { device, platform } = await enrolGenuine(scene);
      device.clock.advance(CLOCK_SAFE_MS);
      await reboot(device);
      return attestsSaid(scene.me, platform);
    },
  },
];

/** PC: quotes of other PCRs than the policy asks for, and reference values that prove nothing. */
import { concat, encode, u16be } from "../../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { decodeRim, type QuoteRequest, Rim } from "../../../shared/protocol/index.ts";
import { pcrDigest, pcrOnes, TpmAlg, type TpmsAttestQuote } from "../../../shared/tpm/index.ts";
import { enrol } from "../../conformance/flows.ts";
import { forged, otherRim, type Platform } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import { Unmet } from "../../conformance/unmet.ts";
import type { Attack } from "../attack.ts";
import { genuine } from "../genuine.ts";
import { attestsSaid, enrolledAttests, enrolSaid, evidenceSaid, refusedByTpm } from "../ways.ts";

const POLICY_PCRS = 0x0006_00ff;
const FIRMWARE_PCRS = 0xff;
const OTHER = "4.03 the quote covers other PCRs than the policy asks for";

/** A true quote of an honest TPM, which was asked for other PCRs than the token wants. */
function quoteOf(id: string, title: string, expected: string, banks: QuoteRequest["banks"]): Attack {
  const enrolledGenuine = async (scene: Scene): Promise<Platform> => {
    const { machine } = await genuine();
    const platform = await scene.platform(machine);
    await enrol(scene.me, platform);
    return platform;
  };
  return {
    id,
    title,
    expected,
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const platform = await enrolledGenuine(scene);
      return evidenceSaid(scene.me, platform, (request) => platform.machine.quote({ ...request, banks }));
    },
    control: async (scene) => attestsSaid(scene.me, await enrolledGenuine(scene)),
  };
}

type Selection = TpmsAttestQuote["attested"]["pcrSelect"];

/** As a TPM whose key signs anything would: the selection is changed, the digest fits the values it names. */
function selecting(id: string, title: string, expected: string, pcrSelect: Selection): Attack {
  return {
    id,
    title,
    expected,
    honest: "2.04",
    attack: ({ me, enrolled }) =>
      evidenceSaid(me, enrolled, (request) =>
        forged(enrolled.machine, request, (quote) => {
          const digest = pcrDigest(SHA256, pcrSelect, decodeRim(enrolled.rim));
          return { ...quote, attested: { pcrSelect, pcrDigest: digest ?? quote.attested.pcrDigest } };
        }),
      ),
    control: enrolledAttests,
  };
}

const { SHA1, SHA256, SHA384 } = TpmAlg;

/** The bytes of the one bank's selection in a quote, by others; signed by a key that signs anything. */
function selectionBytes(id: string, title: string, expected: string, bitmap: readonly number[]): Attack {
  const before = concat(encode(u16be, SHA256), Uint8Array.of(3, 0xff, 0x00, 0x06));
  return {
    id,
    title,
    expected,
    honest: "2.04",
    attack: ({ me, enrolled }) =>
      evidenceSaid(me, enrolled, async (request) => {
        const { data } = await enrolled.machine.quote(request);
        const at = Buffer.from(data).lastIndexOf(before);
        if (at < 0) throw new Unmet("the quote has no such selection");
        const other = concat(encode(u16be, SHA256), Uint8Array.of(bitmap.length, ...bitmap));
        const changed = concat(data.subarray(0, at), other, data.subarray(at + before.byteLength));
        return { data: changed, signature: await enrolled.machine.sign(changed) };
      }),
    control: enrolledAttests,
  };
}

/** Enrols with reference values that were made up: it is the platform's own word, but must cover the policy. */
function rimOf(id: string, title: string, expected: string, change: (rim: Rim) => Rim): Attack {
  return {
    id,
    title,
    expected,
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const platform = await scene.platform();
      return enrolSaid(scene.me, { ...platform, rim: encodeCbor(Rim, change(decodeCbor(Rim, platform.rim))) });
    },
    control: async ({ peer, platform }) => enrolSaid(await peer(), await platform()),
  };
}

const bank256 = (rim: Rim, change: (bank: Rim["banks"][number]) => Rim["banks"][number]): Rim => ({
  ...rim,
  banks: rim.banks.map((bank) => (bank.algo_id === SHA256 ? change(bank) : bank)),
});

export const selectionAttacks: readonly Attack[] = [
  quoteOf("PC-01", "quote PCR 0 to 7 alone, as they are, and leave out those of the launch", OTHER, [
    { algo_id: SHA256, pcrs: FIRMWARE_PCRS },
  ]),
  quoteOf("PC-02", "quote the SHA-1 bank, in which collisions can be made", OTHER, [
    { algo_id: SHA1, pcrs: POLICY_PCRS },
  ]),
  quoteOf("PC-03", "quote no bank at all", OTHER, []),
  quoteOf("PC-04", "quote the right bank without a PCR", OTHER, [{ algo_id: SHA256, pcrs: 0 }]),
  quoteOf("PC-05", "quote the policy's PCRs and one more", OTHER, [{ algo_id: SHA256, pcrs: POLICY_PCRS | (1 << 16) }]),
  quoteOf("PC-06", "quote another bank beside the right one", OTHER, [
    { algo_id: SHA256, pcrs: POLICY_PCRS },
    { algo_id: SHA384, pcrs: POLICY_PCRS },
  ]),
  selecting("PC-07", "name the right bank twice, with half of the PCRs each", OTHER, [
    { hash: SHA256, pcrSelect: FIRMWARE_PCRS },
    { hash: SHA256, pcrSelect: POLICY_PCRS & ~FIRMWARE_PCRS },
  ]),
  selecting("PC-08", "swap PCRs for others of as many: 8 to 15 for 0 to 7", OTHER, [
    { hash: SHA256, pcrSelect: (POLICY_PCRS & ~FIRMWARE_PCRS) | 0xff00 },
  ]),
  selectionBytes(
    "PC-09",
    "write the selection in two bytes, so that PCR 17 and 18 do not fit",
    "4.03 the evidence is not what the protocol says",
    [0xff, 0x00],
  ),
  selectionBytes(
    "PC-10",
    "write the selection in five bytes, with PCRs behind the last one",
    "4.03 the evidence is not what the protocol says",
    [0xff, 0x00, 0x06, 0xff, 0xff],
  ),
  {
    id: "PC-11",
    title: "quote with a digest of the right values by another hash",
    expected: "4.03 the PCRs are not as recorded",
    honest: "2.04",
    attack: ({ me, enrolled }) =>
      evidenceSaid(me, enrolled, (request) =>
        forged(enrolled.machine, request, (quote) => {
          const { pcrSelect } = quote.attested;
          const digest = pcrDigest(SHA384, pcrSelect, decodeRim(enrolled.rim));
          return { ...quote, attested: { pcrSelect, pcrDigest: digest ?? quote.attested.pcrDigest } };
        }),
      ),
    control: enrolledAttests,
  },
  {
    id: "PC-12",
    title: "start PCR 17 anew without a launch, to extend the recorded measurements again",
    expected: "the TPM refuses, 0x907",
    honest: "done",
    state: "owned",
    async attack() {
      const { client } = await genuine();
      return refusedByTpm(client.resetPcr(17));
    },
    control: async () => refusedByTpm((await genuine()).client.resetPcr(16)),
  },
  rimOf("PC-13", "enrol reference values without PCR 17 and 18", "4.03 the reference values do not cover", (rim) =>
    bank256(rim, (bank) => ({ ...bank, pcrs: 0xffff, pcr: bank.pcr.slice(0, 16) })),
  ),
  rimOf("PC-14", "enrol reference values of a boot without a launch", "4.03 PCR 17 and 18 show that no", (rim) =>
    bank256(rim, (bank) => ({
      ...bank,
      pcr: bank.pcr.map((value, i) => (i >= 17 && i <= 22 ? pcrOnes(SHA256) : value)),
    })),
  ),
  rimOf(
    "PC-15",
    "enrol a bank whose mask names more PCRs than there are values",
    "4.00 the reference values are not",
    (rim) => bank256(rim, (bank) => ({ ...bank, pcr: bank.pcr.slice(0, 20) })),
  ),
  {
    id: "PC-16",
    title: "give other reference values for a platform that is enrolled",
    expected: "4.03 this platform is already enrolled",
    honest: "2.04",
    attack: ({ me, enrolled }) => enrolSaid(me, { ...enrolled, rim: otherRim(enrolled.rim) }),
    control: enrolledAttests,
  },
  {
    id: "PC-17",
    title: "boot something else after enrolling a bank of a hash that the token does not know",
    expected: "4.03 the PCRs are not as recorded",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const platform = await enrolledWithUnknownBank(scene);
      return evidenceSaid(scene.me, platform, (request) =>
        forged(platform.machine, request, (quote) => ({
          ...quote,
          attested: { ...quote.attested, pcrDigest: new Uint8Array(32) },
        })),
      );
    },
    control: async (scene) => attestsSaid(scene.me, await enrolledWithUnknownBank(scene)),
  },
];

async function enrolledWithUnknownBank(scene: Scene): Promise<Platform> {
  const platform = await scene.platform();
  const rim = decodeCbor(Rim, platform.rim);
  const unknown = rim.banks.filter(({ algo_id }) => algo_id === SHA256).map((bank) => ({ ...bank, algo_id: 0xffff }));
  const extended = { ...platform, rim: encodeCbor(Rim, { ...rim, banks: [...rim.banks, ...unknown] }) };
  await enrol(scene.me, extended);
  return extended;
}

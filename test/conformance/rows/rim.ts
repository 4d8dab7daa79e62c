import { ContentFormat } from "../../../shared/coap/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { expect, type Wanted } from "../answer.ts";
import { asCbor } from "../client.ts";
import { another, context, openContext, postSigned, sendRim } from "../flows.ts";
import { flipped, NO_NONCES, signed } from "../platform.ts";
import { bank, digests, encoded, FOUR_BANKS, rim, rimOfBytes } from "../reference-values.ts";
import { COMPAT_ONLY, type ProfileName, type Row, STRICT_ONLY } from "../row.ts";

const SOURCE = "docs/api.md, Resources";
const MESSAGES = "docs/api.md, Nonces and signed objects";

const ALL = 0xff_ffff;
const { SHA1, SHA256 } = TpmAlg;

/** Reference values with these bytes in PCR 17 and 18. */
function launch(byte: number): Uint8Array {
  const pcr = digests(24).map((value, i) => (i === 17 || i === 18 ? value.fill(byte) : value));
  return rim(bank(SHA256, ALL, pcr));
}

/** Reference values that no platform may have, rightly signed. */
const MALFORMED: readonly (readonly [name: string, rim: Uint8Array])[] = [
  ["with fewer digests than bits in the mask", rim(bank(SHA256, ALL, digests(23)))],
  ["with more digests than bits in the mask", rim(bank(SHA256, 0xff, digests(9)))],
  ["with a bank twice", rim(bank(SHA256, ALL, digests(24)), bank(SHA256, ALL, digests(24)))],
  ["with digests of the wrong size", rim(bank(SHA256, ALL, digests(24, 20)))],
  ["with digests of two sizes", rim(bank(SHA256, 3, [new Uint8Array(32), new Uint8Array(31)]))],
  ["without a bank", rim()],
  ["without a counter", encoded({ banks: [bank(SHA256, ALL, digests(24))] })],
  ["with a negative counter", encoded({ update_ctr: -1, banks: [bank(SHA256, ALL, digests(24))] })],
  ["with the mask as text", rim({ algo_id: SHA256, pcrs: "all", pcr: [] })],
];

function judged(
  wanted: Wanted | string,
  id: string,
  title: string,
  data: Uint8Array,
  source: string,
  profiles?: readonly ProfileName[],
): Row {
  return {
    id,
    title,
    source,
    ...(profiles === undefined ? {} : { profiles }),
    state: "owned",
    async run({ me, machine }) {
      const id = await openContext(me, machine);
      expect(await postSigned(me, machine, context(id, "/rim"), data), wanted);
    },
  };
}

const WITHOUT_POLICY_BANK = rim(bank(SHA1, ALL, digests(24, 20)));
const WITHOUT_PCR_0 = rim(bank(SHA256, ALL & ~1, digests(24).slice(1)));

export const rimRows: readonly Row[] = [
  {
    id: "RI-01",
    title: "reference values signed over a fresh nonce are taken",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, platform, by }) {
      const answer = await sendRim(me, await openContext(me, machine), await platform());
      expect(answer, { code: "2.01", bytes: 0, format: by(ContentFormat.OctetStream, "none") });
    },
  },
  {
    id: "RI-02",
    title: "reference values may be replaced",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, platform }) {
      const id = await openContext(me, machine);
      expect(await sendRim(me, id, await platform()), "2.01");
      expect(await sendRim(me, id, await platform()), "2.04");
    },
  },
  {
    id: "RI-03",
    title: "an unknown context is told before anything else is looked at",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const path = context(another(await openContext(me, machine)), "/rim");
      for (const body of [asCbor(Uint8Array.of(0xff)), undefined]) expect(await me.post(path, body), "4.04");
    },
  },
  {
    id: "RI-04",
    title: "the context of another session is unknown",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run(scene) {
      const { me, machine, platform } = scene;
      const foreign = await openContext(await scene.peer(), machine);
      expect(await sendRim(me, foreign, await platform()), "4.04");
    },
  },
  {
    id: "RI-05",
    title: "reference values without a nonce in the session are refused",
    source: MESSAGES,
    state: "owned",
    async run({ me, platform }) {
      const made = await platform();
      const id = await openContext(me, made.machine);
      for (const nonce of NO_NONCES) {
        expect(await me.post(context(id, "/rim"), asCbor(await signed(made.machine, made.rim, nonce))), "4.03");
      }
    },
  },
  {
    id: "RI-06",
    title: "a wrong signature is refused",
    source: `${MESSAGES}; D-48`,
    state: "owned",
    async run({ me, platform, by }) {
      const made = await platform();
      const id = await openContext(me, made.machine);
      const body = asCbor(flipped(await signed(made.machine, made.rim, await me.nonce())));
      expect(await me.post(context(id, "/rim"), body), by("4.03", "4.00"));
    },
  },
  judged(
    "2.01",
    "RI-07",
    "four banks of 24 PCRs, as an swtpm with empty state has them, are taken",
    FOUR_BANKS,
    MESSAGES,
  ),
  ...MALFORMED.map(([name, data], i) =>
    judged("4.00", `RI-${11 + i}`, `reference values ${name} are malformed`, data, MESSAGES),
  ),
  judged("4.00", "RI-20", "reference values over 6000 bytes are malformed", rimOfBytes(6001), MESSAGES),
  judged(
    "4.03",
    "RI-21",
    "PCR 17 and 18 of all ones are refused: no launch happened",
    launch(0xff),
    "docs/verdicts.md; D-02",
    STRICT_ONLY,
  ),
  judged(
    "4.03",
    "RI-22",
    "PCR 17 and 18 of all zeros are refused: nothing was measured",
    launch(0),
    "docs/verdicts.md; D-02",
    STRICT_ONLY,
  ),
  judged(
    "2.01",
    "RI-23",
    "PCR 17 and 18 of all ones are taken, as by the reference",
    launch(0xff),
    "docs/verdicts.md; D-02",
    COMPAT_ONLY,
  ),
  judged(
    { code: "4.03", text: /^the reference values do not cover the appraisal policy$/ },
    "RI-24",
    "reference values without the policy's bank are refused",
    WITHOUT_POLICY_BANK,
    "docs/verdicts.md; D-03",
    STRICT_ONLY,
  ),
  judged(
    "4.03",
    "RI-25",
    "reference values without one of the policy's PCRs are refused",
    WITHOUT_PCR_0,
    "docs/verdicts.md; D-03",
    STRICT_ONLY,
  ),
  judged(
    "2.01",
    "RI-26",
    "reference values are not compared with the policy, as by the reference",
    WITHOUT_PCR_0,
    "docs/verdicts.md; D-03",
    COMPAT_ONLY,
  ),
];

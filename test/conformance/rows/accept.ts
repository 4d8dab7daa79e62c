import { type CoapOption, ContentFormat, OptionNumber, uintOption } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { type Answer, expect } from "../answer.ts";
import { asCbor, type Client } from "../client.ts";
import { aikBody, attest, certs, file, sendEk } from "../flows.ts";
import { ders } from "../owner.ts";
import { signed } from "../platform.ts";
import { COMPAT_ONLY, type ProfileName, type Row, STRICT_ONLY } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/api.md, Every request";
const _CONDITIONS = `${SOURCE}; RFC 7252, 5.10.8; D-53`;
const ACCEPT = `${SOURCE}; RFC 7252, 5.10.4; D-52`;
const TEXT = ContentFormat.Text;

const _IF_MATCH: CoapOption = { number: OptionNumber.IfMatch, value: Uint8Array.of(1) };
const _IF_NONE_MATCH: CoapOption = { number: OptionNumber.IfNoneMatch, value: new Uint8Array() };

function row(
  id: string,
  title: string,
  source: string,
  run: (scene: Scene) => Promise<void>,
  profiles?: readonly ProfileName[],
): Row {
  return { id, title, source, ...(profiles === undefined ? {} : { profiles }), state: "enrolled", run };
}

/** Good requests of several resources with one more option. */
async function everywhere({ me, machine }: Scene, ...options: readonly CoapOption[]): Promise<readonly Answer[]> {
  return [
    await me.get(V1.VERSION, { options }),
    await me.get(V1.NONCE, { options }),
    await me.post(V1.EK, certs(machine.ekChain), { options }),
  ];
}

async function attestWith(client: Client, { enrolled }: Scene, options: readonly CoapOption[]): Promise<Answer> {
  const body = asCbor(await signed(enrolled.machine, enrolled.metadata, await client.nonce()));
  return client.post(V1.ATTEST, body, { options });
}

/** A uint option in four bytes, as coap-lite's clients write them. */
const fourBytes = (number: number, value: number): CoapOption => ({
  number,
  value: Uint8Array.of(0, 0, value >> 8, value & 0xff),
});
const expectAll = (answers: readonly Answer[], ...codes: readonly string[]): void => {
  for (const [i, answer] of answers.entries()) expect(answer, codes[i] ?? codes[0] ?? "");
};

export const acceptRows: readonly Row[] = [
  row(
    "OP-12",
    "Accept that cannot be met is told, in whatever length it is written",
    ACCEPT,
    async (scene) => {
      for (const accept of [uintOption(OptionNumber.Accept, TEXT), fourBytes(OptionNumber.Accept, 50)]) {
        for (const answer of await everywhere(scene, accept)) expect(answer, "4.06");
        expect(await attestWith(scene.me, scene, [accept]), "4.06");
      }
    },
    STRICT_ONLY,
  ),
  row("OP-13", "Accept that can be met is served", ACCEPT, async ({ me, machine }) => {
    expect(await me.get(V1.VERSION, { accept: ContentFormat.Cbor }), "2.05");
    expect(await me.get(V1.NONCE, { accept: ContentFormat.OctetStream }), "2.05");
    expect(await me.post(V1.EK, certs(machine.ekChain), { accept: ContentFormat.OctetStream }), "2.01");
  }),
  row(
    "OP-14",
    "Accept of one or two bytes is not understood, as by the reference",
    ACCEPT,
    async (scene) => {
      expectAll(await everywhere(scene, uintOption(OptionNumber.Accept, 50)), "2.05", "2.05", "2.01");
      expect(await attestWith(scene.me, scene, [uintOption(OptionNumber.Accept, 50)]), "2.01");
    },
    COMPAT_ONLY,
  ),
  row(
    "OP-15",
    "Accept of four bytes is looked at for the AIK and the attestation, and nowhere else",
    ACCEPT,
    async (scene) => {
      const { me, machine } = scene;
      const options = [fourBytes(OptionNumber.Accept, 50)];
      expectAll(await everywhere(scene, ...options), "2.05", "2.05", "2.01");
      expect(await me.post(V1.AIK, aikBody(machine.aikPublic, await sendEk(me, machine)), { options }), "4.06");
      expect(await attestWith(me, scene, options), "4.06");
    },
    COMPAT_ONLY,
  ),
  {
    ...row(
      "OP-16",
      "Accept of four bytes is looked at where the token's request is asked for",
      ACCEPT,
      async ({ me, keys }) => {
        const options = [fourBytes(OptionNumber.Accept, ContentFormat.Cbor)];
        expect(await me.post(V1.TOKEN_PROVISION, certs(ders(keys.owner.chain)), { options }), "4.06");
      },
    ),
    state: "blank",
  },
  row("OP-17", "Accept of four bytes is looked at for files", ACCEPT, async (scene) => {
    await attest(scene.me, scene.enrolled);
    const options = [fourBytes(OptionNumber.Accept, ContentFormat.Cbor)];
    expect(await scene.me.get(file("a"), { options }), "4.06");
  }),
];

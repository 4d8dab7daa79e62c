import {
  type CoapOption,
  ContentFormat,
  MessageType,
  OptionNumber,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { type Answer, expect, expectFacts } from "../answer.ts";
import { asBytes, asCbor, type Client } from "../client.ts";
import { aikBody, attest, certs, file, startAttestation } from "../flows.ts";
import { signed, text } from "../platform.ts";
import { requestOf } from "../raw-peer.ts";
import { COMPAT_ONLY, type ProfileName, type Row, STRICT_ONLY } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/api.md, Every request";
const CONDITIONS = `${SOURCE}; RFC 7252, 5.10.8; D-53`;
const _ACCEPT = `${SOURCE}; RFC 7252, 5.10.4; D-52`;
const _TEXT = ContentFormat.Text;

const NOTHING = { payload: new Uint8Array() };

const IF_MATCH: CoapOption = { number: OptionNumber.IfMatch, value: Uint8Array.of(1) };
const IF_NONE_MATCH: CoapOption = { number: OptionNumber.IfNoneMatch, value: new Uint8Array() };

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

async function _attestWith(client: Client, { enrolled }: Scene, options: readonly CoapOption[]): Promise<Answer> {
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

export const optionRows: readonly Row[] = [
  row(
    "OP-01",
    "If-Match is refused by its name",
    CONDITIONS,
    async (scene) => {
      for (const answer of await everywhere(scene, IF_MATCH)) expect(answer, { code: "4.02", text: /If-Match/ });
    },
    STRICT_ONLY,
  ),
  row(
    "OP-02",
    "If-None-Match is refused by its name, also where the file is not there",
    CONDITIONS,
    async (scene) => {
      for (const answer of await everywhere(scene, IF_NONE_MATCH))
        expect(answer, { code: "4.02", text: /If-None-Match/ });
      await attest(scene.me, scene.enrolled);
      expect(await scene.me.ask("PUT", file("a"), asBytes(text("x")), { options: [IF_NONE_MATCH] }), "4.02");
    },
    STRICT_ONLY,
  ),
  row(
    "OP-03",
    "conditions are ignored, as by the reference",
    CONDITIONS,
    async (scene) => {
      expectAll(await everywhere(scene, IF_MATCH), "2.05", "2.05", "2.01");
      expectAll(await everywhere(scene, IF_NONE_MATCH), "2.05", "2.05", "2.01");
    },
    COMPAT_ONLY,
  ),
  row("OP-04", "an unknown critical option is refused by its number", `${SOURCE}; RFC 7252, 5.4.1`, async (scene) => {
    for (const answer of await everywhere(scene, uintOption(2049, 1))) expect(answer, { code: "4.02", text: /2049/ });
  }),
  row(
    "OP-05",
    "an unknown critical option makes a non-confirmable request go unanswered but for a RST",
    "RFC 7252, 5.4.1",
    async (scene) => {
      const raw = await scene.raw();
      raw.send({
        ...requestOf("GET", V1.VERSION, { payload: new Uint8Array() }, [uintOption(2049, 1)]),
        type: MessageType.Non,
      });
      expectFacts("type", (await raw.next())?.type ?? MessageType.Rst, MessageType.Rst);
      expect(await raw.ask("GET", V1.VERSION), "2.05");
    },
  ),
  row("OP-06", "unknown elective options are ignored", `${SOURCE}; RFC 7252, 5.4.1`, async (scene) => {
    expectAll(await everywhere(scene, uintOption(2048, 7)), "2.05", "2.05", "2.01");
  }),
  row("OP-07", "ETag in a request is ignored", SOURCE, async (scene) => {
    expectAll(
      await everywhere(scene, { number: OptionNumber.ETag, value: Uint8Array.of(1, 2) }),
      "2.05",
      "2.05",
      "2.01",
    );
  }),
  row("OP-08", "Observe is ignored: nothing here changes by itself", "RFC 7641, 4.1", async (scene) => {
    expectAll(await everywhere(scene, uintOption(OptionNumber.Observe, 0)), "2.05", "2.05", "2.01");
  }),
  row("OP-09", "Uri-Host and Uri-Port are understood", "RFC 7252, 5.10.1", async (scene) => {
    const options = [textOption(OptionNumber.UriHost, "fobnail"), uintOption(OptionNumber.UriPort, 5683)];
    expectAll(await everywhere(scene, ...options), "2.05", "2.05", "2.01");
  }),
  row("OP-10", "the token is no proxy", "RFC 7252, 5.10.2", async ({ me }) => {
    expect(await me.get(V1.VERSION, { options: [textOption(OptionNumber.ProxyUri, "coap://127.0.0.1/")] }), "5.05");
    expect(await me.get(V1.VERSION, { options: [textOption(OptionNumber.ProxyScheme, "coap")] }), "5.05");
  }),
  row("OP-11", "a critical option that stands twice is refused", "RFC 7252, 5.4.5", async ({ me }) => {
    const twice = uintOption(OptionNumber.Accept, ContentFormat.Cbor);
    expect(await me.get(V1.VERSION, { options: [twice, twice] }), "4.02");
  }),
  row(
    "OP-18",
    "an unknown Content-Format is the wrong one",
    `${SOURCE}; D-51`,
    async ({ me, machine, enrolled }) => {
      expect(await me.post(V1.EK, { ...certs(machine.ekChain), contentFormat: 65_000 }), "4.00");
      await attest(me, enrolled);
      expect(await me.ask("PUT", file("a"), { payload: text("x"), contentFormat: 65_000 }), "4.00");
    },
    STRICT_ONLY,
  ),
  row(
    "OP-19",
    "an unknown Content-Format is as none",
    `${SOURCE}; D-51`,
    async ({ me, machine, enrolled }) => {
      expect(await me.post(V1.EK, { ...certs(machine.ekChain), contentFormat: 65_000 }), "4.00");
      await attest(me, enrolled);
      expect(await me.ask("PUT", file("a"), { payload: text("x"), contentFormat: 65_000 }), "2.01");
    },
    COMPAT_ONLY,
  ),
  row("OP-20", "leading zeros of a Content-Format do not count", "RFC 7252, 3.2", async ({ me, machine }) => {
    const { payload } = certs(machine.ekChain);
    expect(
      await me.post(V1.EK, { payload }, { options: [fourBytes(OptionNumber.ContentFormat, ContentFormat.Cbor)] }),
      "2.01",
    );
  }),
  row("OP-21", "errors may not be kept by caches", `${SOURCE}; D-47`, async ({ me, machine, by, platform }) => {
    const maxAge = by(0, "none");
    expect(await me.get("/nothing"), { code: "4.04", maxAge });
    expect(await me.ask("PUT", V1.NONCE), { code: "4.05", maxAge });
    expect(await me.post(V1.EK, asBytes(text("x"))), { code: "4.00", maxAge });
    expect(await me.post(V1.AIK, aikBody(machine.aikPublic, 1)), { code: "4.04", maxAge });
    expect(await startAttestation(me, await platform()), { code: "4.04", maxAge });
  }),
  row("OP-25", "nor may those about options and blocks", `${SOURCE}; D-47`, async ({ raw, by }) => {
    const [peer, maxAge] = [await raw(), by(0, "none")];
    const body = asCbor(new Uint8Array(1024));
    const block = (number: number) => uintOption(OptionNumber.Block1, (number << 4) | 0x0e); // 1024 bytes, more to come
    expect(await peer.ask("GET", V1.VERSION, NOTHING, [uintOption(2049, 1)]), { code: "4.02", maxAge });
    expect(await peer.ask("POST", V1.EK, body, [block(3)]), { code: "4.08", maxAge });
    const large = uintOption(OptionNumber.Size1, 10_000_000);
    expect(await peer.ask("POST", V1.EK, body, [block(0), large]), { code: "4.13", maxAge });
  }),
  row("OP-22", "every error is a sentence", SOURCE, async ({ me, machine }) => {
    const text = /\w+ \w+/;
    expect(await me.get("/nothing"), { code: "4.04", text });
    expect(await me.ask("PUT", V1.NONCE), { code: "4.05", text });
    expect(await me.post(V1.EK, certs(machine.ekChain), { options: [uintOption(2049, 1)] }), { code: "4.02", text });
    expect(await me.post(V1.AIK, aikBody(machine.aikPublic, 1)), { code: "4.04", text });
    expect(await me.post(V1.EK, asCbor(new Uint8Array([0xa0]))), { code: "4.00", text: /certs/ });
  }),
  row("OP-23", "each resource has its own methods and no others", SOURCE, async ({ me }) => {
    const wrong = {
      GET: [V1.EK, V1.AIK, V1.ATTEST, V1.GRANT],
      PUT: [V1.NONCE, V1.PROVISION],
      DELETE: [V1.NONCE, V1.PLATFORMS],
      FETCH: [V1.NONCE],
      PATCH: [`${V1.STORAGE}/a`],
    } as const;
    for (const [method, paths] of Object.entries(wrong) as [keyof typeof wrong, readonly string[]][]) {
      for (const path of paths) expect(await me.ask(method, path), "4.05");
    }
  }),
  row("OP-24", "a code that is no known method is refused", "RFC 7252, 5.8", async (scene) => {
    const raw = await scene.raw();
    const sent = raw.send({ ...requestOf("GET", V1.VERSION, { payload: new Uint8Array() }), code: 0x1e });
    expect(await raw.answerTo(sent, "0.30 /api/version"), "4.05");
  }),
];

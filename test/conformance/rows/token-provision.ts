import { ContentFormat } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { type Attribute, encodePublicKey, Oid, parseCsr, verifyCsr } from "../../../shared/x509/index.ts";
import { decoded, expect, expectFacts, expectSame } from "../answer.ts";
import { certs, sendEk } from "../flows.ts";
import { ders, offerChain, requestCsr } from "../owner.ts";
import type { Row } from "../row.ts";
import { Unmet } from "../unmet.ts";

const SOURCE = "docs/api.md, Certificates";
const REQUEST = "docs/api.md, Certificates; RFC 2986, 4";

export const tokenProvisionRows: readonly Row[] = [
  {
    id: "TP-01",
    title: "a chain with its root first gets a certification request",
    source: SOURCE,
    state: "blank",
    async run({ me, keys, by }) {
      const wanted = { code: "2.01", format: by(ContentFormat.OctetStream, "none") } as const;
      const answer = expect(await offerChain(me, keys.owner.chain), wanted);
      decoded(answer.what, () => parseCsr(answer.payload));
    },
  },
  {
    id: "TP-02",
    title: "a chain without its root is taken",
    source: SOURCE,
    state: "blank",
    async run({ me, keys }) {
      await requestCsr(me, keys.owner.chain.slice(1));
    },
  },
  {
    id: "TP-03",
    title: "the root may stand anywhere in the chain, as the C owner program sorts it",
    source: `${SOURCE}; D-08`,
    state: "blank",
    async run({ me, keys }) {
      await requestCsr(me, keys.owner.chain.toReversed());
    },
  },
  {
    id: "TP-04",
    title: "the certification request is the token's own: signed by its key, without attributes",
    source: REQUEST,
    state: "blank",
    async run({ me, keys }) {
      const csr = await requestCsr(me, keys.owner.chain);
      if (!verifyCsr(csr)) throw new Unmet("the request is not signed by the key in it");
      expectFacts("key and attributes", [csr.publicKey.type, csr.attributeCount], ["ed25519", 0]);
    },
  },
  {
    id: "TP-05",
    title: "the request's subject is O = Fobnail and the device id in upper-case hex",
    source: SOURCE,
    state: "blank",
    async run({ me, keys }) {
      const { subject } = await requestCsr(me, keys.owner.chain);
      const flat: readonly Attribute[] = subject.flat();
      expectFacts(
        "attribute types",
        flat.map(({ type }) => type),
        [Oid.organizationName, Oid.serialNumber],
      );
      expectFacts("organization", flat[0]?.text, "Fobnail");
      if (!/^[1-9A-F][0-9A-F]*$/.test(flat[1]?.text ?? "")) throw new Unmet(`serialNumber ${flat[1]?.text}`);
    },
  },
  {
    id: "TP-06",
    title: "asked again the token names the same key",
    source: REQUEST,
    state: "blank",
    async run(scene) {
      const { me, keys } = scene;
      const first = await requestCsr(me, keys.owner.chain);
      const second = await requestCsr(await scene.peer(), keys.owner.chain);
      expectSame("public key", encodePublicKey(second.publicKey), encodePublicKey(first.publicKey));
    },
  },
  {
    id: "TP-07",
    title: "a refused chain leaves the token without an owner",
    source: SOURCE,
    state: "blank",
    async run({ me, keys, machine }) {
      expect(await offerChain(me, keys.owner.chain.slice(0, 1)), "4.03");
      expect(await me.post(V1.EK, certs(machine.ekChain)), "4.04");
    },
  },
  {
    id: "TP-08",
    title: "a chain alone makes no owner: EKs are refused until the certificate is there",
    source: "docs/api.md, Resources",
    state: "blank",
    async run({ me, keys, machine }) {
      await requestCsr(me, keys.owner.chain);
      expect(await me.post(V1.EK, certs(machine.ekChain)), "4.04");
    },
  },
  {
    id: "TP-09",
    title: "a token with an owner refuses another chain",
    source: "docs/api.md, Resources; D-44",
    state: "owned",
    async run({ me, keys, by }) {
      expect(await offerChain(me, keys.owner.chain), by("4.03", "4.04"));
    },
  },
  {
    id: "TP-10",
    title: "a token with an owner keeps it when a chain was refused",
    source: "docs/api.md, Resources",
    state: "owned",
    async run({ me, keys, machine, by }) {
      expect(await offerChain(me, keys.owner.chain.slice(1)), by("4.03", "4.04"));
      await sendEk(me, machine);
    },
  },
  {
    id: "TP-11",
    title: "no certificate at all is malformed",
    source: "docs/api.md, Every request",
    state: "blank",
    async run({ me }) {
      expect(await me.post(V1.TOKEN_PROVISION, certs(ders([]))), "4.00");
    },
  },
];

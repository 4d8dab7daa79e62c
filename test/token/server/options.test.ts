import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import {
  type ClientRequest,
  type CoapOption,
  type CoapResponse,
  Code,
  codeClass,
  codeText,
  decodeMessage,
  MessageType,
  OptionNumber,
  optionValue,
  uintOption,
} from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import { RawPeer } from "../../support/coap-pair.ts";
import { posting, singleMessages, V1_TOKEN, type V1Client, V1Scene } from "../../support/v1-scene.ts";

const FILE = `${V1.STORAGE}/key`;
const NONE = new Uint8Array();

const formatOf = ({ contentFormat }: CoapResponse) => contentFormat;
const maxAgeOf = ({ options }: CoapResponse) => optionValue(options, OptionNumber.MaxAge)?.byteLength;

/** A day of the token with every kind of success, each answer by what was asked. */
function day(profile: Profile): ReadonlyMap<string, CoapResponse> {
  const scene = new V1Scene({ profile, provisioned: false });
  const client = scene.client();
  const answers = new Map<string, CoapResponse>();
  const note = (what: string, answer: CoapResponse): CoapResponse => {
    assert.equal(codeClass(answer.code), 2, `${what}: ${codeText(answer.code)}`);
    answers.set(what, answer);
    return answer;
  };
  note("version", client.get(V1.VERSION));
  note("version of the text", client.get("/api/v1"));
  const csr = note("token_provision", client.post(V1.TOKEN_PROVISION, scene.owner.chainBody())).payload;
  note("provision_complete", client.post(V1.PROVISION_COMPLETE, scene.owner.issue(csr).der, { contentFormat: 42 }));
  note("nonce", client.get(V1.NONCE));
  note("ek", client.post(V1.EK, client.ekBody()));
  note("aik", client.post(V1.AIK, client.aikBody(client.offerEk())));
  note("provision", client.post(V1.PROVISION, client.activationBody()));
  const path = client.openEnrolment();
  note("meta", client.post(`${path}/meta`, client.signed(client.attester.metadataBytes())));
  note("meta again", client.post(`${path}/meta`, client.signed(client.attester.metadataBytes())));
  note("rim", client.post(`${path}/rim`, client.signed(client.attester.rimBytes())));
  note("finish", client.ask({ method: "POST", path }));
  note("attest", client.post(V1.ATTEST, client.signed(client.attester.metadataBytes())));
  const { path: context, asked } = client.openAttestation();
  note("evidence", client.post(context, client.evidence(asked)));
  note("grant", client.post(V1.GRANT, client.grantBody({ method: "GET", path: FILE, body: NONE })));
  note(
    "put",
    client.ask({ method: "PUT", path: FILE, payload: utf8("x"), query: [client.grant("PUT", "key", utf8("x"))] }),
  );
  note("get", client.ask({ method: "GET", path: FILE, query: [client.grant("GET", "key")] }));
  note("delete", client.ask({ method: "DELETE", path: FILE, query: [client.grant("DELETE", "key")] }));
  return answers;
}

describe("API v1 server: the options of answers", () => {
  it("strict: every success says its format, 42 where it is empty; 2.05 has Max-Age 0", () => {
    const cbor = new Set(["version", "version of the text", "aik", "attest"]);
    for (const [what, answer] of day(STRICT)) {
      assert.equal(formatOf(answer), cbor.has(what) ? 60 : 42, what);
      assert.equal(maxAgeOf(answer), answer.code === Code.Content ? 0 : undefined, what);
    }
  });

  it("compat: aik and attest alone say it; a GET has Max-Age 0", () => {
    for (const [what, answer] of day(COMPAT)) {
      assert.equal(formatOf(answer), ["aik", "attest"].includes(what) ? 60 : undefined, what);
      assert.equal(maxAgeOf(answer), answer.code === Code.Content ? 0 : undefined, what);
    }
  });

  it("so have those that are told before the API is asked: options, blocks, too much and methods", () => {
    for (const [profile, expected] of [
      [STRICT, 0],
      [COMPAT, undefined],
    ] as const) {
      const scene = new V1Scene({ profile });
      const client = scene.attested();
      const send = singleMessages(scene, client);
      const block1 = (value: number) => [uintOption(OptionNumber.Block1, value)];
      const unknown = { number: 9, value: NONE };
      for (const [name, answer] of [
        ["4.02", send(Code.Get, V1.NONCE, [], [unknown])],
        ["4.00", send(Code.Put, FILE, [], block1(0x0f), NONE)],
        ["4.08", send(Code.Put, FILE, [], block1(0x1e), new Uint8Array(1_024))],
        [
          "4.13",
          send(Code.Put, FILE, [], [...block1(0x0e), uintOption(OptionNumber.Size1, 70_000)], new Uint8Array(1_024)),
        ],
        ["4.05", send(0x1f, FILE, [], [])],
      ] as const) {
        assert.equal(answer.text.slice(0, 4), name, profile.name);
        const { options } = decodeMessage(answer.datagram ?? NONE);
        assert.equal(optionValue(options, OptionNumber.MaxAge)?.byteLength, expected, `${profile.name} ${name}`);
        assert.equal(optionValue(options, OptionNumber.ContentFormat), undefined);
      }
    }
  });

  it("errors have no format, a text, and in strict Max-Age 0", () => {
    for (const profile of [STRICT, COMPAT]) {
      const client = new V1Scene({ profile }).client();
      const asked: readonly ClientRequest[] = [
        { method: "GET", path: "/none" },
        { method: "PUT", path: V1.NONCE },
        posting(V1.EK, NONE, { contentFormat: 42 }),
        posting(V1.EK, NONE),
        posting(V1.TOKEN_PROVISION, NONE),
        { method: "GET", path: FILE },
        posting(`${V1.ATTEST}/1`, NONE),
      ];
      for (const request of asked) {
        const answer = client.ask(request);
        const what = `${request.method} ${String(request.path)}`;
        assert.ok(codeClass(answer.code) === 4, what);
        assert.equal(formatOf(answer), undefined, what);
        assert.ok(answer.payload.byteLength > 0, what);
        assert.equal(maxAgeOf(answer), profile === STRICT ? 0 : undefined, what);
      }
    }
  });
});

describe("API v1 server: Content-Format of requests", () => {
  const client = (profile: Profile): V1Client => new V1Scene({ profile }).client();

  it("none means 42: CBOR bodies without one are 4.00", () => {
    for (const profile of [STRICT, COMPAT]) {
      const peer = client(profile);
      const request = { method: "POST", path: V1.EK, payload: peer.ekBody() } as const;
      assert.match(peer.said(request), /^4\.00 wrong Content-Format/);
      assert.equal(peer.code({ ...request, contentFormat: 42 }), "4.00");
      assert.equal(peer.code({ ...request, contentFormat: 60 }), "2.01");
    }
  });

  it("four bytes are as good as one", () => {
    const peer = client(STRICT);
    const format = { number: OptionNumber.ContentFormat, value: Uint8Array.of(0, 0, 0, 60) };
    assert.equal(peer.code({ method: "POST", path: V1.EK, payload: peer.ekBody(), options: [format] }), "2.01");
  });

  it("one that nobody knows: strict 4.00, compat as if there were none", () => {
    for (const profile of [STRICT, COMPAT]) {
      const scene = new V1Scene({ profile });
      const peer = scene.attested();
      const payload = utf8("x");
      const put = (contentFormat: number) =>
        peer.code({ method: "PUT", path: FILE, payload, contentFormat, query: [peer.grant("PUT", "key", payload)] });
      assert.equal(put(12_345), profile === STRICT ? "4.00" : "2.01");
      assert.equal(put(60), "4.00", "CBOR is known, and wrong");
      assert.equal(put(0), "4.00", "text is known, and wrong");
      assert.equal(peer.code(posting(V1.EK, peer.ekBody(), { contentFormat: 12_345 })), "4.00");
    }
  });

  it("compat: known are the sixty that the firmware's coap-lite 0.11 has names for", () => {
    const peer = new V1Scene({ profile: COMPAT }).attested();
    const put = (contentFormat: number) =>
      peer.code({ method: "PUT", path: FILE, payload: NONE, contentFormat }) === "4.00";
    const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);
    const wrong = [...from(0, 1_000), ...from(9_990, 1_600), 19_999, 20_000, 30_000, 65_535].filter(put);
    assert.equal(wrong.length, 59, "all but 42, which is right");
    for (const known of [16, 61, 98, 256, 287, 432, 836, 10_001, 11_544, 20_000, 30_000]) {
      assert.ok(wrong.includes(known), String(known));
    }
    for (const later of [20, 64, 65, 141, 260, 282, 312, 11_545]) assert.ok(!wrong.includes(later), String(later));
  });
});

describe("API v1 server: Accept", () => {
  const accept = (value: readonly number[]): CoapOption => ({
    number: OptionNumber.Accept,
    value: Uint8Array.from(value),
  });

  it("strict: looked at everywhere, in any length", () => {
    const scene = new V1Scene();
    const client = scene.attested();
    const code = (request: ClientRequest, value: readonly number[]) =>
      client.code({ ...request, options: [accept(value)] });
    for (const value of [[60], [0, 60], [0, 0, 0, 60]]) {
      assert.equal(code({ method: "GET", path: V1.VERSION }, value), "2.05");
      assert.equal(code({ method: "GET", path: V1.NONCE }, value), "4.06");
      assert.equal(code(posting(V1.EK, client.ekBody()), value), "4.06");
    }
    assert.equal(code({ method: "GET", path: V1.NONCE }, [42]), "2.05");
    assert.equal(code(posting(V1.EK, client.ekBody()), [42]), "2.01");
    assert.equal(code(posting(V1.ATTEST, NONE), [42]), "4.06");
    assert.equal(code({ method: "GET", path: FILE }, [60]), "4.06");
    assert.equal(code({ method: "GET", path: V1.VERSION }, []), "4.06", "0 is text");
  });

  it("strict: what is not acceptable changes nothing", () => {
    const scene = new V1Scene();
    const client = scene.client();
    client.ask({ method: "GET", path: V1.NONCE, accept: 60 });
    client.ask({ ...posting(V1.EK, client.ekBody()), accept: 60 });
    assert.equal(scene.server.sessions.open, 0);
  });

  it("compat: four bytes only, and only at token_provision, aik, attest and storage", () => {
    const scene = new V1Scene({ profile: COMPAT });
    const client = scene.attested();
    const code = (request: ClientRequest, value: readonly number[]) =>
      client.code({ ...request, options: [accept(value)] });
    const wrong = [0, 0, 0, 50];
    assert.equal(code({ method: "GET", path: V1.NONCE }, wrong), "2.05");
    assert.equal(code(posting(V1.EK, client.ekBody()), wrong), "2.01");
    assert.equal(code({ method: "GET", path: V1.VERSION }, wrong), "2.05");
    const aik = posting(V1.AIK, client.aikBody(client.offerEk()));
    const attest = () => posting(V1.ATTEST, client.signed(client.attester.metadataBytes()));
    for (const looked of [aik, attest(), { method: "GET", path: FILE } as const]) {
      assert.equal(code(looked, wrong), "4.06", String(looked.path));
    }
    for (const short of [[50], [0, 50]]) {
      assert.equal(code(aik, short), "2.01");
      assert.equal(code(attest(), short), "2.01");
      assert.equal(code({ method: "GET", path: FILE }, short), "4.04");
    }
    assert.equal(code(aik, [0, 0, 0, 60]), "2.01");
    const owner = new V1Scene({ profile: COMPAT, provisioned: false });
    const provision = posting(V1.TOKEN_PROVISION, owner.owner.chainBody(), { options: [accept(wrong)] });
    assert.equal(owner.client().code(provision), "4.06");
  });
});

describe("API v1 server: conditional requests", () => {
  const conditions: readonly CoapOption[] = [
    { number: OptionNumber.IfMatch, value: NONE },
    { number: OptionNumber.IfMatch, value: Uint8Array.of(1, 2) },
    { number: OptionNumber.IfNoneMatch, value: NONE },
  ];

  it("strict: 4.02 that names the option, on every resource, confirmable or not", () => {
    const scene = new V1Scene();
    const client = scene.client();
    for (const option of conditions) {
      const name = option.number === OptionNumber.IfMatch ? "If-Match" : "If-None-Match";
      for (const path of [V1.NONCE, V1.VERSION, FILE, "/none"]) {
        const text = client.said({ method: "GET", path, options: [option] });
        assert.ok(text.startsWith("4.02") && text.includes(name), text);
      }
      const text = client.said({ method: "GET", path: V1.NONCE, options: [option], confirmable: false });
      assert.ok(text.startsWith("4.02"), text);
    }
    assert.equal(scene.server.sessions.open, 0);
  });

  it("compat: ignored", () => {
    const client = new V1Scene({ profile: COMPAT }).client();
    for (const option of conditions) {
      assert.equal(client.code({ method: "GET", path: V1.NONCE, options: [option] }), "2.05");
    }
  });

  it("an ETag in a request is ignored in both; another critical option is 4.02 in both", () => {
    for (const profile of [STRICT, COMPAT]) {
      const client = new V1Scene({ profile }).client();
      const etag = { number: OptionNumber.ETag, value: Uint8Array.of(1) };
      assert.equal(client.code({ method: "GET", path: V1.NONCE, options: [etag] }), "2.05");
      const unknown = { number: 65_001, value: NONE };
      assert.equal(client.code({ method: "GET", path: V1.NONCE, options: [unknown] }), "4.02");
    }
  });
});

describe("API v1 server: methods and paths", () => {
  it("a sub-path of version and nonce, and what nobody knows, is 4.04; another method 4.05", () => {
    for (const profile of [STRICT, COMPAT]) {
      const client = new V1Scene({ profile }).client();
      for (const path of [
        "/",
        "/api",
        "/api/version/1",
        `${V1.NONCE}/1`,
        "/api/v1/crypto",
        "/api/v1/storage/fs",
        "/.well-known/core",
      ]) {
        assert.equal(client.code({ method: "GET", path }), "4.04", path);
      }
      assert.equal(client.code({ method: "GET", path: [...V1.NONCE.split("/").slice(1), ""] }), "4.04");
      for (const method of ["POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"] as const) {
        assert.equal(client.code({ method, path: V1.NONCE }), "4.05", method);
      }
      assert.equal(client.code({ method: "GET", path: V1.EK }), "4.05");
    }
  });

  it("version is told with no owner, and without a session", () => {
    const scene = new V1Scene({ provisioned: false });
    assert.deepEqual(scene.client().get(V1.VERSION).payload, Uint8Array.of(0xa1, 0x68, ...utf8("versions"), 0x81, 1));
    assert.equal(scene.server.sessions.open, 0);
  });

  it("non-confirmable requests are answered, too", () => {
    assert.equal(new V1Scene().client().code({ method: "GET", path: V1.VERSION, confirmable: false }), "2.05");
  });

  it("random options and bytes are answered or reset, never 5.00", () => {
    const scene = new V1Scene();
    const raw = new RawPeer(scene.net, { address: "10.0.0.7", port: 7 }, V1_TOKEN);
    for (let i = 0; i < 5_000; i++) {
      const number = (i * 7) % 70;
      const value = new Uint8Array(i % 9).fill(i);
      const segments = [V1.EK, V1.ATTEST, FILE, `${V1.PROVISION}/1/meta`][i % 4]?.split("/").slice(1) ?? [];
      const options = [...segments.map((s) => ({ number: OptionNumber.UriPath, value: utf8(s) })), { number, value }];
      raw.send({
        code: 1 + (i % 7),
        messageId: i,
        options,
        type: MessageType.Con,
        payload: new Uint8Array(i % 40).fill(i),
      });
    }
    assert.equal(raw.received.length, 5_000);
    assert.ok(raw.received.every(({ code }) => code !== Code.InternalServerError));
    assert.deepEqual(scene.log.lines, []);
  });
});

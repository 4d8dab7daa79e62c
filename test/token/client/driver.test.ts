import assert from "node:assert/strict";
import { concat } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  Code,
  decodeMessage,
  MessageType,
  OptionNumber,
  optionUint,
} from "../../../shared/coap/index.ts";
import { ALL_PCRS, pcrOnes, TpmAlg } from "../../../shared/tpm/index.ts";
import type { NotTrusted, Verdict } from "../../../token/domain/events.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import { COMPUTER, TOKEN_PEER, V0Scene } from "../../support/v0-scene.ts";

const EMPTY = { code: Code.Created, payload: new Uint8Array() };

function sentByToken(scene: V0Scene): readonly CoapMessage[] {
  return scene.net.sent
    .filter(({ from }) => from.port === TOKEN_PEER.port)
    .map(({ datagram }) => decodeMessage(datagram));
}

const pathOf = ({ options }: CoapMessage): string =>
  options
    .filter(({ number }) => number === OptionNumber.UriPath)
    .map(({ value }) => `/${Buffer.from(value).toString()}`)
    .join("");

/** A scene whose platform is enrolled and attested. */
function enrolled(options: ConstructorParameters<typeof V0Scene>[0] = {}): V0Scene {
  const scene = new V0Scene(options);
  assert.deepEqual(scene.run(), ["token-provisioned", "platform-provisioned", "attested"]);
  scene.attester.asked.length = 0;
  return scene;
}

function lastVerdict(scene: V0Scene): Verdict {
  const event = scene.events.at(-1)?.[1];
  return event?.type === "attested" || event?.type === "attestation-failed" ? event.verdict : assert.fail(event?.type);
}

function lastRefusal(scene: V0Scene): NotTrusted {
  const verdict = lastVerdict(scene);
  return verdict.trusted ? assert.fail("trusted") : verdict;
}

describe("API v0 driver: the exchange", () => {
  it("asks a new token's nine questions in order, and then attests only", () => {
    const scene = new V0Scene();
    assert.deepEqual(scene.run(), ["token-provisioned", "platform-provisioned", "attested"]);
    const attestation = ["FETCH /metadata", "POST /quote"];
    const enrolment = ["FETCH /ek", "FETCH /aik", "POST /challenge", "FETCH /metadata", "FETCH /rim"];
    assert.deepEqual(scene.owner.asked, ["FETCH /cert_chain", "POST /csr"]);
    assert.deepEqual(scene.attester.asked, [...enrolment, ...attestation]);
    assert.deepEqual(scene.replug(), ["attested"]);
    assert.deepEqual(scene.attester.asked, [...enrolment, ...attestation, ...attestation]);
    assert.deepEqual(scene.log.lines, []);
  });

  it("is confirmable, has 8-byte CoAP tokens and asks for blocks of 512 bytes, always", () => {
    const scene = new V0Scene();
    scene.run();
    const requests = sentByToken(scene).filter(({ code }) => code !== Code.Empty);
    assert.ok(requests.length > 9 + 2, "the RIM takes several blocks");
    for (const request of requests) {
      assert.equal(request.type, MessageType.Con);
      assert.equal(request.coapToken.byteLength, 8);
      const block = optionUint(request.options, OptionNumber.Block2) ?? assert.fail(`${pathOf(request)}: no Block2`);
      assert.equal(block & 0x0f, 5, "size 512, no more bit");
    }
  });

  it("encodes the quote request as an indefinite-length map, with the default policy", () => {
    const scene = new V0Scene();
    scene.run();
    const quote = sentByToken(scene).find((message) => pathOf(message) === "/quote") ?? assert.fail();
    assert.equal(quote.payload[0], 0xbf);
    const banks = "6562616e6b7381a267616c676f5f69640b64706372731a000600ffff"; // as in test/vectors/v0/07_quote.req.bin
    assert.ok(Buffer.from(quote.payload).toString("hex").endsWith(banks));
    assert.equal(quote.payload.byteLength, 69);
  });

  it("uses a new nonce for each request that has one", () => {
    const scene = enrolled();
    scene.replug();
    const nonces = sentByToken(scene)
      .filter((message) => ["/metadata", "/quote"].includes(pathOf(message)) && message.payload.byteLength > 0)
      .map(({ payload }) => Buffer.from(payload).toString("hex").slice(0, 80));
    assert.equal(nonces.length, 4);
    assert.equal(new Set(nonces).size, 4);
  });

  it("gets through when datagrams are lost or come twice", () => {
    for (const nth of [3, 4, 5]) {
      const scene = new V0Scene();
      let count = 0;
      scene.net.fate = () => (++count % nth === 0 ? [] : count % 7 === 0 ? [1, 30] : [1]);
      assert.deepEqual(
        scene.run(120_000).slice(-3),
        ["token-provisioned", "platform-provisioned", "attested"],
        `every ${nth}th`,
      );
    }
  });
});

describe("API v0 driver: silence and retries", () => {
  it("sends five times a second apart, then fails, and asks the owner again 5 s later", () => {
    const scene = new V0Scene();
    scene.offline = true;
    scene.run(25_000);
    const sends = scene.net.sent.length;
    assert.equal(sends, 15);
    assert.deepEqual(
      scene.events.map(([at, event]) => [at, event.type]),
      [[5000, "token-refused"], [15_000, "token-refused"], [25_000, "token-refused"]], // biome-ignore format: one list
    );
    assert.ok(scene.story.every((line) => line === "token-refused owner-silent"));
    scene.offline = false;
    scene.clock.advance(8000);
    assert.deepEqual(scene.story.slice(-3), ["token-provisioned", "platform-provisioned", "attested"]);
  });

  it("begins platform provisioning from /ek again 5 s after a failure, for ever", () => {
    const scene = new V0Scene();
    scene.attester.tamper = (path, reply) => (path === "/challenge" ? EMPTY : reply);
    scene.run(60_000);
    const refusals = scene.events.filter(([, event]) => event.type === "platform-refused").map(([at]) => at);
    assert.ok(refusals.length >= 11);
    for (const [i, at] of refusals.slice(1).entries()) {
      const gap = at - (refusals[i] ?? 0);
      assert.ok(gap >= 5000 && gap < 5100, `${gap} ms`);
    }
    assert.deepEqual(scene.attester.asked.slice(0, 4), ["FETCH /ek", "FETCH /aik", "POST /challenge", "FETCH /ek"]);
  });

  it("makes one attestation attempt for each plug-in", () => {
    const scene = enrolled();
    scene.offline = true;
    assert.deepEqual(scene.replug(60_000), ["attestation-failed attester-silent"]);
    assert.equal(scene.events.at(-1)?.[0], 4000 + 5000);
    const sends = scene.net.sent.length;
    scene.clock.advance(600_000);
    assert.equal(scene.net.sent.length, sends);
    scene.offline = false;
    assert.deepEqual(scene.replug(), ["attested"]);
  });

  it("falls silent when unplugged at any step, and begins again when plugged in", () => {
    for (let messages = 1; messages < 40; messages++) {
      const scene = new V0Scene();
      scene.driver.attach();
      while (scene.net.sent.length < messages && scene.clock.nextDue() !== undefined) scene.clock.step(4000);
      scene.driver.detach();
      const told = scene.events.length;
      scene.clock.advance(30_000);
      assert.equal(scene.events.length, told, `unplugged after ${messages} messages`);
      assert.equal(scene.run().at(-1), "attested", `plugged in again after ${messages} messages`);
    }
  });

  it("takes up where the computer comes back at any step", () => {
    for (let messages = 2; messages < 40; messages += 3) {
      const scene = new V0Scene();
      scene.driver.attach();
      while (scene.net.sent.length < messages && scene.clock.nextDue() !== undefined) scene.clock.step(4000);
      scene.offline = true;
      scene.clock.advance(12_000);
      scene.offline = false;
      scene.clock.advance(20_000);
      const last = scene.story.at(-1);
      if (last === "attestation-failed attester-silent") assert.deepEqual(scene.replug(), ["attested"]);
      else assert.equal(last, "attested", `gone after ${messages} messages`);
    }
  });
});

describe("API v0 driver: what a computer may answer", () => {
  const provisioning: readonly (readonly [path: string, reason: string, body?: Uint8Array])[] = [
    ["/ek", "answer-malformed"],
    ["/aik", "aik-malformed"],
    ["/challenge", "credential-not-activated"],
    ["/challenge", "credential-not-activated", new Uint8Array(32)],
    ["/metadata", "answer-malformed"],
    ["/rim", "answer-malformed"],
  ];
  for (const [path, reason, body = new Uint8Array()] of provisioning) {
    it(`a success code with ${body.byteLength} bytes on ${path} is refused: ${reason}`, () => {
      const scene = new V0Scene();
      scene.attester.tamper = (asked, reply) => (asked === path ? { code: Code.Created, payload: body } : reply);
      assert.deepEqual(scene.run(), ["token-provisioned", `platform-refused ${reason}`]);
      assert.equal(scene.domain.platforms.count, 0);
      scene.attester.tamper = (_, reply) => reply;
      scene.clock.advance(9000);
      assert.deepEqual(scene.story.slice(-2), ["platform-provisioned", "attested"]);
    });
  }

  it("an error code is a refusal and says which", () => {
    const scene = new V0Scene();
    scene.attester.tamper = () => ({ code: Code.InternalServerError, payload: Buffer.from("TPM_RC_LOCKOUT") });
    scene.run();
    const event = scene.events.at(-1)?.[1];
    assert.ok(event?.type === "platform-refused" && /\/ek: 5\.00 TPM_RC_LOCKOUT/.test(event.detail ?? ""));
  });

  it("an empty answer to /quote in spite of 2.01 is malformed", () => {
    const scene = enrolled();
    scene.attester.tamper = (path, reply) => (path === "/quote" ? EMPTY : reply);
    assert.deepEqual(scene.replug(), ["attestation-failed answer-malformed"]);
  });

  it("a quote without the nonce is refused", () => {
    const scene = enrolled();
    scene.attester.alterQuote = (quote) => ({ ...quote, extraData: new Uint8Array() });
    assert.deepEqual(scene.replug(), ["attestation-failed nonce-mismatch"]);
  });

  it("a quote of an unsafe clock is refused with a sentence that says what to do", () => {
    const scene = enrolled();
    scene.attester.alterQuote = (quote) => ({ ...quote, clockInfo: { ...quote.clockInfo, safe: 0 } });
    assert.deepEqual(scene.replug(), ["attestation-failed tpm-clock-unsafe"]);
    assert.equal(lastRefusal(scene).pcrs, undefined);
  });

  it("metadata signed without this nonce is refused", () => {
    const scene = enrolled();
    let old: Uint8Array | undefined;
    scene.attester.tamper = (path, reply) => {
      if (path !== "/metadata") return reply;
      old ??= reply.payload;
      return { ...reply, payload: old };
    };
    assert.deepEqual(scene.replug(), ["attested"]);
    assert.deepEqual(scene.replug(), ["attestation-failed metadata-signature"]);
  });

  it("a body without end is given up", () => {
    const scene = new V0Scene();
    scene.attester.tamper = (path, reply) => (path === "/rim" ? { ...reply, payload: new Uint8Array(100_000) } : reply);
    assert.match(scene.run()[1] ?? "", /^platform-refused /);
  });
});

describe("API v0 driver: a changed computer", () => {
  const changed = (scene: V0Scene, ...pcrs: readonly number[]) => {
    scene.attester.pcrs = scene.attester.pcrs.map((value, pcr) =>
      pcrs.includes(pcr) ? new Uint8Array(32).fill(0xee) : value,
    );
  };

  it("is red, and the PCRs are named when the peer's values hash to the quote", () => {
    const scene = enrolled();
    changed(scene, 4, 17, 23);
    assert.deepEqual(scene.replug(), ["attestation-failed pcr-mismatch"]);
    assert.deepEqual(scene.attester.asked, ["FETCH /metadata", "POST /quote", "FETCH /rim"]);
    assert.deepEqual(lastRefusal(scene).pcrs, [4, 17], "PCR 23 is not in the policy");
  });

  const liars: readonly (readonly [name: string, lie: (scene: V0Scene) => void])[] = [
    ["the good values", (scene) => (scene.attester.reported = scene.attester.pcrs)],
    ["made-up values", (scene) => (scene.attester.reported = scene.attester.pcrs.map(() => pcrOnes(TpmAlg.SHA256)))],
    ["nothing", (scene) => (scene.attester.tamper = (path, reply) => (path === "/rim" ? EMPTY : reply))],
    [
      "an error",
      (scene) => (scene.attester.tamper = (path, reply) => (path === "/rim" ? { code: Code.NotFound } : reply)),
    ],
    [
      "rubbish",
      (scene) =>
        (scene.attester.tamper = (path, reply) =>
          path === "/rim" ? { ...reply, payload: concat(reply.payload ?? EMPTY.payload, Uint8Array.of(0)) } : reply),
    ],
  ];
  for (const [name, lie] of liars) {
    it(`names no PCR when the peer answers ${name} to the question for an explanation`, () => {
      const scene = enrolled();
      lie(scene);
      changed(scene, 0, 18);
      assert.deepEqual(scene.replug(), ["attestation-failed pcr-mismatch"]);
      assert.equal(lastRefusal(scene).pcrs, undefined);
      assert.equal(lastRefusal(scene).detail, "the PCRs differ; the peer's values do not explain the quote");
    });
  }

  it("banks of other hashes beside the policy's keep no red back", () => {
    const scene = new V0Scene();
    const pcr = scene.attester.pcrs.map(() => new Uint8Array(32));
    scene.attester.otherBanks = [{ algo_id: TpmAlg.SM3_256, pcrs: ALL_PCRS, pcr }];
    assert.deepEqual(scene.run().slice(1), ["platform-provisioned", "attested"]);
    changed(scene, 17);
    assert.deepEqual(scene.replug(), ["attestation-failed pcr-mismatch"]);
  });

  it("a PCR outside the policy does not matter", () => {
    const scene = enrolled();
    changed(scene, 8, 16, 23);
    assert.deepEqual(scene.replug(), ["attested"]);
  });
});

describe("API v0 driver: several platforms", () => {
  it("an unknown platform is red, whatever its PCRs", () => {
    const scene = enrolled();
    scene.attester.metadata = { ...scene.attester.metadata, serial_number: "other" };
    assert.deepEqual(scene.replug(), ["attestation-failed unknown-platform"]);
    assert.equal(scene.domain.platforms.count, 1);
  });

  it("is enrolled where the token was told to, and each is attested against its own values", () => {
    const scene = enrolled({ enrolNew: true });
    const [first, firstPcrs] = [scene.attester.metadata, scene.attester.pcrs];
    scene.attester.metadata = { ...first, serial_number: "other" };
    scene.attester.pcrs = firstPcrs.map(() => new Uint8Array(32).fill(9));
    assert.deepEqual(scene.replug(), ["platform-provisioned", "attested"]);
    assert.equal(scene.domain.platforms.count, 2);
    assert.deepEqual(scene.replug(), ["attested"]);
    scene.attester.metadata = first;
    assert.deepEqual(scene.replug(), ["attestation-failed pcr-mismatch"]);
    scene.attester.pcrs = firstPcrs;
    assert.deepEqual(scene.replug(), ["attested"]);
  });
});

describe("API v0 driver: profiles and keys", () => {
  for (const aik of ["restricted-rsa", "restricted-ecc"] as const) {
    for (const ek of ["rsa", "ecc"] as const) {
      it(`strict enrols and attests an AIK ${aik} on an EK of kind ${ek}`, () => {
        enrolled({ profile: STRICT, aik, ek });
      });
    }
  }

  it("strict refuses the reference's AIK; compat refuses a restricted one", () => {
    assert.deepEqual(new V0Scene({ profile: STRICT }).run().slice(1), ["platform-refused aik-unrestricted"]);
    assert.deepEqual(new V0Scene({ aik: "restricted-rsa" }).run().slice(1), ["platform-refused aik-unsupported"]);
  });

  it("strict refuses a platform without a dynamic launch; compat enrols it", () => {
    const strict = new V0Scene({ profile: STRICT, aik: "restricted-rsa" });
    strict.attester.withoutLaunch();
    assert.deepEqual(strict.run().slice(1), ["platform-refused no-dynamic-launch"]);
    const compat = new V0Scene();
    compat.attester.withoutLaunch();
    assert.deepEqual(compat.run().slice(1), ["platform-provisioned", "attested"]);
  });
});

describe("API v0 driver: who else is on the wire", () => {
  it("an answer from another address or port is not heard", () => {
    const scene = new V0Scene();
    const stranger = scene.net.open("169.254.0.9", COMPUTER.port);
    scene.net.fate = ({ datagram, to }) => {
      if (to.port === TOKEN_PEER.port) return [2];
      const { messageId, coapToken } = decodeMessage(datagram);
      assert.equal(coapToken.byteLength, 8);
      stranger.send(
        Uint8Array.of(
          0x60 | coapToken.byteLength,
          Code.Content,
          messageId >> 8,
          messageId & 0xff,
          ...coapToken,
          0xff,
          0,
        ),
        TOKEN_PEER,
      );
      return [3];
    };
    assert.deepEqual(scene.run(20_000).slice(-3), ["token-provisioned", "platform-provisioned", "attested"]);
  });
});

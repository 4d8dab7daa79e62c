/** A token that answers against the rules: each step of each flow, each way. What comes out is a sentence, in time. */
import assert from "node:assert/strict";
import { findToken, type Refusal, type V1AttesterOptions } from "../../../attester/flows/index.ts";
import { PcrsChangingError, TpmBusyError, type TpmClient } from "../../../attester/tpm/index.ts";
import { CodecError, concat, utf8 } from "../../../shared/bytes/index.ts";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { CoapError, type CoapResponse, Code, OptionNumber, textOption } from "../../../shared/coap/index.ts";
import { Challenge, Explanation, QuoteRequest, Versions } from "../../../shared/protocol/index.ts";
import { TpmUnreachable } from "../../../shared/tpm/index.ts";
import { seededRandom } from "../../support/random.ts";
import { freshEmulator } from "../../support/tpms.ts";
import { V1AttesterScene } from "./v1-attester-scene.ts";

const MALFORMED = /^the token's (answer to .+|nonce has \d+ bytes|grant has \d+ bytes, not 16)/;
const GARBAGE = Uint8Array.of(0xbf, 0x61);
const NOTHING = new Uint8Array();

type Change = Partial<CoapResponse>;
const at = (id: string): Change => ({ options: [textOption(OptionNumber.LocationPath, id)] });
const sized = (size: number, ...content: readonly number[]) => concat(Uint8Array.of(0, size), Uint8Array.from(content));
const challenge = (idObject: Uint8Array, encSecret: Uint8Array) => encodeCbor(Challenge, { idObject, encSecret });
const bank = { algo_id: 11, pcrs: 1 };

/** Answers that name an object, and how they can fail to. */
const NO_OBJECT: readonly [string, Change][] = [
  ["no object", { options: [] }],
  ["an object that is no number", at("ek")],
  ["an object that is a path", at("../1")],
  ["an object over 32 bits", at("4294967296")],
  ["an endless object", at("1".repeat(200))],
  ["another success", { code: Code.Changed }],
];
const NO_CBOR: readonly [string, Change][] = [
  ["nothing", { payload: NOTHING }],
  ["garbage", { payload: GARBAGE }],
  ["much garbage", { payload: new Uint8Array(60_000).fill(0x9f) }],
  ["a map of something else", { payload: encodeCbor(Versions, { versions: [1] }) }],
];
const NO_NONCE: readonly [string, Change][] = [
  ["a short nonce", { payload: new Uint8Array(31) }],
  ["no nonce", { payload: NOTHING }],
];
const otherSuccess = (...codes: readonly number[]): readonly [string, Change][] =>
  codes.map((code) => [`success 0x${code.toString(16)}`, { code }]);

type Flow = "provision" | "attest" | "read" | "write" | "remove";

const LIES: readonly [flow: Flow, step: RegExp, lies: readonly [string, Change][]][] = [
  ["provision", /POST .*\/ek$/, NO_OBJECT],
  ["provision", /POST .*\/aik$/, [...NO_OBJECT, ...NO_CBOR]],
  [
    "provision",
    /POST .*\/aik$/,
    [
      ["an empty credential", { payload: challenge(sized(0), sized(0)) }],
      ["a credential of another size", { payload: challenge(sized(9, 1), sized(1, 1)) }],
      ["a secret with a tail", { payload: challenge(sized(1, 1), sized(1, 1, 1)) }],
      ["a credential for another TPM", { payload: challenge(sized(4, 0, 2, 1, 1), sized(3, 1, 2, 3)) }],
    ],
  ],
  ["provision", /POST .*\/provision$/, NO_OBJECT],
  ["provision", /GET .*\/nonce$/, NO_NONCE],
  ["provision", /POST .*\/meta$/, otherSuccess(Code.Content, Code.Deleted)],
  ["provision", /POST .*\/rim$/, otherSuccess(Code.Content, Code.Valid)],
  ["provision", /POST .*\/provision\/\d+$/, otherSuccess(Code.Created, Code.Content)],
  ["attest", /GET .*\/nonce$/, NO_NONCE],
  ["attest", /POST .*\/attest$/, [...NO_OBJECT, ...NO_CBOR]],
  [
    "attest",
    /POST .*\/attest$/,
    [
      ["no bank", { payload: Uint8Array.of(0xa1, 0x65, ...utf8("banks"), 0x80) }],
      ["no PCR", { payload: encodeCbor(QuoteRequest, { nonce: new Uint8Array(32), banks: [{ ...bank, pcrs: 0 }] }) }],
      ["a bank twice", { payload: encodeCbor(QuoteRequest, { nonce: new Uint8Array(32), banks: [bank, bank] }) }],
    ],
  ],
  ["attest", /POST .*\/attest\/\d+$/, otherSuccess(Code.Created, Code.Content)],
  ["read", /GET .*fs\/luks$/, otherSuccess(Code.Changed, Code.Valid)],
  ["write", /PUT .*fs\/luks$/, otherSuccess(Code.Content, Code.Deleted)],
  ["remove", /DELETE .*fs\/luks$/, otherSuccess(Code.Content, Code.Changed)],
  ["read", /GET .*\/nonce$/, NO_NONCE],
  [
    "read",
    /POST .*\/grant$/,
    [
      ["a short grant", { payload: new Uint8Array(15) }],
      ["no grant", { payload: NOTHING }],
      ["another success", { code: Code.Content }],
    ],
  ],
];

/** Lies that end otherwise than as malformed answers: the TPM does not do it, or the token does not like what comes of it. */
const OTHERWISE: Readonly<Record<string, Refusal["reason"]>> = {
  "an empty credential": "activation-refused",
  "a credential for another TPM": "activation-refused",
  "no PCR": "nonce-mismatch",
  "a bank twice": "nonce-mismatch",
};

describe("API v1 attester and a token that answers against the rules", function () {
  this.timeout(120_000);
  let scene: V1AttesterScene;
  before(async () => {
    scene = await V1AttesterScene.open("strict", await freshEmulator("v1 lies"));
    assert.ok((await scene.run(scene.program().attester.provision())).ok);
  });
  after(() => scene.close());
  beforeEach(() => {
    scene.lie = () => undefined;
  });

  const textOf = (path: string | readonly string[]) => (typeof path === "string" ? path : path.join("/"));

  const run = async (flow: Flow, options: Partial<V1AttesterOptions> = {}) => {
    const { attester, endpoint } = scene.program(options);
    try {
      if (flow !== "provision" && flow !== "attest") await honestly(() => scene.run(attester.attest()));
      if (flow === "read") await honestly(() => scene.run(attester.write("luks", utf8("secret"))));
      const work = {
        provision: () => attester.provision(),
        attest: () => attester.attest(),
        read: () => attester.read("luks"),
        write: () => attester.write("luks", utf8("secret")),
        remove: () => attester.remove("luks"),
      };
      return await scene.run<{ readonly ok: true } | Refusal>(work[flow]());
    } finally {
      endpoint.close();
      await scene.advance(4_000); // its session ends
    }
  };

  const honestly = async (work: () => Promise<unknown>) => {
    const { lie } = scene;
    scene.lie = () => undefined;
    await work();
    scene.lie = lie;
  };

  for (const [flow, step, lies] of LIES) {
    for (const [what, change] of lies) {
      it(`${flow}: ${what} to ${step.source.replaceAll("\\", "")}`, async () => {
        let told = 0;
        scene.lie = ({ method, path }, answer) => {
          // A platform that is known is refused at the end of provisioning; that is lied about as well.
          const other = answer.code >= Code.BadRequest && flow !== "provision";
          if (other || !step.test(`${method} ${textOf(path)}`)) return undefined;
          told++;
          return { ...answer, ...change };
        };
        const outcome = await run(flow);
        assert.ok(told > 0, "the lie was not told");
        assert.ok(!outcome.ok, "it was believed");
        const reason = OTHERWISE[what] ?? "malformed-answer";
        assert.equal(outcome.reason, reason, outcome.detail);
        if (reason === "malformed-answer") assert.match(outcome.detail, MALFORMED);
        assert.doesNotMatch(outcome.detail, /\p{Cc}/u);
      });
    }
  }

  for (const [what, change, detail] of [
    ["no list", { payload: GARBAGE }, MALFORMED],
    ["no list of CBOR", { payload: NOTHING }, MALFORMED],
    ["another version", { payload: encodeCbor(Versions, { versions: [2, 3] }) }, /^the token speaks API 2, 3, not 1$/],
  ] as const) {
    it(`finds no token that says its version is ${what}`, async () => {
      scene.lie = (_request, answer) => ({ ...answer, ...change });
      const outcome = await scene.run(findToken(scene.program().wire));
      assert.ok(!outcome.ok);
      assert.match(outcome.detail, detail);
    });
  }

  it("finds a token that keeps its version to itself", async () => {
    scene.lie = (_request, answer) => ({ ...answer, code: Code.NotFound, payload: NOTHING });
    assert.deepEqual(await scene.run(findToken(scene.program().wire)), { ok: true });
  });

  for (const [what, payload] of [
    ["garbage", GARBAGE],
    ["nothing", NOTHING],
    ["PCRs that do not exist", Uint8Array.of(0xa1, 0x64, ...utf8("pcrs"), 0x81, 0x18, 99)],
  ] as const) {
    it(`keeps a verdict whose explanation is ${what}`, async () => {
      scene.lie = ({ path }, answer) => {
        const text = textOf(path);
        if (/attest\/\d+$/.test(text)) return { ...answer, code: Code.Forbidden, payload: NOTHING };
        return text.endsWith("/explain") ? { ...answer, code: Code.Changed, payload } : undefined;
      };
      const outcome = await run("attest");
      assert.ok(!outcome.ok);
      assert.equal(outcome.detail, "the token refuses the evidence (4.03)");
    });
  }

  it("keeps a verdict whose explanation never comes", async () => {
    scene.lie = ({ path }, answer) => {
      const text = textOf(path);
      if (text.endsWith("/explain")) throw new CoapError("timeout", "no answer");
      return /attest\/\d+$/.test(text) ? { ...answer, code: Code.Forbidden, payload: NOTHING } : undefined;
    };
    const outcome = await run("attest");
    assert.ok(!outcome.ok);
    assert.equal(outcome.reason, "not-trusted");
    assert.equal(outcome.detail, "the token refuses the evidence (4.03)");
  });

  for (const error of [
    new PcrsChangingError("the PCRs changed while they were read, 5 times"),
    new TpmBusyError("64 operations wait for the TPM already"),
    new TpmUnreachable("the TPM went away"),
    new CodecError("the answer is none", "PCR_Read", 0),
  ]) {
    it(`keeps a verdict whose explanation ends in the TPM with ${error.name}`, async () => {
      scene.lie = ({ path }, answer) =>
        /attest\/\d+$/.test(textOf(path)) ? { ...answer, code: Code.Forbidden, payload: NOTHING } : undefined;
      const tpm = { ...scene.tpm, turn: () => Promise.reject(error) };
      const outcome = await run("attest", { tpm });
      assert.ok(!outcome.ok);
      assert.equal(outcome.detail, "the token refuses the evidence (4.03)");
    });
  }

  it("keeps a verdict whose explanation the TPM holds up, tells it at once, and asks the token no more when the TPM answers late", async () => {
    scene.lie = ({ path }, answer) =>
      /attest\/\d+$/.test(textOf(path)) ? { ...answer, code: Code.Forbidden, payload: NOTHING } : undefined;
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const turn: TpmClient["turn"] = (use) => held.then(() => scene.tpm.turn(use));
    const { attester, endpoint } = scene.program({ tpm: { ...scene.tpm, turn } });
    const told: [string, number][] = [];
    const onRefused = ({ reason }: Refusal) => told.push([reason, scene.clock.now()]);
    const outcome = await scene.run(attester.attest({ onRefused }));
    const [[reason, toldAt] = assert.fail("nothing was told"), ...more] = told;
    assert.deepEqual([reason, more], ["not-trusted", []]);
    assert.equal(scene.clock.now() - toldAt, 10_000);
    assert.deepEqual(outcome, { ok: false, reason, detail: "the token refuses the evidence (4.03)", code: 0x83 });
    scene.asked.length = 0;
    goOn();
    await scene.advance(20_000);
    assert.deepEqual(scene.asked, []);
    endpoint.close();
  });

  it("takes an explanation without PCRs for none", async () => {
    scene.lie = ({ path }, answer) => {
      const text = textOf(path);
      if (/attest\/\d+$/.test(text)) return { ...answer, code: Code.Forbidden, payload: NOTHING };
      const payload = encodeCbor(Explanation, { pcrs: [] });
      return text.endsWith("/explain") ? { ...answer, code: Code.Changed, payload } : undefined;
    };
    const outcome = await run("attest");
    assert.ok(!outcome.ok);
    assert.equal(outcome.detail, "the token refuses the evidence (4.03)");
  });

  for (const code of [Code.BadRequest, Code.Unauthorized, Code.NotFound, Code.InternalServerError, 0x9d, 0xbf]) {
    it(`has a reason for error 0x${code.toString(16)} at every step`, async () => {
      for (const flow of ["provision", "attest", "read", "write", "remove"] as const) {
        for (let step = 0; step < 9; step++) {
          let asked = 0;
          scene.lie = (_request, answer) =>
            asked++ === step ? { ...answer, code, payload: utf8("\u001b[2Jfree\ntext") } : undefined;
          const outcome = await run(flow);
          if (outcome.ok) continue; // it had fewer steps, or went another way
          assert.match(outcome.detail, /^the token |^no /);
          assert.doesNotMatch(outcome.detail, /\p{Cc}/u);
        }
      }
    });
  }

  it("survives answers of any kind", async () => {
    const random = seededRandom(9, "lies");
    for (let i = 0; i < 60; i++) {
      scene.lie = (_request, answer) => {
        const [dice = 0, code = 0, size = 0, where = 0, bit = 0] = random.bytes(5);
        if (dice < 200) return undefined;
        if (dice < 220) return { ...answer, code: 0x40 | (code & 0x7f), payload: random.bytes(size) };
        return { ...answer, payload: answer.payload.map((byte, at) => (at === where ? byte ^ bit : byte)) };
      };
      for (const flow of ["provision", "attest", "read"] as const) {
        const outcome = await run(flow);
        assert.ok(outcome.ok || outcome.detail.length > 0);
      }
    }
  });
});

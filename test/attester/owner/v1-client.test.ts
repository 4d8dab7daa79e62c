import assert from "node:assert/strict";
import { TokenAnswerError, TokenSilent, type TokenWire } from "../../../attester/flows/token-wire.ts";
import {
  createAdmission,
  memoryRecord,
  ownerKeyKinds,
  type ProvisionedToken,
  provisionRefusals,
  provisionToken,
  type RefusedProvisioning,
} from "../../../attester/owner/index.ts";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { type CoapHandler, type CoapReply, Code, diagnostic } from "../../../shared/coap/index.ts";
import { CertChain, V1, Versions } from "../../../shared/protocol/index.ts";
import { buildCsr, tokenSubject, validateChain } from "../../../shared/x509/index.ts";
import { ed25519, p256, random } from "../../support/x509.ts";
import { materialOf, OwnerScene, TODAY } from "./scene.ts";

const ECC = materialOf("ecc");

function provisioned(outcome: ProvisionedToken | RefusedProvisioning): ProvisionedToken {
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.sentence);
  return outcome;
}

function refusedWith(outcome: ProvisionedToken | RefusedProvisioning, reason: string, sentence: RegExp): void {
  assert.equal(outcome.ok ? "provisioned" : outcome.reason, reason);
  assert.match(outcome.ok ? "" : outcome.sentence, sentence);
}

const created = (payload?: Uint8Array): CoapReply => ({ code: Code.Created, payload });
const VERSIONS: CoapReply = { code: Code.Content, payload: encodeCbor(Versions, { versions: [1] }) };

/** Answers by path; what is not scripted is 4.04. */
function scripted(replies: Readonly<Record<string, CoapReply | readonly CoapReply[]>>): CoapHandler {
  const left = new Map(Object.entries({ [V1.VERSION]: VERSIONS, ...replies }).map(([path, r]) => [path, [r].flat()]));
  return ({ path }) => {
    const own = left.get(`/${path.join("/")}`) ?? [];
    return (own.length > 1 ? own.shift() : own[0]) ?? { code: Code.NotFound };
  };
}

describe("attester/owner: token provisioning of API v1", () => {
  for (const profile of ["strict", "compat"] as const) {
    for (const kind of ownerKeyKinds) {
      it(`${profile}, issuing key ${kind}: provisions, and finds the token provisioned then`, async () => {
        const scene = new OwnerScene();
        const material = materialOf(kind);
        const token = scene.token({ ownerRoot: material.root, profile });
        const record = memoryRecord();
        const owner = scene.owner({ material, record });
        const { certificate, deviceId, again } = provisioned(
          await scene.settle(provisionToken({ wire: scene.wire(), owner })),
        );
        assert.equal(deviceId, token.domain.deviceId);
        assert.equal(again, false);
        assert.deepEqual(
          record.list().map((entry) => entry.certificate),
          [certificate.der],
        );
        const { chain, root } = material;
        const judged = {
          leaf: certificate,
          intermediates: chain,
          roots: [root],
          purpose: "token",
          today: TODAY,
        } as const;
        const verdict = validateChain(judged);
        assert.ok(verdict.ok && verdict.warnings.length === 0);
        assert.deepEqual(token.events.at(-1), { type: "token-provisioned", deviceId });
        const second = await scene.settle(provisionToken({ wire: scene.wire(), owner }));
        refusedWith(second, "already-provisioned", profile === "strict" ? /wipe it first \(4\.03/ : /\(4\.04/);
        assert.equal(record.list().length, 1);
      });
    }
  }

  it("a token whose power fails between both requests gets the same certificate by the same command", async () => {
    const scene = new OwnerScene();
    const record = memoryRecord();
    const first = scene.token({ ownerRoot: ECC.root });
    const wire = scene.wire();
    const dies: TokenWire = {
      ...wire,
      ask(what, request) {
        if (request.path === V1.PROVISION_COMPLETE) first.stop();
        return wire.ask(what, request);
      },
    };
    const cut = scene.settle(provisionToken({ wire: dies, owner: scene.owner({ record }) }));
    await assert.rejects(
      cut,
      (error) => error instanceof TokenSilent && /the same command again makes sure/.test(error.message),
    );
    const [issued] = record.list();
    const second = scene.token({ ownerRoot: ECC.root, store: first.store });
    assert.equal(second.domain.provisioned, false);
    const outcome = await scene.settle(provisionToken({ wire: scene.wire(), owner: scene.owner({ record }) }));
    const { again, certificate } = provisioned(outcome);
    assert.equal(again, true);
    assert.deepEqual(certificate.der, issued?.certificate);
    assert.equal(record.list().length, 1);
    assert.equal(second.domain.provisioned, true);
  });

  it("a token that took its certificate unheard says so when it is asked again", async () => {
    const scene = new OwnerScene();
    const token = scene.token({ ownerRoot: ECC.root });
    scene.net.fate = ({ from }) => (token.domain.provisioned && from.port === scene.tokenPeer.port ? [] : [1]);
    const owner = scene.owner();
    await assert.rejects(scene.settle(provisionToken({ wire: scene.wire(), owner })), TokenSilent);
    scene.net.fate = () => [1];
    const again = await scene.settle(provisionToken({ wire: scene.wire(), owner }));
    refusedWith(again, "already-provisioned", /provisioned already/);
  });

  it("another owner's token does not trust the chain, and gets nothing", async () => {
    const scene = new OwnerScene();
    scene.token({ ownerRoot: materialOf("ecc", "Somebody else").root });
    const record = memoryRecord();
    const outcome = await scene.settle(provisionToken({ wire: scene.wire(), owner: scene.owner({ record }) }));
    refusedWith(outcome, "chain", /does not trust this owner's chain \(4\.03: /);
    assert.deepEqual(record.list(), []);
  });

  it("a token that was not expected gets nothing", async () => {
    const scene = new OwnerScene();
    const token = scene.token({ ownerRoot: ECC.root });
    const record = memoryRecord();
    const owner = scene.owner({ record, admission: createAdmission({ expected: ["A1"] }) });
    const outcome = await scene.settle(provisionToken({ wire: scene.wire(), owner }));
    refusedWith(outcome, "not-expected", new RegExp(`${token.domain.deviceId} was not announced`));
    assert.deepEqual(record.list(), []);
    assert.equal(token.domain.provisioned, false);
  });

  it("a revoked certificate is not handed out again: the token gets a new one, with a warning", async () => {
    const scene = new OwnerScene();
    const record = memoryRecord();
    const owner = scene.owner({ record });
    const first = scene.token({ ownerRoot: ECC.root });
    const csr = first.domain.requestCertificate();
    assert.ok(csr.ok);
    const old = owner.issue(csr.value);
    assert.ok(old.ok);
    record.revoke([record.list()[0]?.serial ?? ""], { at: TODAY, reason: "superseded" });
    const { certificate, again } = provisioned(await scene.settle(provisionToken({ wire: scene.wire(), owner })));
    assert.equal(again, false);
    assert.notDeepEqual(certificate.serial, old.certificate.serial);
    assert.match(scene.log.lines.join("\n"), /warn: .*was revoked \(superseded\); it gets a new one/);
  });

  describe("a person who is asked", () => {
    function asking(scene: OwnerScene, answer: boolean, afterMs: number, asked: string[] = []) {
      const ask = (deviceId: string) => {
        asked.push(deviceId);
        return new Promise<boolean>((resolve) => void scene.clock.after(afterMs, () => resolve(answer)));
      };
      return { ask, clock: scene.clock };
    }

    for (const profile of ["strict", "compat"] as const) {
      it(`${profile}: may take half a minute: the session is kept`, async () => {
        const scene = new OwnerScene();
        const token = scene.token({ ownerRoot: ECC.root, profile });
        const asked: string[] = [];
        const work = provisionToken({
          wire: scene.wire(),
          owner: scene.owner(),
          asking: asking(scene, true, 30_000, asked),
        });
        provisioned(await scene.settle(work));
        assert.deepEqual(asked, [token.domain.deviceId]);
        const begun = scene.clock.now();
        assert.ok(begun >= 30_000 && begun < 31_000);
      });
    }

    it("says no: nothing is issued, and nobody is pinged any more", async () => {
      const scene = new OwnerScene();
      const token = scene.token({ ownerRoot: ECC.root });
      const record = memoryRecord();
      const owner = scene.owner({ record });
      const endpoint = scene.endpoint();
      const work = provisionToken({ wire: scene.wire(endpoint), owner, asking: asking(scene, false, 2_500) });
      refusedWith(await scene.settle(work), "denied", /was turned away/);
      assert.deepEqual(record.list(), []);
      endpoint.close();
      scene.net.sent.length = 0;
      scene.clock.advance(60_000);
      assert.equal(token.sessions.open, 0);
      const own = scene.net.sent.filter(({ from }) => from.port !== scene.tokenPeer.port);
      assert.deepEqual(own, []);
    });

    it("is told when the token goes away meanwhile", async () => {
      const scene = new OwnerScene();
      const token = scene.token({ ownerRoot: ECC.root });
      scene.clock.after(5_000, () => token.stop());
      const work = provisionToken({ wire: scene.wire(), owner: scene.owner(), asking: asking(scene, true, 250_000) });
      await assert.rejects(scene.settle(work), TokenSilent);
    });
  });

  describe("answers that are none", () => {
    const csr = buildCsr({ subject: tokenSubject("A1"), key: ed25519("A1") }, random);
    const run = (replies: Parameters<typeof scripted>[0]) => {
      const scene = new OwnerScene();
      scene.impostor(scripted(replies));
      return scene.settle(provisionToken({ wire: scene.wire(), owner: scene.owner() }));
    };
    const chain = (reply: CoapReply) => run({ [V1.TOKEN_PROVISION]: reply });
    const complete = (reply: CoapReply) => run({ [V1.TOKEN_PROVISION]: created(csr), [V1.PROVISION_COMPLETE]: reply });

    it("tells what is no token of API v1", async () => {
      const later = { code: Code.Content, payload: encodeCbor(Versions, { versions: [2, 3] }) };
      refusedWith(await run({ [V1.VERSION]: later }), "api", /speaks API v2, v3, not v1/);
      refusedWith(await run({ [V1.VERSION]: { code: Code.NotFound } }), "api", /no token of API v1 \(4\.04\)/);
      await assert.rejects(run({ [V1.VERSION]: { code: Code.Content, payload: Uint8Array.of(1) } }), TokenAnswerError);
    });

    it("tells the codes of the first request apart, with and without their texts", async () => {
      refusedWith(await chain({ code: Code.NotFound }), "already-provisioned", /wipe it first \(4\.04\)/);
      refusedWith(
        await chain(diagnostic(Code.Forbidden, "already provisioned")),
        "already-provisioned",
        /4\.03: already/,
      );
      refusedWith(await chain({ code: Code.Forbidden }), "chain", /or has an owner already \(4\.03\)/);
      refusedWith(await chain(diagnostic(Code.Forbidden, "bad\u001b[2J")), "chain", /\(4\.03: bad\?\[2J\)/);
      for (const code of [Code.BadRequest, Code.RequestEntityTooLarge, Code.InternalServerError]) {
        refusedWith(await chain({ code }), "token-trouble", /the token refuses the owner's chain/);
      }
      await assert.rejects(chain({ code: Code.Content, payload: csr }), TokenAnswerError);
    });

    it("refuses requests that are none, each by its reason, and never throws", async () => {
      const of = (reply: Uint8Array) => chain(created(reply));
      refusedWith(await of(new Uint8Array()), "malformed", /no certificate \(malformed\)/);
      for (let size = 1; size < csr.byteLength; size += 7) {
        refusedWith(await of(csr.subarray(0, size)), "malformed", /malformed/);
      }
      refusedWith(await of(Uint8Array.of(...csr, 0)), "malformed", /malformed/);
      const p256Csr = buildCsr({ subject: tokenSubject("A1"), key: p256("A1") }, random);
      refusedWith(await of(p256Csr), "key-type", /Ed25519/);
    });

    it("tells the codes of the second request apart", async () => {
      provisioned(await complete(created()));
      refusedWith(await complete(diagnostic(Code.Forbidden, "foreign key")), "certificate", /4\.03: foreign key/);
      refusedWith(await complete({ code: Code.NotFound }), "already-provisioned", /provisioned already/);
      refusedWith(await complete({ code: Code.InternalServerError }), "token-trouble", /5\.00/);
      await assert.rejects(complete({ code: Code.Changed }), TokenAnswerError);
    });

    it("every reason of its own is shown above", () => {
      const shown = ["api", "already-provisioned", "chain", "certificate", "token-trouble"];
      assert.deepEqual([...provisionRefusals], shown);
    });
  });

  it("sends the chain root first, in blocks", async () => {
    const scene = new OwnerScene();
    const material = materialOf("rsa");
    let body: Uint8Array | undefined;
    const replies = scripted({ [V1.TOKEN_PROVISION]: { code: Code.Forbidden } });
    scene.impostor((request) => {
      if (request.path.at(-1) === "token_provision") body = request.payload;
      return replies(request);
    });
    await scene.settle(provisionToken({ wire: scene.wire(), owner: scene.owner({ material }) }));
    assert.deepEqual(body, encodeCbor(CertChain, { certs: material.chain.map(({ der }) => der) }));
    assert.deepEqual(material.chain[0], material.root);
  });
});

import assert from "node:assert/strict";
import { TokenAnswerError, TokenRefused } from "../../../attester/flows/token-wire.ts";
import {
  type Administered,
  type AdministrationOptions,
  type EnrolledPlatform,
  findPlatform,
  listPlatforms,
  memoryRecord,
  onlyToken,
  ownerKeyKinds,
  platformRefusals,
  provisionToken,
  removePlatform,
  renamePlatform,
} from "../../../attester/owner/index.ts";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { type CoapReply, Code, diagnostic } from "../../../shared/coap/index.ts";
import { PlatformList } from "../../../shared/protocol/index.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { seededRandom } from "../../support/random.ts";
import { askOver } from "../../support/v1-asks.ts";
import { V1Walk } from "../../support/v1-walk.ts";
import { materialOf, OwnerScene } from "./scene.ts";

const random = seededRandom(21);
const ECC = materialOf("ecc");
const NONCE: CoapReply = { code: Code.Content, payload: new Uint8Array(32) };

function done<T>(outcome: Administered<T>): T {
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.sentence);
  return outcome.value;
}

function refusedWith(outcome: Administered<unknown>, reason: string, sentence: RegExp): void {
  assert.equal(outcome.ok ? "done" : outcome.reason, reason);
  assert.match(outcome.ok ? "" : outcome.sentence, sentence);
}

/** A token with an owner and two computers. */
async function enrolled(scene: OwnerScene, material = ECC, profile: "strict" | "compat" = "strict") {
  const aik = profile === "strict" ? "restricted-rsa" : "reference";
  const all = ["1", "2"].map((serialNumber) => new FakeAttester({ aik, serialNumber }));
  const ekRoots = all.map(({ vendor }) => vendor.certificate);
  const token = scene.token({ ownerRoot: material.root, ekRoots, profile });
  const outcome = await scene.settle(provisionToken({ wire: scene.wire(), owner: scene.owner({ material }) }));
  assert.ok(outcome.ok);
  for (const one of all) {
    const walk = new V1Walk(askOver(scene.endpoint(), scene.tokenPeer), new FakeOwner(), one);
    await scene.settle(walk.provisionPlatform());
  }
  const options: AdministrationOptions = { wire: scene.wire(), key: material.key, scheme: material.scheme, random };
  const list = async () => done(await scene.settle(listPlatforms(options)));
  return { token, options, list };
}

describe("attester/owner: platforms of a token", function () {
  this.timeout(30_000);

  for (const kind of ownerKeyKinds) {
    it(`lists, renames and removes with an issuing key ${kind}`, async () => {
      const scene = new OwnerScene();
      const { token, options, list } = await enrolled(scene, materialOf(kind), kind === "rsa" ? "compat" : "strict");
      const [first, second] = await list();
      assert.ok(first !== undefined && second !== undefined);
      assert.deepEqual([first.serialNumber, second.serialNumber].sort(), ["1", "2"]);
      assert.match(first.id, /^[0-9a-f]{64}$/);
      assert.deepEqual([first.name, first.files, first.sizeBytes, first.attested], ["", 0, 0, 0]);
      done(await scene.settle(renamePlatform(first, "Büro ☂", options)));
      assert.equal((await list()).find(({ id }) => id === first.id)?.name, "Büro ☂");
      done(await scene.settle(renamePlatform(first, "", options)));
      assert.equal((await list()).find(({ id }) => id === first.id)?.name, "");
      done(await scene.settle(removePlatform(first, options)));
      assert.deepEqual(
        (await list()).map(({ id }) => id),
        [second.id],
      );
      assert.equal(token.events.at(-1)?.type, "platform-removed");
      refusedWith(await scene.settle(removePlatform(first, options)), "not-found", /does not know this platform/);
      refusedWith(await scene.settle(renamePlatform(first, "x", options)), "not-found", /not know/);
    });
  }

  it("another owner's key is refused, and so is any key by a token without owner", async () => {
    const scene = new OwnerScene();
    const { options, list, token } = await enrolled(scene);
    const [platform] = await list();
    assert.ok(platform);
    const foreign = { ...options, key: materialOf("ecc", "Somebody else").key };
    const tried: readonly (() => Promise<Administered<unknown>>)[] = [
      () => listPlatforms(foreign),
      () => renamePlatform(platform, "mine", foreign),
      () => removePlatform(platform, foreign),
    ];
    for (const ask of tried) {
      refusedWith(await scene.settle(ask()), "not-owner", /not take this key for its owner's \(4\.03/);
    }
    assert.equal((await list()).length, 2);
    token.stop();
    const blank = new OwnerScene();
    blank.token({ ownerRoot: ECC.root });
    const outcome = await blank.settle(listPlatforms({ ...options, wire: blank.wire() }));
    refusedWith(outcome, "not-found", /has no owner, or does not tell/);
  });

  it("bears tokens without this extension, and answers that are none", async () => {
    const ask = (reply: CoapReply, nonce = NONCE) => {
      const scene = new OwnerScene();
      scene.impostor(({ path }) => (path.at(-1) === "nonce" ? nonce : reply));
      return scene.settle(listPlatforms({ wire: scene.wire(), key: ECC.key, scheme: ECC.scheme, random }));
    };
    refusedWith(await ask({ code: Code.NotFound }), "not-found", /\(4\.04\)/);
    refusedWith(await ask({ code: Code.MethodNotAllowed }), "not-found", /\(4\.05\)/);
    refusedWith(await ask(diagnostic(Code.InternalServerError, "full")), "token-trouble", /5\.00: full/);
    const good = encodeCbor(PlatformList, { platforms: [] });
    assert.deepEqual(done(await ask({ code: Code.Content, payload: good })), []);
    const malformed = [new Uint8Array(), good.subarray(1), Uint8Array.of(...good, 0), Uint8Array.of(0xa0)];
    for (const payload of malformed) await assert.rejects(ask({ code: Code.Content, payload }), TokenAnswerError);
    await assert.rejects(ask({ code: Code.Changed, payload: good }), TokenAnswerError);
    await assert.rejects(ask({ code: Code.Content, payload: good }, { code: Code.Content }), TokenAnswerError);
    await assert.rejects(ask({ code: Code.Content, payload: good }, { code: Code.ServiceUnavailable }), TokenRefused);
    assert.deepEqual([...platformRefusals], ["not-found", "not-owner", "token-trouble"]);
  });

  it("names the token that is meant: its own takes it, another does not", async () => {
    const scene = new OwnerScene();
    const { token, options, list } = await enrolled(scene);
    const [platform] = await list();
    assert.ok(platform);
    const own = token.domain.deviceId ?? assert.fail();
    const another = { ...options, token: "1A2B" };
    const sentence = /^the token is another one than 1A2B, or does not take this key/;
    refusedWith(await scene.settle(listPlatforms(another)), "not-owner", sentence);
    refusedWith(await scene.settle(renamePlatform(platform, "x", another)), "not-owner", sentence);
    done(await scene.settle(renamePlatform(platform, "x", { ...options, token: own })));
    done(await scene.settle(removePlatform(platform, { ...options, token: own })));
  });

  it("a platform is the one that was shown: of the same id and called otherwise, it stays", async () => {
    const scene = new OwnerScene();
    const { options, list } = await enrolled(scene);
    const [platform] = await list();
    assert.ok(platform);
    for (const wrong of [{ manufacturer: "x" }, { productName: "x" }, { serialNumber: "x" }]) {
      const shown = { ...platform, ...wrong };
      refusedWith(await scene.settle(removePlatform(shown, options)), "not-found", /\(4\.04: .*called otherwise\)/);
      refusedWith(await scene.settle(renamePlatform(shown, "x", options)), "not-found", /called otherwise/);
    }
    assert.deepEqual(
      (await list()).map(({ name }) => name),
      ["", ""],
    );
  });

  it("each request is signed for itself alone", async () => {
    const scene = new OwnerScene();
    const bodies: Uint8Array[] = [];
    scene.impostor(({ path, payload }) => {
      if (path.at(-1) === "nonce") return { code: Code.Content, payload: random.bytes(32) };
      bodies.push(payload);
      return { code: path.at(-1) === "remove" ? Code.Deleted : Code.Changed };
    });
    const { key, scheme } = materialOf("ed25519");
    const options = { wire: scene.wire(), key, scheme, random };
    const shown = { idBytes: new Uint8Array(32), manufacturer: "", productName: "", serialNumber: "" };
    done(await scene.settle(removePlatform(shown, options)));
    done(await scene.settle(removePlatform(shown, options)));
    assert.notDeepEqual(bodies[0], bodies[1]);
  });

  it("the token that is meant is the only one of the record whose certificate is not revoked", () => {
    const record = memoryRecord();
    const entry = { subject: "", notBefore: 0, notAfter: 0, certificate: new Uint8Array() };
    assert.equal(onlyToken(record), undefined);
    record.add({ ...entry, serial: "1", deviceId: "A1" });
    record.add({ ...entry, serial: "2", deviceId: "A1" });
    assert.equal(onlyToken(record), "A1");
    record.add({ ...entry, serial: "3", deviceId: "B2" });
    assert.equal(onlyToken(record), undefined);
    record.revoke(["1", "2"], { at: 0, reason: "superseded" });
    assert.equal(onlyToken(record), "B2");
  });

  describe("findPlatform", () => {
    const platform = (id: string, name = ""): EnrolledPlatform => ({
      id: id.padEnd(64, "0"),
      idBytes: new Uint8Array(32),
      name,
      manufacturer: "",
      productName: "",
      serialNumber: "",
      files: 0,
      sizeBytes: 0,
      attested: 0,
    });
    const all = [platform("a1b2", "office"), platform("a1c3", "beef"), platform("beef01")];
    const find = (text: string) => {
      const found = findPlatform(all, text);
      return found.ok ? all.indexOf(found.platform) : found.sentence;
    };

    it("by the first digits of an id, or by a name", () => {
      assert.equal(find("a1b"), 0);
      assert.equal(find("A1C3"), 1);
      assert.equal(find("office"), 0);
      assert.equal(find(all[2]?.id ?? ""), 2);
    });

    it("says in a sentence that there is none, or more than one", () => {
      assert.equal(find("ff"), 'the token has no platform "ff"');
      assert.equal(find(""), 'the token has no platform ""');
      assert.equal(find("Office"), 'the token has no platform "Office"');
      assert.match(String(find("a1")), /^"a1" may be a1b2\S+ or a1c3\S+: more digits are needed$/);
      assert.match(String(find("beef")), /more digits/);
    });
  });
});

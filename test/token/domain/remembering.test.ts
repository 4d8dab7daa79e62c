import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { Code } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { platformId } from "../../../token/domain/platforms.ts";
import { remembering } from "../../../token/domain/remembering.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { V1Scene } from "../../support/v1-scene.ts";

const put = (key: string, text = key) => new Map([[key, utf8(text)]]);

describe("remembering what a store's bytes mean", () => {
  function counted(store = remembering(memoryStore())) {
    const asked: string[] = [];
    const length = store.remembered((key) => {
      asked.push(key);
      const bytes = store.get(key);
      return bytes === undefined ? undefined : { bytes: bytes.byteLength };
    });
    return { store, asked, length };
  }

  it("makes it once", () => {
    const { store, asked, length } = counted();
    store.commit(put("a", "four"));
    assert.equal(length("a"), length("a"));
    assert.deepEqual([length("a"), asked], [{ bytes: 4 }, ["a"]]);
  });

  it("forgets all of it with every write, whichever key it is of", () => {
    const { store, asked, length } = counted();
    store.commit(new Map([...put("a"), ...put("b")]));
    for (const write of [() => store.commit(put("c")), () => store.commit(put("a", "more")), () => store.wipe("a")]) {
      length("a");
      asked.length = 0;
      write();
      length("a");
      assert.deepEqual(asked, ["a"]);
    }
    assert.deepEqual([length("a"), length("b")], [{ bytes: 4 }, undefined]);
  });

  it("forgets also when a write ends in the middle", () => {
    const inner = memoryStore();
    let cut = false;
    const commit: typeof inner.commit = (changes) => {
      inner.commit(changes);
      if (cut) throw new Error("power cut");
      return "done";
    };
    const { store, length } = counted(remembering({ ...inner, commit }));
    store.commit(put("a"));
    length("a");
    cut = true;
    assert.throws(() => store.commit(put("a", "changed")), /power cut/);
    assert.deepEqual(length("a"), { bytes: 7 });
  });

  it("keeps nothing of keys that are not there, nor of what cannot be made", () => {
    const { asked, length } = counted();
    assert.deepEqual([length("x"), length("x"), asked.length], [undefined, undefined, 2]);
    const store = remembering(memoryStore());
    const failing = store.remembered((key) => {
      asked.push(key);
      throw new RangeError("damaged");
    });
    for (let i = 0; i < 2; i++) assert.throws(() => failing("y"), /damaged/);
    assert.equal(asked.length, 4);
  });
});

describe("a token knows a platform as it is stored now", () => {
  /** The platform attests, so that the token has it in mind. */
  function known() {
    const scene = new V1Scene();
    const client = scene.attested();
    return { scene, client, id: platformId(client.attester.metadataBytes()) };
  }
  const metadata = (client: ReturnType<V1Scene["client"]>) =>
    client.post(V1.ATTEST, client.signed(client.attester.metadataBytes())).code;

  it("removed, it is a stranger at once, also in an attestation under way", () => {
    const { scene, client, id } = known();
    const { path, asked } = client.openAttestation();
    scene.domain.removePlatform(id);
    assert.equal(client.post(path, client.evidence(asked)).code, Code.NotFound);
    assert.equal(metadata(client), Code.NotFound);
  });

  it("enrolled anew with another key, the former key counts no more", () => {
    const { scene, client, id } = known();
    scene.domain.removePlatform(id);
    client.close();
    const other = scene.client(40_001, new FakeAttester({ aik: "restricted-ecc" }));
    assert.equal(other.enrol(), "2.04");
    assert.equal(other.attest(), "2.04");
    assert.equal(metadata(scene.client(40_002)), Code.NotFound);
  });

  it("enrolled anew with other reference values, the former ones are wrong", () => {
    const { scene, client, id } = known();
    scene.domain.removePlatform(id);
    const { attester } = client;
    const former = attester.pcrs;
    attester.pcrs = former.map((value, pcr) => (pcr === 4 ? new Uint8Array(32).fill(0x77) : value));
    assert.equal(client.enrol(), "2.04");
    assert.equal(client.attest(), "2.04");
    attester.pcrs = former;
    assert.equal(client.attest(), "4.03");
  });

  it("wiped, the token knows neither platform nor owner", () => {
    const { scene, client } = known();
    scene.domain.wipe();
    assert.equal(scene.domain.provisioned, false);
    assert.equal(metadata(client), Code.NotFound);
  });
});

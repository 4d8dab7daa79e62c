import assert from "node:assert/strict";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { Evidence, V1 } from "../../../shared/protocol/index.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { posting, V1Scene } from "../../support/v1-scene.ts";

const PATH = `${V1.STORAGE}/key`;

/** Two sessions of one platform are attested. */
function twoSessions(profile: Profile = STRICT) {
  const scene = new V1Scene({ profile });
  const { attester } = scene;
  const [first, second] = [scene.attested(1), scene.attested(2)];
  /** What its TPM says of its starts from now on. */
  const starts = (resetCount: number, restartCount = 0) => {
    attester.alterQuote = (quote) => ({ ...quote, clockInfo: { ...quote.clockInfo, resetCount, restartCount } });
  };
  const bootsElse = () => {
    attester.pcrs = attester.pcrs.map((value, pcr) => (pcr === 0 ? new Uint8Array(32) : value));
  };
  starts(1);
  scene.clock.advance(1_000); // the blink of enrolment is over
  scene.news();
  return { scene, attester, first, second, starts, bootsElse };
}

describe("API v1 server: evidence of another start of the TPM", () => {
  it("ends what other sessions of the platform had proved, with their grants, when it is bad", () => {
    const { scene, first, second, starts, bootsElse } = twoSessions();
    const query = [first.grant("GET", "key")];
    starts(2);
    bootsElse();
    assert.equal(scene.client(3).attest(), "4.03");
    assert.deepEqual(scene.news(), ["attestation-failed pcr-mismatch", "attested-sessions 1", "attested-sessions 0"]);
    assert.equal(first.said({ method: "GET", path: PATH, query }), "4.04 not attested");
    assert.equal(second.said({ method: "GET", path: PATH }), "4.04 not attested");
    assert.equal(scene.lamp, "red");
  });

  it("and when it is good, whichever of the two counters is another", () => {
    for (const [resetCount, restartCount] of [
      [2, 0],
      [1, 1],
      [0, 0],
    ] as const) {
      const { scene, first, second, starts } = twoSessions();
      starts(resetCount, restartCount);
      assert.equal(first.attest(), "2.04");
      assert.deepEqual(scene.news(), ["attested", "attested-sessions 1"]);
      assert.equal(second.said({ method: "GET", path: PATH }), "4.04 not attested");
      assert.equal(second.attest(), "2.04");
      assert.equal(scene.server.sessions.attested, 2);
    }
  });

  it("voids what was granted in the session itself", () => {
    const { first, starts } = twoSessions();
    const request = () => ({ method: "GET", path: PATH, query: [first.grant("GET", "key")] }) as const;
    const [before, later] = [request(), request()];
    assert.equal(first.attest(), "2.04");
    assert.equal(first.code(before), "4.04", "of the same start: there is no such file");
    starts(2);
    assert.equal(first.attest(), "2.04");
    assert.equal(first.code(later), "4.01");
  });

  it("is looked at whatever else is wrong with the quote", () => {
    const { scene, attester, starts } = twoSessions();
    starts(2);
    const { alterQuote } = attester;
    attester.alterQuote = (quote) => {
      const altered = alterQuote(quote);
      return { ...altered, clockInfo: { ...altered.clockInfo, safe: 0 } };
    };
    assert.equal(scene.client(3).attest(), "4.03");
    assert.equal(scene.server.sessions.attested, 0);
  });

  it("ends nothing with equal counters, nor of another platform", () => {
    const { scene, bootsElse } = twoSessions();
    bootsElse();
    assert.equal(scene.client(3).attest(), "4.03");
    assert.equal(scene.server.sessions.attested, 2);
    const other = new FakeAttester({ aik: "restricted-ecc", serialNumber: "2" });
    other.alterQuote = (quote) => ({ ...quote, clockInfo: { ...quote.clockInfo, resetCount: 7 } });
    const client = scene.client(4, other);
    assert.equal(client.enrol(), "2.04");
    assert.equal(client.attest(), "2.04");
    assert.equal(scene.server.sessions.attested, 3);
  });

  it("ends nothing when anybody could have made it: a wrong signature, another nonce", () => {
    const { scene, attester, starts } = twoSessions();
    starts(2);
    const thief = scene.client(3);
    const forged = thief.openAttestation();
    const { data } = attester.quote(forged.asked);
    const body = encodeCbor(Evidence, { data, signature: new Uint8Array(256) });
    assert.equal(thief.code(posting(forged.path, body)), "4.03");
    const stale = thief.openAttestation();
    assert.equal(
      thief.code(posting(stale.path, thief.evidence({ ...stale.asked, nonce: new Uint8Array(32) }))),
      "4.03",
    );
    assert.equal(scene.server.sessions.attested, 2);
  });

  it("ends nothing in compat, as a red does not", () => {
    const { scene, starts, bootsElse } = twoSessions(COMPAT);
    starts(2);
    bootsElse();
    assert.equal(scene.client(3).attest(), "4.03");
    assert.equal(scene.server.sessions.attested, 2);
  });

  it("ends them all, though a listener fails when the first is told", () => {
    const { scene, starts, bootsElse } = twoSessions();
    starts(2);
    bootsElse();
    scene.domain.onEvent(({ type }) => {
      if (type === "attested-sessions") throw new Error("a bug");
    });
    assert.equal(scene.client(3).attest(), "5.00");
    assert.equal(scene.server.sessions.attested, 0);
  });
});

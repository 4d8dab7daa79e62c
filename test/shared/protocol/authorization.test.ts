import assert from "node:assert/strict";
import { authorizedProblem, authorizeRequest, V1 } from "../../../shared/protocol/index.ts";
import { Oid, type SubjectPublicKeyInfo } from "../../../shared/x509/index.ts";
import { random, rsa } from "../../support/x509.ts";

const nonce = new Uint8Array(32).fill(7);
const terms = { method: "FETCH", path: V1.PLATFORMS, body: new Uint8Array() };
const key = rsa("builder");
const SCHEMES = ["rsa-pkcs1-sha256", "rsa-pss-sha256", "rsa-pss-sha384"] as const;

/** By which signatures of the key's private half a token takes a request. */
function taken(listing: Pick<SubjectPublicKeyInfo, "algorithm" | "pss">): readonly string[] {
  const issuing = { ...listing, key, bits: new Uint8Array() };
  return SCHEMES.filter((scheme) => {
    const request = authorizeRequest(terms, nonce, key, random, scheme);
    const problem = authorizedProblem(request, terms, nonce, issuing);
    assert.match(problem ?? "not signed", /^not signed/);
    return problem === undefined;
  });
}

describe("shared/protocol: the owner's requests", () => {
  it("are signed as the issuing CA's key is listed, and not otherwise (RFC 4055, section 1.2)", () => {
    const terms384 = { hash: "sha384", maskHash: "sha384", saltBytes: 48, trailer: 1 } as const;
    assert.deepEqual(taken({ algorithm: Oid.rsaEncryption }), ["rsa-pkcs1-sha256"]);
    assert.deepEqual(taken({ algorithm: Oid.rsassaPss }), ["rsa-pss-sha256"]);
    assert.deepEqual(taken({ algorithm: Oid.rsassaPss, pss: terms384 }), ["rsa-pss-sha384"]);
    assert.deepEqual(taken({ algorithm: Oid.rsassaPss, pss: { ...terms384, trailer: 2 } }), []);
    assert.deepEqual(taken({ algorithm: Oid.rsaesOaep }), []);
  });
});

import assert from "node:assert/strict";
import { CodecError, decode, encode, struct } from "../../../shared/bytes/index.ts";
import type { SignatureScheme } from "../../../shared/crypto/index.ts";
import { sequence } from "../../../shared/x509/der.ts";
import { bitString } from "../../../shared/x509/der-types.ts";
import {
  AlgorithmIdentifierDer,
  encodePublicKey,
  identifierOf,
  listedScheme,
  mayMake,
  Oid,
  SubjectPublicKeyInfoDer,
} from "../../../shared/x509/index.ts";
import { ed25519, p256, rsa } from "../../support/x509.ts";

const Plain = sequence(struct("SubjectPublicKeyInfo", { algorithm: AlgorithmIdentifierDer, bits: bitString }));
const { bits } = decode(Plain, encodePublicKey(rsa("builder")));
const read = (algorithm: string, parameters: Uint8Array | undefined) =>
  decode(SubjectPublicKeyInfoDer, encode(Plain, { algorithm: { algorithm, parameters }, bits }));
const SCHEMES: readonly SignatureScheme[] = [
  "rsa-pkcs1-sha256",
  "rsa-pss-sha256",
  "rsa-pss-sha384",
  "rsa-pss-sha512",
  "ecdsa-sha256",
];
const made = (...key: Parameters<typeof read>) => SCHEMES.filter((scheme) => mayMake(read(...key), scheme));

describe("shared/x509 public key", () => {
  it("parameters of a key that is listed as RSASSA-PSS bind it, their absence leaves it every hash", () => {
    assert.deepEqual(made(Oid.rsassaPss, undefined), ["rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512"]);
    assert.deepEqual(made(Oid.rsassaPss, identifierOf("rsa-pss-sha384").parameters), ["rsa-pss-sha384"]);
    assert.deepEqual(made(Oid.rsassaPss, Uint8Array.of(0x30, 0)), [], "SHA-1, by default");
    assert.equal(made(Oid.rsaEncryption, undefined).length, 4);
    assert.deepEqual(made(Oid.rsaesOaep, Uint8Array.of(0x30, 0)), []);
  });

  it("signatures that do not say their scheme have that of the listing", () => {
    const scheme = (...key: Parameters<typeof read>) => listedScheme(read(...key));
    assert.equal(scheme(Oid.rsaEncryption, undefined), "rsa-pkcs1-sha256");
    assert.equal(scheme(Oid.rsassaPss, undefined), "rsa-pss-sha256");
    assert.equal(scheme(Oid.rsassaPss, identifierOf("rsa-pss-sha384").parameters), "rsa-pss-sha384");
    assert.equal(scheme(Oid.rsassaPss, Uint8Array.of(0x30, 0)), undefined, "SHA-1, by default");
    assert.equal(scheme(Oid.rsaesOaep, Uint8Array.of(0x30, 0)), undefined);
    assert.equal(listedScheme(decode(SubjectPublicKeyInfoDer, encodePublicKey(p256("listed")))), "ecdsa-sha256");
    assert.equal(listedScheme(decode(SubjectPublicKeyInfoDer, encodePublicKey(ed25519("listed")))), "ed25519");
  });

  it("a trailer that is written out is 1", () => {
    const { parameters } = identifierOf("rsa-pss-sha256");
    const inner = parameters?.subarray(2) ?? assert.fail("no parameters");
    const trailer = (n: number) => Uint8Array.of(0x30, inner.byteLength + 5, ...inner, 0xa3, 3, 2, 1, n);
    assert.deepEqual(made(Oid.rsassaPss, trailer(1)), ["rsa-pss-sha256"]);
    assert.deepEqual(made(Oid.rsassaPss, trailer(2)), []);
  });

  it("malformed parameters are no key", () => {
    const { parameters = new Uint8Array() } = identifierOf("rsa-pss-sha256");
    const swapped = parameters.map((octet, i) => (i === 2 ? 0xa4 : octet));
    for (const bad of [Uint8Array.of(5, 0), swapped, Uint8Array.of(0x30, 3, 0xa2, 1, 2)]) {
      assert.throws(() => read(Oid.rsassaPss, bad), CodecError);
    }
  });
});

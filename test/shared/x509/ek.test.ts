import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Certificate, ExtendedKeyUsageDer, extension, Oid, parseCertificate } from "../../../shared/x509/index.ts";
import { judgePath } from "../../../shared/x509/judge.ts";
import { ca, ek, p256, usage, type Wish } from "../../support/x509.ts";

const vector = (name: string): Certificate =>
  parseCertificate(new Uint8Array(readFileSync(new URL(`../../vectors/ek/${name}`, import.meta.url))));
const root = ca({ name: "Root", key: p256("root") });
const leafOf = (wish: Partial<Wish>): Certificate =>
  ek({ name: "EK", key: p256("leaf"), issuer: root, ...wish }).certificate;
const forEk = extension(Oid.extendedKeyUsage, false, ExtendedKeyUsageDer, [Oid.ekCertificateUsage]);
const judged = (leaf: Certificate): string =>
  judgePath({ below: [leaf], purpose: "ek", today: undefined })?.reason ?? "trusted";

describe("shared/x509 EK certificates", () => {
  for (const name of ["intel-glk-p256.der", "intel-cml-p256.der"]) {
    it(`takes ${name}, a P-256 EK with keyEncipherment and the usage of an EK (D-70)`, () => {
      const leaf = vector(name);
      assert.ok(leaf.publicKey.type === "ec" && leaf.publicKey.curve === "P-256");
      assert.deepEqual(leaf.extensions.keyUsage, ["keyEncipherment"]);
      assert.deepEqual(leaf.extensions.extendedKeyUsage, [Oid.ekCertificateUsage]);
      assert.equal(judged(leaf), "trusted");
    });
  }

  it("an ECC key with keyEncipherment needs the usage of an EK by name, and one of the two usages", () => {
    const of = (...more: NonNullable<Wish["extensions"]>) => judged(leafOf({ extensions: more }));
    assert.equal(of(usage("keyEncipherment"), forEk), "trusted");
    assert.equal(
      judged(leafOf({ extensions: [usage("keyEncipherment")], without: [Oid.extendedKeyUsage] })),
      "key-usage",
    );
    const any = extension(Oid.extendedKeyUsage, false, ExtendedKeyUsageDer, [Oid.anyExtendedKeyUsage]);
    assert.equal(of(usage("keyEncipherment"), any), "key-usage");
    assert.equal(of(usage("digitalSignature"), forEk), "key-usage");
    assert.equal(judged(leafOf({ extensions: [forEk], without: [Oid.keyUsage] })), "key-usage");
  });
});

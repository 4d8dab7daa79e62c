import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  type Certificate,
  ExtendedKeyUsageDer,
  extension,
  type GeneralName,
  nameOf,
  Oid,
  parseCertificate,
  SubjectAltNameDer,
  saysTpm,
} from "../../../shared/x509/index.ts";
import { judgePath } from "../../../shared/x509/judge.ts";
import { ca, ek, ekUsage, p256, usage, type Wish } from "../../support/x509.ts";

const vector = (name: string): Certificate =>
  parseCertificate(new Uint8Array(readFileSync(new URL(`../../vectors/ek/${name}`, import.meta.url))));
const root = ca({ name: "Root", key: p256("root") });
const leafOf = (wish: Partial<Wish>): Certificate =>
  ek({ name: "EK", key: p256("leaf"), issuer: root, ...wish }).certificate;
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
      assert.ok(saysTpm(leaf));
    });
  }

  it("an ECC key with keyEncipherment needs the usage of an EK by name, and one of the two usages", () => {
    const of = (...more: NonNullable<Wish["extensions"]>) => judged(leafOf({ extensions: more }));
    assert.equal(of(usage("keyEncipherment"), ekUsage), "trusted");
    assert.equal(
      judged(leafOf({ extensions: [usage("keyEncipherment")], without: [Oid.extendedKeyUsage] })),
      "key-usage",
    );
    const any = extension(Oid.extendedKeyUsage, false, ExtendedKeyUsageDer, [Oid.anyExtendedKeyUsage]);
    assert.equal(of(usage("keyEncipherment"), any), "key-usage");
    assert.equal(of(usage("digitalSignature"), ekUsage), "key-usage");
    assert.equal(judged(leafOf({ extensions: [ekUsage], without: [Oid.keyUsage] })), "key-usage");
  });

  it("says that it is for a TPM by its extended key usage, or by manufacturer, model and version in one directory name", () => {
    const named = (...types: readonly string[]): GeneralName => ({
      kind: "directory",
      name: nameOf(types.map((type) => [type, "id:0"] as const)),
    });
    const says = (...names: readonly GeneralName[]) =>
      saysTpm(
        leafOf({
          extensions: [extension(Oid.subjectAltName, false, SubjectAltNameDer, names)],
          without: [Oid.extendedKeyUsage],
        }),
      );
    const { tpmManufacturer, tpmModel, tpmVersion } = Oid;
    assert.ok(saysTpm(leafOf({})));
    assert.ok(says({ kind: "dns", text: "tpm" }, named(tpmVersion, tpmModel, tpmManufacturer)));
    assert.equal(saysTpm(leafOf({ without: [Oid.extendedKeyUsage] })), false);
    assert.equal(says(named(tpmManufacturer, tpmModel)), false);
    assert.equal(says(named(tpmManufacturer, tpmModel), named(tpmVersion)), false);
    const any = extension(Oid.extendedKeyUsage, false, ExtendedKeyUsageDer, [Oid.anyExtendedKeyUsage]);
    assert.equal(saysTpm(leafOf({ extensions: [any] })), false);
  });
});

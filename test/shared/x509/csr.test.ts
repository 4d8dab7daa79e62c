import assert from "node:assert/strict";
import { toHex } from "../../../shared/bytes/index.ts";
import {
  buildCsr,
  deviceIdOf,
  nameOf,
  Oid,
  parseCsr,
  printName,
  tokenSubject,
  verifyCsr,
} from "../../../shared/x509/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";
import { ed25519, flipped, p256, random, rsa } from "../../support/x509.ts";

const subject = tokenSubject("1A2B3C4D5E6F7081");
const good = buildCsr({ subject, key: ed25519("token") }, random);

describe("shared/x509 certification request", () => {
  it("has the token's form: version 0, two names, no attributes, Ed25519 without parameters", () => {
    const csr = parseCsr(good);
    assert.equal(printName(csr.subject), "O=Fobnail,serialNumber=1A2B3C4D5E6F7081");
    assert.equal(deviceIdOf(csr.subject), "1A2B3C4D5E6F7081");
    assert.equal(csr.attributeCount, 0);
    assert.equal(csr.signatureScheme, "ed25519");
    assert.ok(verifyCsr(csr));
    // PKCS#10 of an Ed25519 key: version, O as UTF8String (0c), serialNumber as PrintableString (13), bare algorithm, [0] empty
    assert.match(toHex(good), /^3081ac3060020100/);
    assert.ok(toHex(good).includes("060355040a0c07466f626e61696c"));
    assert.ok(toHex(good).includes("06035504051310"));
    assert.ok(toHex(good).includes("300506032b6570032100"));
    assert.ok(toHex(good).includes("a000300506032b6570034100"));
  });

  it("is strict, throws only CodecError, and no turned bit passes", () => {
    assertStrict("CSR", parseCsr, good);
    fuzzDecoder("CSR", parseCsr, [good]);
    let parsed = 0;
    for (let bit = 0; bit < 8 * good.byteLength; bit++) {
      try {
        const csr = parseCsr(flipped(good, bit));
        parsed++;
        assert.equal(verifyCsr(csr), false, `bit ${bit}`);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
      }
    }
    assert.ok(parsed > 500);
  });

  it("other keys sign requests, too; whether an owner takes them is its affair", () => {
    for (const key of [rsa("csr"), p256("csr")]) assert.ok(verifyCsr(parseCsr(buildCsr({ subject, key }, random))));
  });

  it("device ids: upper-case hexadecimal without padding, in this form of name only", () => {
    for (const id of ["0", "1", "A0", "F".repeat(32)]) assert.equal(deviceIdOf(tokenSubject(id)), id);
    for (const id of ["", "01", "a0", "0A", "G", "F".repeat(33)]) assert.throws(() => tokenSubject(id), RangeError, id);
    const O = [Oid.organizationName, "Fobnail"] as const;
    const S = [Oid.serialNumber, "A1"] as const;
    for (const name of [
      nameOf([S, O]),
      nameOf([O]),
      nameOf([O, S, S]),
      nameOf([[O[0], "fobnail"], S]),
      [],
      [nameOf([O, S]).flat()],
    ]) {
      assert.equal(deviceIdOf(name), undefined, printName(name));
    }
  });
});

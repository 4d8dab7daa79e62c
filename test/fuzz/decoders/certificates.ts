/** Decoders of X.509 and of what it is made from, and of private keys. */
import { concat, encode, utf8 } from "../../../shared/bytes/index.ts";
import { privateKeyFromPkcs8, privateKeyToPkcs8 } from "../../../shared/crypto/index.ts";
import * as der from "../../../shared/x509/der.ts";
import * as types from "../../../shared/x509/der-types.ts";
import * as x509 from "../../../shared/x509/index.ts";
import { ca, ed25519, ek, p256, random, rsa } from "../../support/x509.ts";
import { both, type Decoder, type Exceptions, hex, ofCodec, ofFunction, ofValues, refusing } from "../decoder.ts";
import { vector } from "./messages.ts";

const FALSE: Exceptions = { loose: "a FALSE that is the default is read where an issuer wrote it out" };
const ORDER: Exceptions = { loose: "attributes of a name are read in any order" };
const ZEROS: Exceptions = { loose: "trailing zero bits are read" };

const issuer = ca({ name: "CA", key: p256("ca") });
const leaf = ek({ name: "EK", key: p256("leaf"), issuer });
const pss = ca({ name: "PSS", key: rsa("pss"), spec: { signatureScheme: "rsa-pss-sha256" } });
const captured = vector("ek_cert.der");
const name = x509.nameOf([
  [x509.Oid.countryName, "PL"],
  [x509.Oid.organizationName, "Łódź"],
  [x509.Oid.emailAddress, "a@example.com"],
]);
const generalNames: readonly x509.GeneralName[] = [
  { kind: "dns", text: "example.com" },
  { kind: "uri", text: "http://example.com/ca.cer" },
  { kind: "email", text: "a@example.com" },
  { kind: "ip", address: hex("c0000201") },
  { kind: "directory", name },
  { kind: "other", tag: 0x88, contents: hex("2a0304") },
];
const keys = [rsa("inventory"), p256("inventory"), ed25519("inventory")];
const requests = [p256("csr"), ed25519("csr")].map((key) =>
  x509.buildCsr({ subject: x509.tokenSubject("1A2B3C4D5E6F7081"), key }, random),
);
const pem = x509.toPem("CERTIFICATE", issuer.certificate.der);
const CUT = "the line feed at the end, or one of several blocks, may be missing";
const AROUND = "text around the blocks is passed over (RFC 7468, 2)";
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

const primitives: readonly Decoder[] = [
  ofValues("DER BOOLEAN", types.boolean, [true, false]),
  ofCodec("DER BOOLEAN DEFAULT FALSE", der.sequence(types.defaultFalse), [hex("30030101ff"), hex("3000")], FALSE),
  ofCodec("DER NULL", types.nullValue, [hex("0500")]),
  ofCodec("DER INTEGER", types.integer, [hex("020100"), hex("0202ff7f"), hex("02020080")]),
  ofCodec("DER INTEGER, not negative", types.unsigned, [hex("020100"), hex("02020080"), hex("02021234")]),
  ofCodec("DER INTEGER, small", types.smallUnsigned(0xffff_ffff), [hex("020100"), hex("020500ffffffff")]),
  ofCodec("DER OBJECT IDENTIFIER", types.oid, [hex("0603550403"), hex("06092a864886f70d01010b")]), // biome-ignore format: one line
  ofCodec("DER OCTET STRING", types.octetString, [hex("0403010203")]),
  ofCodec("DER BIT STRING", types.bitString, [hex("030400010203")]),
  ofCodec("DER named bits", types.namedBits, [hex("03020186"), hex("0303070780"), hex("030100")], ZEROS),
  ofCodec(
    "DER time",
    types.time,
    [Date.UTC(2026, 0, 1), Date.UTC(2061, 0, 1), undefined].map((ms) => encode(types.time, ms)),
    { loose: "years before 2050 are read as GeneralizedTime, too" },
  ),
  ofCodec("DER element", der.anyElement, [hex("3003020105"), hex("a0053003020105"), hex("0500")]),
  ofFunction("DER element at the head", der.firstElement, [hex("3003020105")], { trailing: "padding is cut off" }),
  ofCodec("DER octets of an element", der.withOctets(der.sequence(types.integer)), [hex("3003020105")]),
  ofCodec("DER SET OF", der.setOf(types.integer, 1, 4), [hex("3106020101020102")], ORDER),
];

const extensions: readonly Decoder[] = [
  ofValues("basicConstraints", x509.BasicConstraintsDer, [{ ca: true, pathLength: 1 }, { ca: false, pathLength: undefined }], FALSE), // biome-ignore format: one line
  ofValues("keyUsage", x509.KeyUsageDer, [["keyCertSign", "cRLSign"], ["decipherOnly"]], ZEROS),
  ofValues(
    "authorityKeyIdentifier",
    x509.AuthorityKeyIdentifierDer,
    [{ keyIdentifier: new Uint8Array(20), issuer: [{ kind: "directory", name }], serial: hex("0102") }],
    ORDER,
  ),
  ofValues("subjectKeyIdentifier", x509.SubjectKeyIdentifierDer, [new Uint8Array(20)]),
  ofValues("extendedKeyUsage", x509.ExtendedKeyUsageDer, [[x509.Oid.ekCertificateUsage, "1.2.3"]]),
  ofValues("subjectAltName", x509.SubjectAltNameDer, [generalNames], ORDER),
  ofValues("certificatePolicies", x509.CertificatePoliciesDer, [["2.5.29.32.0", "1.2.3"]], {
    loose: "qualifiers are passed over",
  }),
  ofValues("nameConstraints", x509.NameConstraintsDer, [{ permitted: generalNames, excluded: undefined }], ORDER),
  ofValues(
    "authorityInfoAccess",
    x509.AuthorityInfoAccessDer,
    generalNames.slice(0, 2).map((location) => [{ method: x509.Oid.caIssuers, location }]),
    ORDER,
  ),
  ofValues("GeneralName", x509.GeneralNameDer, generalNames, ORDER),
  ofValues("extension", x509.ExtensionDer, leaf.certificate.extensions.list, FALSE),
  ofValues("extensions", x509.ExtensionsDer, [leaf.certificate.extensions, issuer.certificate.extensions], FALSE),
];

export const certificateDecoders: readonly Decoder[] = [
  ...primitives,
  ...extensions,
  ofValues("AlgorithmIdentifier", x509.AlgorithmIdentifierDer, [
    x509.identifierOf("rsa-pss-sha256"),
    x509.identifierOf("ecdsa-sha256"),
  ]),
  ofCodec("Name", x509.NameDer, [x509.encodeName(name), x509.encodeName([])], ORDER),
  both("Name alone", x509.decodeName, x509.encodeName, [x509.encodeName(name)], ORDER),
  ofCodec("SubjectPublicKeyInfo", x509.SubjectPublicKeyInfoDer, keys.map(x509.encodePublicKey), {
    loose: "RSA keys are listed in several ways",
  }),
  both("public key", x509.decodePublicKey, x509.encodePublicKey, keys.map(x509.encodePublicKey), {
    loose: "RSA keys are listed in several ways",
  }),
  both("certificate", x509.parseCertificate, (certificate) => certificate.der, [
    captured,
    leaf.certificate.der,
    issuer.certificate.der,
    pss.certificate.der,
  ]),
  both("certification request", x509.parseCsr, (csr) => csr.der, requests),
  ofFunction("PEM", (input) => x509.parsePem(latin1(input), "CERTIFICATE"), [utf8(pem)], {
    prefix: AROUND,
    trailing: AROUND,
  }),
  ofFunction(
    "certificates of a file",
    x509.readCertificates,
    [captured, utf8(pem), concat(vector("ek_ca_cert.pem"), utf8(pem))],
    { prefix: CUT, trailing: AROUND },
  ),
  both(
    "private key (PKCS #8)",
    refusing(privateKeyFromPkcs8),
    privateKeyToPkcs8,
    [p256("pkcs8"), ed25519("pkcs8"), rsa("pkcs8", 1024)].map(privateKeyToPkcs8),
    { loose: "OpenSSL reads what it would not write; the numbers are checked" },
  ),
];

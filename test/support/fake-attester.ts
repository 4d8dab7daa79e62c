import assert from "node:assert/strict";
import { concat, constantTimeEqual, decode, encode, utf8 } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor, type InferCbor } from "../../shared/cbor/index.ts";
import { type CoapHandler, type CoapReply, type CoapRequest, Code, ContentFormat } from "../../shared/coap/index.ts";
import {
  aesCfbDecrypt,
  type EcPrivateKey,
  ecdh,
  generateEcKey,
  generateRsaKey,
  hmac,
  kdfa,
  kdfe,
  type RsaPrivateKey,
  rsaOaepDecrypt,
} from "../../shared/crypto/index.ts";
import {
  CertChain,
  Challenge,
  Evidence,
  Metadata,
  makeSignature,
  NonceRequest,
  QuoteRequest,
  Rim,
  SignedObject,
  signedBytes,
} from "../../shared/protocol/index.ts";
import {
  ALL_PCRS,
  aikReference,
  aikRestrictedEcc,
  aikRestrictedRsa,
  nameOf as nameOfObject,
  type PcrBank,
  pcrDigest,
  pcrOnes,
  pcrZero,
  Tpm2bDigest,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  Tpm2bPublic,
  TpmAlg,
  TpmSt,
  TpmsAttest,
  type TpmsAttestQuote,
  TpmsEccPoint,
  TpmsIdObject,
  type TpmtPublic,
} from "../../shared/tpm/index.ts";
import { buildEkCertificate, buildRoot, type Certificate, type Issuer, nameOf, Oid } from "../../shared/x509/index.ts";
import { seededRandom } from "./random.ts";

export type AikKind = "reference" | "restricted-rsa" | "restricted-ecc";

type Key = RsaPrivateKey | EcPrivateKey;

/** RSA keys take time: one for each name and test process. */
const rsaKeys = new Map<string, RsaPrivateKey>();
function rsaKey(name: string): RsaPrivateKey {
  const key = rsaKeys.get(name) ?? generateRsaKey(seededRandom(1, name), 2048);
  rsaKeys.set(name, key);
  return key;
}

const AIK_TEMPLATES = {
  reference: aikReference,
  "restricted-rsa": aikRestrictedRsa,
  "restricted-ecc": aikRestrictedEcc,
} as const;

export function vendorRoot(name = "vendor"): Issuer {
  const random = seededRandom(1, name);
  const subject = nameOf([[Oid.commonName, `${name} root`]]);
  const key = generateEcKey(random, "P-256");
  return buildRoot({ subject, key, pathLength: 1, notBefore: 0, notAfter: undefined }, random);
}

export interface FakeAttesterOptions {
  readonly aik?: AikKind;
  readonly ek?: "rsa" | "ecc";
  readonly serialNumber?: string;
  readonly vendor?: Issuer;
}

/**
 * A computer with a TPM as the token meets it in API v0: own keys, own PCRs, strict about what it is asked. Fields may be set
 * between two requests; `tamper` may change or hold back any reply, as a hostile or broken program would.
 */
export class FakeAttester {
  readonly vendor: Issuer;
  readonly ekCertificate: Certificate;
  readonly aikPublic: TpmtPublic;
  readonly aik: Key;
  readonly #ek: Key;
  /** What was asked, as "FETCH /ek". */
  readonly asked: string[] = [];
  /** The SHA-256 bank: what the TPM quotes. */
  pcrs: Uint8Array[];
  /** What /rim says instead of the PCRs. */
  reported: readonly Uint8Array[] | undefined;
  /** What /rim says of other banks. */
  otherBanks: InferCbor<typeof Rim>["banks"] = [];
  /** Changes what is quoted before it is signed. */
  alterQuote: (quote: TpmsAttestQuote) => TpmsAttest = (quote) => quote;
  metadata: Metadata;
  tamper: (path: string, reply: CoapReply, request: CoapRequest) => CoapReply = (_path, reply) => reply;

  constructor({
    aik = "reference",
    ek = "rsa",
    serialNumber = "1373268",
    vendor = vendorRoot(),
  }: FakeAttesterOptions = {}) {
    const random = seededRandom(2, `${aik}:${ek}`);
    this.vendor = vendor;
    this.#ek = ek === "rsa" ? rsaKey("ek") : generateEcKey(random, "P-256");
    this.aik = aik === "restricted-ecc" ? generateEcKey(random, "P-256") : rsaKey("aik");
    this.aikPublic = withKey(AIK_TEMPLATES[aik], this.aik);
    this.ekCertificate = buildEkCertificate(
      { publicKey: this.#ek, notBefore: 0, manufacturer: "id:46424E4C", model: "Fake", version: "id:00010002" },
      vendor,
      random,
    );
    this.pcrs = Array.from({ length: 24 }, (_, pcr) => new Uint8Array(32).fill(pcr + 1));
    this.metadata = {
      version: 1,
      mac: Uint8Array.of(0, 0x0d, 0xb9, 0x53, 0xd2, 0x50),
      manufacturer: "PC Engines",
      product_name: "apu2",
      serial_number: serialNumber,
    };
  }

  /** No dynamic launch: PCR 17 to 22 are all ones. */
  withoutLaunch(): this {
    this.pcrs = this.pcrs.map((value, pcr) => (pcr >= 17 && pcr <= 22 ? pcrOnes(TpmAlg.SHA256) : value));
    return this;
  }

  get banks(): readonly PcrBank[] {
    return [{ hash: TpmAlg.SHA256, pcrSelect: ALL_PCRS, values: this.pcrs }];
  }

  signed(data: Uint8Array, nonce?: Uint8Array): SignedObject {
    return { data, signature: makeSignature(this.aik, signedBytes(data, nonce)) };
  }

  metadataBytes(): Uint8Array {
    return encodeCbor(Metadata, this.metadata);
  }

  rimBytes(): Uint8Array {
    const sha1 = { algo_id: TpmAlg.SHA1, pcrs: ALL_PCRS, pcr: this.pcrs.map(() => pcrZero(TpmAlg.SHA1)) };
    const sha256 = { algo_id: TpmAlg.SHA256, pcrs: ALL_PCRS, pcr: this.reported ?? this.pcrs };
    return encodeCbor(Rim, { update_ctr: 20, banks: [sha1, sha256, ...this.otherBanks] });
  }

  quote({ nonce, banks }: QuoteRequest): Evidence {
    const pcrSelect = banks.map(({ algo_id, pcrs }) => ({ hash: algo_id, pcrSelect: pcrs }));
    const quoted = this.alterQuote({
      type: TpmSt.ATTEST_QUOTE,
      qualifiedSigner: concat(Uint8Array.of(0, 0x0b), new Uint8Array(32)),
      extraData: nonce,
      clockInfo: { clock: 1608n, resetCount: 1, restartCount: 0, safe: 1 },
      firmwareVersion: 0x2019_1023_0016_3636n,
      attested: {
        pcrSelect,
        pcrDigest: pcrDigest(TpmAlg.SHA256, pcrSelect, this.banks) ?? assert.fail("unknown bank"),
      },
    });
    const data = encode(TpmsAttest, quoted);
    return { data, signature: makeSignature(this.aik, data) };
  }

  readonly handler: CoapHandler = (request) => {
    const path = `/${request.path.join("/")}`;
    this.asked.push(`${request.method} ${path}`);
    return this.tamper(path, this.#answer(`${request.method} ${path}`, request), request);
  };

  #answer(what: string, { payload, contentFormat }: CoapRequest): CoapReply {
    const found = (body: Uint8Array, format: number) => ({ code: Code.Content, contentFormat: format, payload: body });
    const made = (body: Uint8Array) => ({
      code: Code.Created,
      contentFormat: ContentFormat.OctetStream,
      payload: body,
    });
    const { Cbor, OctetStream } = ContentFormat;
    if (what.startsWith("POST") || payload.byteLength > 0) assert.equal(contentFormat, Cbor, what);
    switch (what) {
      case "FETCH /ek":
        return found(encodeCbor(CertChain, { certs: [this.ekCertificate.der] }), Cbor);
      case "FETCH /aik":
        return found(encode(Tpm2bPublic, this.aikPublic), OctetStream);
      case "POST /challenge":
        return made(this.activate(decodeCbor(Challenge, payload)) ?? new Uint8Array());
      case "FETCH /metadata": {
        const nonce = payload.byteLength === 0 ? undefined : decodeCbor(NonceRequest, payload).nonce;
        return found(encodeCbor(SignedObject, this.signed(this.metadataBytes(), nonce)), Cbor);
      }
      case "FETCH /rim":
        assert.equal(payload.byteLength, 0);
        return found(encodeCbor(SignedObject, this.signed(this.rimBytes())), Cbor);
      case "POST /quote":
        return made(encodeCbor(Evidence, this.quote(decodeCbor(QuoteRequest, payload))));
      default:
        return assert.fail(`the token asked ${what}`);
    }
  }

  /** TPM2_ActivateCredential, Part 1, clause 24. Undefined where a TPM would answer with an error. */
  activate({
    idObject,
    encSecret,
  }: {
    readonly idObject: Uint8Array;
    readonly encSecret: Uint8Array;
  }): Uint8Array | undefined {
    const name = nameOfObject(this.aikPublic);
    const { integrityHMAC, encIdentity } = decode(TpmsIdObject, decode(Tpm2bIdObject, idObject));
    const seed = this.#seed(decode(Tpm2bEncryptedSecret, encSecret));
    if (seed === undefined) return undefined;
    const none = new Uint8Array();
    const expected = hmac("sha256", kdfa("sha256", seed, "INTEGRITY", none, none, 256), concat(encIdentity, name));
    if (!constantTimeEqual(expected, integrityHMAC)) return undefined;
    const key = kdfa("sha256", seed, "STORAGE", name, none, 128);
    return decode(Tpm2bDigest, aesCfbDecrypt(key, new Uint8Array(16), encIdentity));
  }

  #seed(encrypted: Uint8Array): Uint8Array | undefined {
    if (this.#ek.type === "rsa") return rsaOaepDecrypt(this.#ek, "sha256", utf8("IDENTITY\0"), encrypted);
    const point = decode(TpmsEccPoint, encrypted);
    const z = ecdh(this.#ek, { type: "ec", curve: "P-256", ...point });
    return z === undefined ? undefined : kdfe("sha256", z, "IDENTITY", point.x, this.#ek.x, 256);
  }
}

function withKey(template: TpmtPublic, key: Key): TpmtPublic {
  if (template.type === TpmAlg.RSA && key.type === "rsa") return { ...template, unique: key.n };
  if (template.type === TpmAlg.ECC && key.type === "ec") return { ...template, unique: { x: key.x, y: key.y } };
  return assert.fail("template and key are of two kinds");
}

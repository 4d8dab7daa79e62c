/** API v1 walked through from outside, by any CoAP client: what is asked, and the bodies; how it is sent is the client's matter. */
import assert from "node:assert/strict";
import { encode, toHex } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor, type InferCbor } from "../../shared/cbor/index.ts";
import { ContentFormat, type Method } from "../../shared/coap/index.ts";
import {
  ActivationRequest,
  AikRequest,
  AuthorizedRequest,
  authorizationFor,
  authorizeRequest,
  CertChain,
  Challenge,
  Evidence,
  PlatformList,
  PlatformRemove,
  PlatformRename,
  QuoteRequest,
  SignedObject,
  V1,
  Versions,
} from "../../shared/protocol/index.ts";
import { Tpm2bPublic, type TpmtPublic } from "../../shared/tpm/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import type { FakeOwner } from "./fake-owner.ts";
import { seededRandom } from "./random.ts";

export interface V1Request {
  readonly method: Method;
  /** Segments joined by "/", one in front. */
  readonly path: string;
  readonly query?: string;
  readonly payload?: Uint8Array;
  readonly contentFormat?: number;
}

export interface V1Answer {
  /** "2.05". */
  readonly code: string;
  readonly payload: Uint8Array;
  /** The last Location-Path option. */
  readonly location?: string | undefined;
}

/** Sends from one address and port as long as a session is to live. */
export type V1Ask = (request: V1Request) => Promise<V1Answer>;

type Soon<T> = T | Promise<T>;

/** A computer with a TPM: FakeAttester is one. */
export interface V1Computer {
  readonly ekCertificate: Certificate;
  /** Between the EK certificate and its root. */
  readonly issuers?: readonly Uint8Array[];
  readonly aikPublic: TpmtPublic;
  activate(challenge: InferCbor<typeof Challenge>): Soon<Uint8Array | undefined>;
  signed(data: Uint8Array, nonce: Uint8Array): Soon<SignedObject>;
  metadataBytes(): Uint8Array;
  rimBytes(): Soon<Uint8Array>;
  quote(asked: QuoteRequest): Soon<Evidence>;
}

const NONE = new Uint8Array();

/** The steps of owner and computer; each asserts the success that belongs to it. */
export class V1Walk {
  readonly #ask: V1Ask;
  readonly #owner: FakeOwner;
  readonly #computer: V1Computer;

  constructor(ask: V1Ask, owner: FakeOwner, computer: V1Computer) {
    this.#ask = ask;
    this.#owner = owner;
    this.#computer = computer;
  }

  async versions(): Promise<readonly number[]> {
    return decodeCbor(Versions, (await this.#get(V1.VERSION)).payload).versions;
  }

  async nonce(): Promise<Uint8Array> {
    const { payload } = await this.#get(V1.NONCE);
    assert.equal(payload.byteLength, 32);
    return payload;
  }

  async provisionToken(chain: Uint8Array = this.#owner.chainBody()): Promise<void> {
    const { payload: csr } = await this.#post("2.01", V1.TOKEN_PROVISION, chain);
    const { der } = this.#owner.issue(csr);
    await this.#post("2.01", V1.PROVISION_COMPLETE, der, ContentFormat.OctetStream);
  }

  async provisionPlatform(): Promise<void> {
    const computer = this.#computer;
    const chain = encodeCbor(CertChain, { certs: [...(computer.issuers ?? []), computer.ekCertificate.der] });
    const ek = Number(await this.#made(V1.EK, chain));
    const aikBody = encodeCbor(AikRequest, { aik: encode(Tpm2bPublic, computer.aikPublic), ek });
    const made = await this.#post("2.01", V1.AIK, aikBody);
    const aik = Number(made.location);
    const secret = await computer.activate(decodeCbor(Challenge, made.payload));
    assert.ok(secret, "a challenge for another TPM");
    const context = await this.#made(V1.PROVISION, encodeCbor(ActivationRequest, { ek, aik, secret }));
    const below = `${V1.PROVISION}/${context}`;
    await this.#post("2.01", `${below}/meta`, await this.#signed(computer.metadataBytes()));
    await this.#post("2.01", `${below}/rim`, await this.#signed(await computer.rimBytes()));
    await this.#expect("2.04", { method: "POST", path: below });
  }

  async attest(): Promise<void> {
    const answer = await this.evidence();
    assert.equal(answer.code, "2.04", textOf(answer));
  }

  /** The token's answer to evidence; `forge` may put other evidence in the place of the quote. */
  async evidence(forge: V1Computer["quote"] = (asked) => this.#computer.quote(asked)): Promise<V1Answer> {
    const made = await this.#post("2.01", V1.ATTEST, await this.#signed(this.#computer.metadataBytes()));
    const payload = encodeCbor(Evidence, await forge(decodeCbor(QuoteRequest, made.payload)));
    return this.#ask({ method: "POST", path: `${V1.ATTEST}/${made.location}`, payload, contentFormat: 60 });
  }

  /** What goes into Uri-Query. */
  async grant(method: "GET" | "PUT" | "DELETE", name: string, body: Uint8Array = NONE): Promise<string> {
    const nonce = await this.nonce();
    const data = authorizationFor({ method, path: `${V1.STORAGE}/${name}`, body }, nonce);
    const signed = encodeCbor(SignedObject, await this.#computer.signed(data, nonce));
    const { payload } = await this.#post("2.01", V1.GRANT, signed);
    assert.equal(payload.byteLength, 16);
    return `grant=${toHex(payload)}`;
  }

  /** GET of a file as it is answered, with a grant unless told otherwise. */
  async file(name: string, { granted = true } = {}): Promise<V1Answer> {
    const path = `${V1.STORAGE}/${name}`;
    return this.#ask({ method: "GET", path, ...(granted && { query: await this.grant("GET", name) }) });
  }

  async read(name: string): Promise<Uint8Array> {
    const answer = await this.file(name);
    assert.equal(answer.code, "2.05", textOf(answer));
    return answer.payload;
  }

  async write(name: string, body: Uint8Array, { code = "2.01", granted = true } = {}): Promise<void> {
    const request = { method: "PUT", path: `${V1.STORAGE}/${name}`, payload: body, contentFormat: 42 } as const;
    await this.#expect(code, { ...request, ...(granted && { query: await this.grant("PUT", name, body) }) });
  }

  async remove(name: string): Promise<void> {
    const query = await this.grant("DELETE", name);
    await this.#expect("2.02", { method: "DELETE", path: `${V1.STORAGE}/${name}`, query });
  }

  async platforms(): Promise<PlatformList["platforms"]> {
    const { payload } = await this.#asOwner("2.05", "FETCH", V1.PLATFORMS, NONE);
    return decodeCbor(PlatformList, payload).platforms;
  }

  async renamePlatform(id: Uint8Array, name: string): Promise<void> {
    await this.#asOwner("2.04", "POST", `${V1.PLATFORMS}/rename`, encodeCbor(PlatformRename, { id, name }));
  }

  async removePlatform(id: Uint8Array): Promise<void> {
    await this.#asOwner("2.02", "POST", `${V1.PLATFORMS}/remove`, encodeCbor(PlatformRemove, { id }));
  }

  async #asOwner(code: string, method: "FETCH" | "POST", path: string, body: Uint8Array): Promise<V1Answer> {
    const nonce = await this.nonce();
    const request = authorizeRequest({ method, path, body }, nonce, this.#owner.issuing.key, seededRandom(4));
    const payload = encodeCbor(AuthorizedRequest, request);
    return this.#expect(code, { method, path, payload, contentFormat: ContentFormat.Cbor });
  }

  async #signed(data: Uint8Array): Promise<Uint8Array> {
    return encodeCbor(SignedObject, await this.#computer.signed(data, await this.nonce()));
  }

  #get(path: string): Promise<V1Answer> {
    return this.#expect("2.05", { method: "GET", path });
  }

  #post(code: string, path: string, payload: Uint8Array, contentFormat: number = ContentFormat.Cbor) {
    return this.#expect(code, { method: "POST", path, payload, contentFormat });
  }

  async #made(path: string, payload: Uint8Array): Promise<string> {
    return (await this.#post("2.01", path, payload)).location ?? assert.fail(`POST ${path} names no object`);
  }

  async #expect(code: string, request: V1Request): Promise<V1Answer> {
    const answer = await this.#ask(request);
    assert.equal(answer.code, code, `${request.method} ${request.path}: ${textOf(answer)}`);
    return answer;
  }
}

function textOf({ code, payload }: V1Answer): string {
  return `${code} ${new TextDecoder().decode(payload.subarray(0, 200))}`;
}

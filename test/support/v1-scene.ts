import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { encode, toHex } from "../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import {
  type ClientRequest,
  type CoapEndpoint,
  type CoapOption,
  type CoapOutcome,
  type CoapResponse,
  Code,
  ContentFormat,
  codeText,
  createEndpoint,
  decodeMessage,
  encodeMessage,
  MessageType,
  NO_BYTES,
  OptionNumber,
  optionTexts,
  textOption,
} from "../../shared/coap/index.ts";
import type { DatagramPort, Peer, Unsubscribe } from "../../shared/ports/index.ts";
import {
  ActivationRequest,
  AikRequest,
  authorizationFor,
  CertChain,
  Challenge,
  DEFAULT_POLICY,
  Evidence,
  QuoteRequest,
  type RequestTerms,
  SignedObject,
  V1,
} from "../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../shared/tpm/index.ts";
import { createDomain, type Domain } from "../../token/domain/domain.ts";
import type { TokenEvent } from "../../token/domain/events.ts";
import type { FileLimits } from "../../token/domain/files.ts";
import { type Profile, STRICT } from "../../token/domain/profile.ts";
import type { Store } from "../../token/domain/store.ts";
import { runLamps } from "../../token/lamps.ts";
import { createServer, type Server, type ServerLimits } from "../../token/server/index.ts";
import { TestLog } from "./coap-pair.ts";
import { DatagramNet } from "./datagram-net.ts";
import { FakeAttester } from "./fake-attester.ts";
import { FakeOwner } from "./fake-owner.ts";
import { memoryStore } from "./memory-store.ts";
import { seededRandom } from "./random.ts";
import { type V1Ask, V1Walk } from "./v1-walk.ts";

export const V1_TOKEN: Peer = { address: "169.254.0.1", port: 5683 };
export const COMPUTER_ADDRESS = "169.254.0.8";

export interface V1SceneOptions {
  readonly profile?: Profile;
  readonly store?: Store;
  readonly limits?: Partial<ServerLimits>;
  readonly files?: Partial<FileLimits>;
  /** Whether the token has its owner already; default true. */
  readonly provisioned?: boolean;
  readonly attester?: FakeAttester;
  readonly seed?: number;
}

/**
 * The API v1 server on its domain, with lamps, an owner, a computer with a TPM whose vendor the token trusts, and as many clients as a test
 * wants. Datagrams take no time and the clock stands still unless a test moves it.
 */
export class V1Scene {
  readonly clock = new VirtualClock();
  readonly net = new DatagramNet();
  readonly log = new TestLog();
  readonly owner = new FakeOwner();
  readonly attester: FakeAttester;
  readonly domain: Domain;
  readonly server: Server;
  readonly port: DatagramPort;
  readonly events: TokenEvent[] = [];
  readonly lamps: (readonly [atMs: number, name: string])[] = [];
  /** Unplugs. */
  readonly unserve: Unsubscribe;
  readonly seed: number;
  #clients = 0;

  constructor(options: V1SceneOptions = {}) {
    const { clock, log, net, owner } = this;
    const { profile = STRICT, store = memoryStore(), provisioned = true, seed = 1 } = options;
    const random = seededRandom(seed, "v1-scene");
    this.seed = seed;
    this.attester =
      options.attester ?? new FakeAttester({ aik: profile.aik === "restricted" ? "restricted-rsa" : "reference" });
    this.domain = createDomain({ store, random, profile, policy: DEFAULT_POLICY, files: options.files });
    this.domain.roots.add(owner.root.certificate, [this.attester.vendor.certificate]);
    if (provisioned && !this.domain.provisioned) this.#provision();
    const leds = {
      show: (lamps: { green: boolean; red: boolean }) => this.lamps.push([clock.now(), nameLamps(lamps)]),
    };
    const lamps = runLamps("v1", this.domain.provisioned, clock, leds);
    this.domain.onEvent((event) => {
      this.events.push(event);
      lamps.tell(event);
    });
    this.server = createServer({ domain: this.domain, clock, random, log, limits: options.limits });
    this.port = net.open(V1_TOKEN.address, V1_TOKEN.port);
    this.unserve = this.server.serve(this.port);
    this.domain.tell({ type: "attached" });
    this.events.length = 0;
  }

  #provision(): void {
    const chain = this.domain.judgeOwner(this.owner.chainBody());
    const csr = this.domain.requestCertificate();
    assert.ok(chain.ok && csr.ok);
    assert.ok(this.domain.acceptCertificate(this.owner.issue(csr.value).der, chain.value).ok);
  }

  /** The computer's program at this port. */
  client(port = 40_000, attester = this.attester): V1Client {
    return new V1Client(this, { address: COMPUTER_ADDRESS, port }, attester, ++this.#clients);
  }

  /** A client whose platform is enrolled and attested. */
  attested(port = 40_000): V1Client {
    const client = this.client(port);
    if (this.domain.platforms.count === 0) client.enrol();
    assert.equal(client.attest(), "2.04");
    return client;
  }

  /** The events as words: `attested`, `attestation-failed pcr-mismatch`, `attested-sessions 1`. */
  get story(): readonly string[] {
    return this.events.map((event) => {
      if (event.type === "attestation-failed") return `${event.type} ${event.verdict.reason}`;
      if (event.type === "attested-sessions") return `${event.type} ${event.count}`;
      return "reason" in event ? `${event.type} ${event.reason}` : event.type;
    });
  }

  /** What was told since the last call. */
  news(): readonly string[] {
    const { story } = this;
    this.events.length = 0;
    return story;
  }

  /** The lamps now. */
  get lamp(): string {
    return this.lamps.at(-1)?.[1] ?? "dark";
  }
}

type Post = Omit<ClientRequest, "method" | "path" | "payload">;

/** One program of a computer, at one port: one session. It answers what the token asks in no way but the RSTs of pings. */
export class V1Client {
  readonly peer: Peer;
  readonly endpoint: CoapEndpoint;
  readonly attester: FakeAttester;
  /** The steps of owner and computer, each asserted. */
  readonly walk: V1Walk;
  readonly #scene: V1Scene;
  readonly #port: DatagramPort;

  /** Programs draw other message ids, whatever port they have: `number` tells them apart. */
  constructor(scene: V1Scene, peer: Peer, attester: FakeAttester, number: number) {
    const { clock, log, net } = scene;
    this.peer = peer;
    this.attester = attester;
    this.#scene = scene;
    this.#port = net.open(peer.address, peer.port);
    const random = seededRandom(scene.seed, `client ${number}`);
    this.endpoint = createEndpoint({ port: this.#port, clock, random, log });
    const ask: V1Ask = async ({ query, ...request }) => {
      const { code, payload, options } = this.ask({ ...request, ...(query !== undefined && { query: [query] }) });
      return { code: codeText(code), payload, location: optionTexts(options, OptionNumber.LocationPath).at(-1) };
    };
    this.walk = new V1Walk(ask, scene.owner, attester);
  }

  /** Asks and waits; no time passes as long as the token answers. */
  ask(request: ClientRequest): CoapResponse {
    let outcome: CoapOutcome | undefined;
    this.endpoint.start(V1_TOKEN, request, (done) => {
      outcome = done;
    });
    const { clock } = this.#scene;
    while (outcome === undefined && clock.step(clock.now()));
    assert.ok(outcome !== undefined, `${request.method} ${String(request.path)}: no answer`);
    assert.ok(outcome.ok, `${request.method} ${String(request.path)}`);
    return outcome.response;
  }

  /** The answer as "4.03 text". */
  said(request: ClientRequest): string {
    const { code, payload } = this.ask(request);
    return `${codeText(code)} ${new TextDecoder().decode(payload)}`.trim();
  }

  /** The code of the answer alone. */
  code(request: ClientRequest): string {
    return codeText(this.ask(request).code);
  }

  get(path: string, more: Post = {}): CoapResponse {
    return this.ask({ method: "GET", path, ...more });
  }

  /** With format 60 unless said otherwise. */
  post(path: string, payload: Uint8Array, more: Post = {}): CoapResponse {
    return this.ask(posting(path, payload, more));
  }

  nonce(): Uint8Array {
    const { code, payload } = this.get(V1.NONCE);
    assert.equal(code, Code.Content);
    return payload;
  }

  /** `data` as a signed object with a fresh nonce of this session. */
  signed(data: Uint8Array, nonce = this.nonce()): Uint8Array {
    return encodeCbor(SignedObject, this.attester.signed(data, nonce));
  }

  /** The id of the EK. */
  offerEk(): number {
    return idIn(this.post(V1.EK, this.ekBody()));
  }

  ekBody(): Uint8Array {
    return encodeCbor(CertChain, { certs: [this.attester.ekCertificate.der] });
  }

  aikBody(ek: number): Uint8Array {
    return encodeCbor(AikRequest, { aik: encode(Tpm2bPublic, this.attester.aikPublic), ek });
  }

  /** The body of POST .../provision with the opened credential. */
  activationBody(ek = this.offerEk()): Uint8Array {
    const offered = this.post(V1.AIK, this.aikBody(ek));
    const secret = this.attester.activate(decoded(Challenge, offered));
    return encodeCbor(ActivationRequest, { ek, aik: idIn(offered), secret: secret ?? assert.fail("not activated") });
  }

  /** The path of a provisioning context, EK and AIK proven. */
  openEnrolment(): string {
    return `${V1.PROVISION}/${idIn(this.post(V1.PROVISION, this.activationBody()))}`;
  }

  /** Enrols the platform; the code of the last step. */
  enrol(): string {
    const path = this.openEnrolment();
    assert.equal(codeText(this.post(`${path}/meta`, this.signed(this.attester.metadataBytes())).code), "2.01");
    assert.equal(codeText(this.post(`${path}/rim`, this.signed(this.attester.rimBytes())).code), "2.01");
    return this.code({ method: "POST", path });
  }

  /** Asks for a grant of one request on a file; what goes into Uri-Query. */
  grant(method: "GET" | "PUT" | "DELETE", name: string, body: Uint8Array = new Uint8Array()): string {
    const { code, payload } = this.post(V1.GRANT, this.grantBody({ method, path: `${V1.STORAGE}/${name}`, body }));
    assert.equal(codeText(code), "2.01", new TextDecoder().decode(payload));
    return `grant=${toHex(payload)}`;
  }

  /** The body of POST .../grant. */
  grantBody(terms: RequestTerms, nonce = this.nonce()): Uint8Array {
    return this.signed(authorizationFor(terms, nonce), nonce);
  }

  /** Opens an attestation: its path, and what is to be quoted. */
  openAttestation(): { readonly path: string; readonly asked: QuoteRequest } {
    const opened = this.post(V1.ATTEST, this.signed(this.attester.metadataBytes()));
    assert.equal(codeText(opened.code), "2.01", new TextDecoder().decode(opened.payload));
    return { path: `${V1.ATTEST}/${idIn(opened)}`, asked: decoded(QuoteRequest, opened) };
  }

  evidence(asked: QuoteRequest): Uint8Array {
    return encodeCbor(Evidence, this.attester.quote(asked));
  }

  /** Attests; the code of the verdict. */
  attest(): string {
    const { path, asked } = this.openAttestation();
    return this.code(posting(path, this.evidence(asked)));
  }

  /** The program ends: nothing more comes from here, not even RSTs. The port is free. */
  close(): void {
    this.endpoint.close();
    void this.#port.close();
  }
}

/** A program of single messages at the port of another one, which ends: blocks and duplicates as a test wants them. Message ids ascend from 1. */
export function singleMessages(scene: V1Scene, former: V1Client) {
  former.close();
  const port = scene.net.open(former.peer.address, former.peer.port);
  const answers: Uint8Array[] = [];
  port.onDatagram((datagram) => answers.push(datagram));
  let messageId = 0;
  const send = (sent: Uint8Array): { readonly text: string; readonly datagram: Uint8Array | undefined } => {
    answers.length = 0;
    port.send(sent, V1_TOKEN);
    const [datagram] = answers;
    if (datagram === undefined) return { text: "silence", datagram };
    const { code, payload } = decodeMessage(datagram);
    return { text: `${codeText(code)} ${new TextDecoder().decode(payload)}`.trim(), datagram };
  };
  return (code: number, path: string, query: readonly string[], more: readonly CoapOption[], payload = NO_BYTES) => {
    const options = [
      ...path
        .split("/")
        .slice(1)
        .map((segment) => textOption(OptionNumber.UriPath, segment)),
      ...query.map((argument) => textOption(OptionNumber.UriQuery, argument)),
      ...more,
    ];
    const message = { type: MessageType.Con, code, messageId: ++messageId, coapToken: NO_BYTES, options, payload };
    const bytes = encodeMessage(message);
    return { ...send(bytes), again: () => send(bytes) };
  };
}

/** A POST with format 60 unless said otherwise. */
export function posting(path: string, payload: Uint8Array, more: Post = {}): ClientRequest {
  return { method: "POST", path, payload, contentFormat: ContentFormat.Cbor, ...more };
}

/** The id in the one Location-Path option of a 2.01. */
export function idIn({ code, options, payload }: CoapResponse): number {
  assert.equal(codeText(code), "2.01", new TextDecoder().decode(payload));
  const segments = optionTexts(options, OptionNumber.LocationPath);
  assert.equal(segments.length, 1);
  return Number(segments[0]);
}

export function decoded<T>(schema: CborSchema<T>, { payload }: CoapResponse): T {
  return decodeCbor(schema, payload);
}

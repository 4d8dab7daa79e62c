/** Tokens that know a platform already, and what that platform sends them: all of it made before the time is taken. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { encode } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import {
  type CoapMessage,
  Code,
  ContentFormat,
  codeText,
  decodeMessage,
  encodeMessage,
  MessageType,
  NO_BYTES,
  OptionNumber,
  optionTexts,
  textOption,
  uintOption,
} from "../../shared/coap/index.ts";
import type { Clock, DatagramPort, Flash, Log, Peer, Random } from "../../shared/ports/index.ts";
import { Evidence, QuoteRequest, SignedObject, V1 } from "../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../shared/tpm/index.ts";
import type { Domain } from "../../token/domain/domain.ts";
import { STRICT } from "../../token/domain/profile.ts";
import { createToken, type Token } from "../../token/token.ts";
import { FakeAttester } from "../support/fake-attester.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { seededRandom } from "../support/random.ts";

const TOKEN: Peer = { address: "169.254.0.1", port: 5683 };
const LAMPS = { show: () => undefined };
const BUTTON = { onChange: () => () => undefined };
export const SILENT: Log = { write: () => undefined };

export interface TokenParts {
  readonly flash: Flash;
  readonly random: Random;
  readonly clock: Clock;
}

/** The whole firmware, of profile strict, with nobody who looks at its lamps or its log. */
export function strictToken(parts: TokenParts): Token {
  return createToken({ ...parts, leds: LAMPS, button: BUTTON, log: SILENT }, { api: "v1", profile: STRICT });
}

/** A token whose datagrams are handed in and out by calls: nothing waits. */
export interface DirectToken {
  readonly token: Token;
  readonly peer: Peer;
  /** What the token sends while it takes this datagram. It answers at once, or it is a mistake. */
  ask(datagram: Uint8Array, from: Peer): Uint8Array;
  stop(): void;
}

export function directToken(parts: TokenParts): DirectToken {
  const token = strictToken(parts);
  let deliver: (datagram: Uint8Array, from: Peer) => void = () => undefined;
  let sent: Uint8Array | undefined;
  const port: DatagramPort = {
    local: TOKEN,
    send(datagram) {
      sent = datagram;
    },
    onDatagram(listener) {
      deliver = listener;
      return () => undefined;
    },
    close: async () => undefined,
  };
  const unserve = token.serve(port);
  return {
    token,
    peer: TOKEN,
    ask(datagram, from) {
      sent = undefined;
      deliver(datagram, from);
      return sent ?? assert.fail("the token is silent");
    },
    stop() {
      unserve();
      token.stop();
    },
  };
}

/** A computer that a token knows, and that token's flash. */
export interface Enrolled {
  readonly computer: FakeAttester;
  /** Of a token with its owner and this one platform, RSA-2048. */
  readonly image: Uint8Array;
}

export function enrolled(): Enrolled {
  const computer = new FakeAttester({ aik: "restricted-rsa" });
  const flash = createRamFlash(STICK_GEOMETRY);
  const token = strictToken({ flash, random: seededRandom(1, "enrolment"), clock: new VirtualClock() });
  provision(token.domain, new FakeOwner());
  enrol(token.domain, computer);
  token.stop();
  return { computer, image: flash.image() };
}

export function provision(domain: Domain, owner: FakeOwner): void {
  domain.roots.add(owner.root.certificate, []);
  const chain = domain.judgeOwner(owner.chainBody());
  const csr = domain.requestCertificate();
  assert.ok(chain.ok && csr.ok);
  assert.ok(domain.acceptCertificate(owner.issue(csr.value).der, chain.value).ok);
}

/** EK and activation are another bench's matter. */
function enrol(domain: Domain, computer: FakeAttester): void {
  const aik = domain.judgeAik(encode(Tpm2bPublic, computer.aikPublic));
  assert.ok(aik.ok);
  assert.ok(domain.enrol({ aik: aik.value, metadata: computer.metadataBytes(), rim: computer.rimBytes() }).ok);
}

/** A datagram to a token, and what the token answers. */
export interface Exchange {
  readonly from: Peer;
  readonly request: Uint8Array;
  readonly reply: Uint8Array;
}

/** A program of the computer at one port: its requests as datagrams, none in blocks. */
class Client {
  readonly from: Peer;
  readonly #coapToken: Uint8Array;
  #messageId = 0;

  constructor(port: number) {
    this.from = { address: "169.254.0.8", port };
    this.#coapToken = Uint8Array.of(0xc0, 0xa9, port >>> 8, port & 0xff);
  }

  get(path: string): Uint8Array {
    return this.#request(Code.Get, path, NO_BYTES);
  }

  post(path: string, payload: Uint8Array): Uint8Array {
    return this.#request(Code.Post, path, payload);
  }

  #request(code: number, path: string, payload: Uint8Array): Uint8Array {
    const segments = path.split("/").slice(1);
    const options = segments.map((segment) => textOption(OptionNumber.UriPath, segment));
    if (payload !== NO_BYTES) options.push(uintOption(OptionNumber.ContentFormat, ContentFormat.Cbor));
    const messageId = ++this.#messageId % 0x1_0000;
    return encodeMessage({ type: MessageType.Con, code, messageId, coapToken: this.#coapToken, options, payload });
  }
}

const FIRST_PORT = 40_000;

/**
 * Attestations of one platform, from so many ports in turn: nonce, metadata, evidence. A token that begins with the same flash and the same
 * randomness asks for the same nonces, so what was signed for the one that was asked here is right for it, too.
 */
export function recorderOf(computer: FakeAttester, token: DirectToken, ports: number) {
  const clients = Array.from({ length: ports }, (_, i) => new Client(FIRST_PORT + i));
  let made = 0;
  /** The next so many. */
  return (count: number): readonly Exchange[] =>
    Array.from({ length: count }, () => {
      const client = clients[made++ % clients.length] ?? assert.fail("no client");
      return recordAttestation(computer, token, client);
    }).flat();
}

function recordAttestation(computer: FakeAttester, token: DirectToken, client: Client): readonly Exchange[] {
  const exchanges: Exchange[] = [];
  const ask = (request: Uint8Array, code: string): CoapMessage => {
    const reply = token.ask(request, client.from);
    exchanges.push({ from: client.from, request, reply });
    const message = decodeMessage(reply);
    assert.equal(codeText(message.code), code, new TextDecoder().decode(message.payload));
    return message;
  };
  const { payload: nonce } = ask(client.get(V1.NONCE), "2.05");
  const metadata = encodeCbor(SignedObject, computer.signed(computer.metadataBytes(), nonce));
  const opened = ask(client.post(V1.ATTEST, metadata), "2.01");
  const path = `${V1.ATTEST}/${optionTexts(opened.options, OptionNumber.LocationPath).join("/")}`;
  const evidence = encodeCbor(Evidence, computer.quote(decodeCbor(QuoteRequest, opened.payload)));
  ask(client.post(path, evidence), "2.04");
  return exchanges;
}

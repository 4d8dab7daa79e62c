/** The attester of API v0 over whatever TPM: the seven exchanges, checked as a verifier checks them, and what it does with everything else. */
import assert from "node:assert/strict";
import { createV0Server, serveV0, type V0Server } from "../../attester/flows/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { createTpmClient, type TpmClient } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { type Manufactured, manufactureTpm } from "../../hw/tpm/manufacture.ts";
import { concat, decode, encode, equal, toHex } from "../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import {
  type ClientRequest,
  type CoapEndpoint,
  type CoapResponse,
  Code,
  ContentFormat,
  codeText,
  createEndpoint,
} from "../../shared/coap/index.ts";
import type { Log, TpmTransport } from "../../shared/ports/index.ts";
import {
  CertChain,
  Challenge,
  decodeRim,
  Evidence,
  Metadata,
  NonceRequest,
  QuoteRequest,
  QuoteRequestIndefinite,
  Rim,
  SignedObject,
  signedBytes,
  verifySignature,
} from "../../shared/protocol/index.ts";
import {
  makeCredential,
  nameOf,
  pcrDigest,
  publicKeyOf,
  Tpm2bPublic,
  TpmAlg,
  TpmHt,
  TpmSt,
  TpmsAttest,
  TpmUnreachable,
} from "../../shared/tpm/index.ts";
import { parseCertificate, validateChain } from "../../shared/x509/index.ts";
import { DatagramNet } from "../support/datagram-net.ts";
import { seededRandom } from "../support/random.ts";
import type { TpmBackend } from "./tpm-client.ts";

const TODAY = Date.UTC(2026, 10, 21);
const SERVER = { address: "169.254.0.8", port: 5683 };
const TOKEN = { address: "169.254.0.1", port: 49_152 };
const POLICY = [{ hash: TpmAlg.SHA256, pcrSelect: 0x0006_00ff }];
const KINDS = [
  { profile: "compat", key: "rsa", aikBytes: 280 },
  { profile: "strict", key: "rsa", aikBytes: 282 },
  { profile: "strict", key: "ecc", aikBytes: 90 },
] as const;

const METADATA_LINES = [
  "Received message: metadata",
  "MAC:  0: D:B9:53:D2:50",
  "SMBIOSv2",
  "Manufacturer >PC Engines<",
  "Product Name >apu2<",
  "Serial Number >1373268<",
];

class Lines implements Log {
  readonly all: string[] = [];

  write(level: string, message: string): void {
    if (level !== "debug") this.all.push(level === "info" ? message : `${level}: ${message}`);
  }

  take(): readonly string[] {
    return this.all.splice(0);
  }
}

/** Answers instead of the TPM while a test wants it to. */
class Interposed implements TpmTransport {
  readonly #inner: TpmTransport;
  answer: ((command: Uint8Array) => Uint8Array | undefined) | undefined;

  constructor(inner: TpmTransport) {
    this.#inner = inner;
  }

  async send(command: Uint8Array): Promise<Uint8Array> {
    return this.answer?.(command) ?? this.#inner.send(command);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

const response = (rc: number) => Uint8Array.of(0x80, 0x01, 0, 0, 0, 10, 0, 0, rc >> 8, rc & 0xff);

export function v0ServerContract(name: string, open: (context: Mocha.Context) => Promise<TpmBackend>): void {
  describe(`API v0 attester over ${name}`, () => {
    const random = seededRandom(7, "v0 server");
    const log = new Lines();
    let backend: TpmBackend;
    let transport: Interposed;
    let tpm: TpmClient;
    let made: Manufactured;

    before(async function () {
      backend = await open(this);
      transport = new Interposed(backend.transport);
      tpm = createTpmClient(transport, { random, log });
      await tpm.startUp({ platform: backend.platform, own: true });
      const outcome = await tpm.turn((runner) => manufactureTpm(runner, { random, today: TODAY, force: true }));
      assert.ok(outcome.ok);
      made = outcome;
    });
    after(() => backend?.stop());

    afterEach("nothing is left in the TPM", async () => {
      transport.answer = undefined;
      for (const type of [TpmHt.TRANSIENT, TpmHt.HMAC_SESSION, TpmHt.POLICY_SESSION]) {
        assert.deepEqual(await tpm.handles(type), []);
      }
    });

    for (const { profile, key, aikBytes } of KINDS) {
      describe(`profile ${profile}, ${key}`, () => {
        let net: DatagramNet;
        let server: V0Server;
        let serving: CoapEndpoint;
        let client: CoapEndpoint;

        before(async () => {
          const clock = realClock;
          net = new DatagramNet();
          server = await createV0Server({ tpm, platform: APU2, profile, key, log });
          log.take();
          serving = serveV0(server, { port: net.open(SERVER.address, SERVER.port), clock, random, log });
          client = createEndpoint({ port: net.open(TOKEN.address, TOKEN.port), clock, random });
        });
        after(() => {
          client?.close();
          serving?.close();
        });

        const ask = (request: ClientRequest): Promise<CoapResponse> =>
          client.request(SERVER, { blockSize: 512, ...request });

        const fetch = async <T>(path: string, schema: CborSchema<T>, payload?: Uint8Array): Promise<T> => {
          const { code, contentFormat, payload: body } = await ask({ method: "FETCH", path, payload });
          assert.equal(codeText(code), "2.05");
          assert.equal(contentFormat, ContentFormat.Cbor);
          return decodeCbor(schema, body);
        };
        const aikPublic = async () => {
          const { code, contentFormat, payload } = await ask({ method: "FETCH", path: "/aik" });
          assert.equal(codeText(code), "2.05");
          assert.equal(contentFormat, ContentFormat.OctetStream);
          return payload;
        };
        const aikKey = async () =>
          publicKeyOf(decode(Tpm2bPublic, await aikPublic())) ?? assert.fail("the AIK is no key");
        const refused = async (request: ClientRequest, code: string, text: RegExp | string = /./) => {
          const answer = await ask(request);
          assert.equal(codeText(answer.code), code);
          assert.match(new TextDecoder().decode(answer.payload), new RegExp(text));
        };

        it("says what the walk-through's attester says at its start", () => {
          assert.deepEqual(log.take(), [
            "Creating CoAP server endpoint using UDP.",
            "Registering CoAP resources.",
            "Entering main loop.",
          ]);
        });

        it("does the seven exchanges", async () => {
          const { certs } = await fetch("/ek", CertChain);
          const chain = certs.map(parseCertificate);
          const leaf = chain.at(-1) ?? assert.fail("no EK certificate");
          assert.deepEqual(leaf.der, (key === "rsa" ? made.ekRsa : made.ekEcc).der);
          assert.deepEqual(
            chain.slice(0, -1).map(({ der }) => toHex(der)),
            [toHex(made.intermediate.der)],
            "the issuer comes out of NV, the root is not sent",
          );
          const verdict = validateChain({ leaf, intermediates: chain.slice(0, -1), roots: [made.root], purpose: "ek" });
          assert.ok(verdict.ok);

          const aik = await aikPublic();
          assert.equal(aik.byteLength, aikBytes);
          const aikArea = decode(Tpm2bPublic, aik);
          const publicKey = await aikKey();

          const secret = random.bytes(32);
          const ekArea = server.identity.ek.publicArea;
          assert.deepEqual(publicKeyOf(ekArea), leaf.publicKey);
          const credential = makeCredential(ekArea, nameOf(aikArea), secret, random) ?? assert.fail("no credential");
          const activated = await ask({
            method: "POST",
            path: "/challenge",
            payload: encodeCbor(Challenge, credential),
            contentFormat: ContentFormat.Cbor,
          });
          assert.equal(codeText(activated.code), "2.01");
          assert.equal(activated.contentFormat, ContentFormat.OctetStream);
          assert.deepEqual(activated.payload, secret);

          const metadata = await fetch("/metadata", SignedObject);
          assert.ok(verifySignature(publicKey, signedBytes(metadata.data), metadata.signature));
          assert.deepEqual(decodeCbor(Metadata, metadata.data), {
            version: 1,
            mac: APU2.mac,
            manufacturer: "PC Engines",
            product_name: "apu2",
            serial_number: "1373268",
          });

          const rim = await fetch("/rim", SignedObject);
          assert.ok(verifySignature(publicKey, signedBytes(rim.data), rim.signature));
          const banks = decodeRim(rim.data);
          assert.deepEqual(banks, await tpm.readPcrs(await tpm.activeBanks()));
          assert.ok(decodeCbor(Rim, rim.data).update_ctr >= 0);

          const nonce = random.bytes(32);
          const fresh = await fetch("/metadata", SignedObject, encodeCbor(NonceRequest, { nonce }));
          assert.deepEqual(fresh.data, metadata.data);
          assert.ok(verifySignature(publicKey, signedBytes(fresh.data, nonce), fresh.signature));
          assert.ok(!verifySignature(publicKey, signedBytes(fresh.data), fresh.signature));

          const quoteNonce = random.bytes(32);
          const request = { nonce: quoteNonce, banks: [{ algo_id: TpmAlg.SHA256, pcrs: 0x0006_00ff }] };
          const payload = encodeCbor(QuoteRequestIndefinite, request);
          const quoted = await ask({ method: "POST", path: "/quote", payload, contentFormat: ContentFormat.Cbor });
          assert.equal(codeText(quoted.code), "2.01");
          assert.equal(quoted.contentFormat, ContentFormat.OctetStream);
          const evidence = decodeCbor(Evidence, quoted.payload);
          assert.ok(verifySignature(publicKey, evidence.data, evidence.signature));
          const attest = decode(TpmsAttest, evidence.data);
          assert.ok(attest.type === TpmSt.ATTEST_QUOTE);
          assert.deepEqual(attest.extraData, quoteNonce);
          assert.deepEqual(attest.attested.pcrSelect, POLICY);
          assert.deepEqual(attest.attested.pcrDigest, pcrDigest(TpmAlg.SHA256, POLICY, banks));

          assert.deepEqual(
            log.take().filter((line) => !line.startsWith("warn: The TPM lost power")), // a fresh TPM had no TPM2_Shutdown yet
            [
              ...["ek", "aik", "aik", "challenge"].map((path) => `Received message: ${path}`),
              ...METADATA_LINES,
              "Received message: rim",
              ...METADATA_LINES,
              "Received message: quote",
            ],
          );
        });

        it("takes a definite map and no Content-Format, and names CBOR to who asks for it", async () => {
          const payload = encodeCbor(QuoteRequest, {
            nonce: random.bytes(32),
            banks: [{ algo_id: TpmAlg.SHA256, pcrs: 1 }],
          });
          const plain = await ask({ method: "POST", path: "/quote", payload });
          assert.equal(codeText(plain.code), "2.01");
          const named = await ask({ method: "POST", path: "/quote", payload, accept: ContentFormat.Cbor });
          assert.equal(named.contentFormat, ContentFormat.Cbor);
          decodeCbor(Evidence, named.payload);
        });

        it("answers the two datagrams that kill the reference with the field that is wrong", async () => {
          const nonce = concat(
            Uint8Array.of(0xa1, 0x65),
            new TextEncoder().encode("nonce"),
            Uint8Array.of(0x59, 1, 0x90),
          );
          const long = concat(nonce, new Uint8Array(400));
          await refused({ method: "FETCH", path: "/metadata", payload: long }, "4.00", "^metadata\\.nonce: size 400");
          const bank = Uint8Array.of(0xa2, 0x67, ...utf8("algo_id"), 0x0b, 0x64, ...utf8("pcrs"), 1);
          const many = concat(
            Uint8Array.of(0xa2, 0x65, ...utf8("nonce"), 0x58, 32),
            new Uint8Array(32),
            Uint8Array.of(0x65, ...utf8("banks"), 0x98, 40),
            ...new Array<Uint8Array>(40).fill(bank),
          );
          await refused({ method: "POST", path: "/quote", payload: many }, "4.00", "^quote\\.banks: count 40");
          assert.equal((await aikPublic()).byteLength, aikBytes);
        });

        const nonce = new Uint8Array(32);
        const quoteOf = (algo_id: number, pcrs: number) =>
          encodeCbor(QuoteRequest, {
            nonce,
            banks: [
              { algo_id: TpmAlg.SHA256, pcrs: 1 },
              { algo_id, pcrs },
            ],
          });
        const challengeOf = (idObject: Uint8Array, encSecret: Uint8Array) =>
          encodeCbor(Challenge, { idObject, encSecret });

        for (const [what, request, code, text] of [
          [
            "an unknown bank",
            { method: "POST", path: "/quote", payload: quoteOf(0x1234, 1) },
            "4.00",
            "banks\\[1\\].algo_id: the TPM has no such bank",
          ],
          [
            "garbage on /quote",
            { method: "POST", path: "/quote", payload: Uint8Array.of(1, 2, 3) },
            "4.00",
            "^quote: ",
          ],
          ["nothing on /quote", { method: "POST", path: "/quote" }, "4.00", "^quote: "],
          [
            "a quote without nonce",
            { method: "POST", path: "/quote", payload: Uint8Array.of(0xa0) },
            "4.00",
            "^quote\\.nonce: missing",
          ],
          [
            "garbage on /metadata",
            { method: "FETCH", path: "/metadata", payload: Uint8Array.of(0xff) },
            "4.00",
            "^metadata: ",
          ],
          [
            "a short nonce",
            { method: "FETCH", path: "/metadata", payload: Uint8Array.of(0xa1, 0x65, ...utf8("nonce"), 0x41, 1) },
            "4.00",
            "^metadata\\.nonce: size 1",
          ],
          [
            "garbage on /challenge",
            { method: "POST", path: "/challenge", payload: utf8("hello") },
            "4.00",
            "^challenge: ",
          ],
          [
            "a challenge whose inner size lies",
            { method: "POST", path: "/challenge", payload: challengeOf(Uint8Array.of(0, 9, 1), Uint8Array.of(0, 0)) },
            "4.00",
            "^challenge\\.idObject",
          ],
          [
            "an empty challenge",
            { method: "POST", path: "/challenge", payload: challengeOf(Uint8Array.of(0, 0), Uint8Array.of(0, 0)) },
            "4.0[03]",
            ".",
          ],
          [
            "a form it does not know",
            { method: "POST", path: "/quote", payload: quoteOf(4, 1), contentFormat: ContentFormat.Json },
            "4.15",
            "^$",
          ],
          ["an Accept it cannot meet", { method: "FETCH", path: "/aik", accept: ContentFormat.Cbor }, "4.06", "^$"],
          ["GET", { method: "GET", path: "/ek" }, "4.05", "^$"],
          ["another path", { method: "FETCH", path: "/eks" }, "4.04", "^$"],
        ] as const) {
          it(`answers ${what} with ${code}`, async () => {
            const answer = await ask(request);
            assert.match(codeText(answer.code), new RegExp(`^${code}$`));
            assert.match(new TextDecoder().decode(answer.payload), new RegExp(text));
          });
        }

        it("refuses a credential that is not for its EK and AIK, and goes on", async () => {
          const ekArea = server.identity.ek.publicArea;
          const other = makeCredential(ekArea, random.bytes(34), random.bytes(32), random) ?? assert.fail();
          const broken = { ...other, encSecret: other.encSecret.map((byte, i) => (i > 40 ? byte ^ 0x55 : byte)) };
          for (const credential of [other, broken]) {
            const payload = encodeCbor(Challenge, credential);
            await refused(
              { method: "POST", path: "/challenge", payload },
              "4.03",
              "the TPM refuses the credential: TPM2_Act",
            );
          }
          assert.equal((await fetch("/metadata", SignedObject)).data.byteLength > 0, true);
        });

        it("answers many at the same time, one after the other", async () => {
          const clients = Array.from({ length: 12 }, (_, i) => {
            const port = net.open(`169.254.1.${i + 1}`, 49_152);
            return createEndpoint({ port, clock: realClock, random });
          });
          const answers = await Promise.all(
            clients.map((each, i) => {
              const payload = encodeCbor(NonceRequest, { nonce: new Uint8Array(32).fill(i) });
              return each.request(SERVER, { method: "FETCH", path: "/metadata", payload });
            }),
          );
          const publicKey = await aikKey();
          answers.forEach((answer, i) => {
            const { data, signature } = decodeCbor(SignedObject, answer.payload);
            assert.ok(verifySignature(publicKey, signedBytes(data, new Uint8Array(32).fill(i)), signature));
          });
          for (const each of clients) each.close();
        });

        /** A datagram with another byte somewhere; random bytes when there is none. */
        const spoiled = (seed: Uint8Array | undefined): Uint8Array => {
          const [at = 0, byte = 0, size = 0] = random.bytes(3);
          const datagram = seed?.slice() ?? random.bytes(size);
          if (datagram.byteLength > 0) datagram[at % datagram.byteLength] = byte;
          return datagram;
        };

        it("survives datagrams of any kind", async () => {
          const port = net.open("169.254.9.9", 1);
          const seeds = net.sent.filter(({ to }) => to.address === SERVER.address).map(({ datagram }) => datagram);
          for (let i = 0; i < 300; i++) port.send(spoiled(i % 4 === 0 ? undefined : seeds[i % seeds.length]), SERVER);
          await port.close();
          const busy = codeText(Code.ServiceUnavailable); // as long as requests among them are under way
          while (codeText((await ask({ method: "FETCH", path: "/aik" })).code) === busy);
          assert.equal((await aikPublic()).byteLength, aikBytes);
          assert.ok(!log.take().some((line) => line.startsWith("error")), "no bug was logged");
        });

        it("says 5.03 while the TPM is not reached or in lockout, 5.00 for its other troubles, and recovers", async () => {
          const request = { method: "FETCH", path: "/metadata" } as const;
          transport.answer = () => {
            throw new TpmUnreachable("gone");
          };
          await refused(request, "5.03", "^the TPM is not reached$");
          transport.answer = () => response(0x921);
          await refused(request, "5.03", "^the TPM is in lockout$");
          transport.answer = () => response(0x101);
          await refused(request, "5.00", "TPM_RC_FAILURE");
          transport.answer = () => Uint8Array.of(1, 2, 3);
          await refused(request, "5.00", "^TPM: ");
          transport.answer = undefined;
          assert.equal((await ask(request)).code, Code.Content);
          log.take();
        });

        it("keeps its keys: a second start finds the same", async () => {
          const again = await createV0Server({ tpm, platform: APU2, profile, key, log });
          assert.ok(equal(again.identity.aikPublic, await aikPublic()));
          assert.ok(
            equal(
              encode(Tpm2bPublic, again.identity.ek.publicArea),
              encode(Tpm2bPublic, server.identity.ek.publicArea),
            ),
          );
          assert.ok(!log.take().some((line) => line.startsWith("Creating")));
        });
      });
    }

    it("warns when the clock of the TPM is not safe", async () => {
      await backend.platform.power("cut");
      await tpm.startUp({ platform: backend.platform, own: true });
      const { handler } = await createV0Server({ tpm, platform: APU2, profile: "compat", key: "rsa", log });
      const payload = encodeCbor(QuoteRequest, { nonce: new Uint8Array(32), banks: [{ algo_id: 11, pcrs: 1 }] });
      const reply = await handler({
        peer: TOKEN,
        method: "POST",
        path: ["quote"],
        query: [],
        contentFormat: undefined,
        accept: undefined,
        options: [],
        payload,
      });
      assert.equal(codeText(reply.code), "2.01");
      assert.ok(log.take().some((line) => line.startsWith("warn: The TPM lost power without TPM2_Shutdown")));
    });

    it("refuses a key that the profile does not know", async () => {
      const start = createV0Server({ tpm, platform: APU2, profile: "compat", key: "ecc", log });
      await assert.rejects(start, /IdentityError: Profile compat knows the reference's RSA key only/);
    });
  });
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

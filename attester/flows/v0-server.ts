import { CodecError, decode } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import {
  type CoapEndpoint,
  type CoapHandler,
  type CoapReply,
  Code,
  ContentFormat,
  createEndpoint,
  createRouter,
  diagnostic,
  type EndpointOptions,
  type Route,
} from "../../shared/coap/index.ts";
import type { Log } from "../../shared/ports/index.ts";
import { Challenge, Evidence, NonceRequest, QuoteRequest } from "../../shared/protocol/index.ts";
import { Tpm2bEncryptedSecret, Tpm2bIdObject } from "../../shared/tpm/index.ts";
import type { DescribedFacts } from "../platform/index.ts";
import type { TpmClient } from "../tpm/index.ts";
import { isRefusedCredential } from "./credential.ts";
import { type Identity, type IdentityOptions, prepareIdentity } from "./identity.ts";
import { encodeMetadata, metadataLines } from "./metadata.ts";
import { quoteOver, warnOfUnsafeClock } from "./quoting.ts";
import { readRim } from "./rim.ts";
import { signObject, wireSignature } from "./signed.ts";
import { withTpm } from "./tpm-trouble.ts";

/** The attester of API v0: a CoAP server that the token asks, over a TPM that answers one thing after another. */

export interface V0ServerOptions extends IdentityOptions {
  readonly platform: DescribedFacts;
}

export interface V0Server {
  readonly handler: CoapHandler;
  readonly identity: Identity;
}

/** What the routes work with. */
interface Attester extends Identity {
  readonly tpm: TpmClient;
  readonly platform: DescribedFacts;
  /** The platform's metadata, encoded: what is signed never changes while the attester runs. */
  readonly metadata: Uint8Array;
  readonly log: Log;
}

type V0Route = Route<Attester>;

/** Requests with CBOR may come without a Content-Format, as the reference takes them (D-21). */
const CBOR_REQUEST = [ContentFormat.Cbor, ContentFormat.OctetStream] as const;

function received(attester: Attester, name: string): void {
  attester.log.write("info", `Received message: ${name}`);
}

/** FETCH /ek: the EK certificate and its intermediates. */
const ek: V0Route = {
  method: "FETCH",
  path: "/ek",
  produces: ContentFormat.Cbor,
  handle(_request, attester) {
    received(attester, "ek");
    return { code: Code.Content, contentFormat: ContentFormat.Cbor, payload: attester.ekChain };
  },
};

/** FETCH /aik: TPM2B_PUBLIC, not CBOR. */
const aik: V0Route = {
  method: "FETCH",
  path: "/aik",
  produces: ContentFormat.OctetStream,
  handle(_request, attester) {
    received(attester, "aik");
    return { code: Code.Content, contentFormat: ContentFormat.OctetStream, payload: attester.aikPublic };
  },
};

/** POST /challenge: credential activation (Part 1, clause 24). A credential that is not for this EK and this AIK is refused. */
const challenge: V0Route = {
  method: "POST",
  path: "/challenge",
  accepts: CBOR_REQUEST,
  produces: ContentFormat.OctetStream,
  handle({ payload }, attester) {
    received(attester, "challenge");
    const message = decodeCbor(Challenge, payload, "challenge");
    const idObject = decode(Tpm2bIdObject, message.idObject, "challenge.idObject");
    const encSecret = decode(Tpm2bEncryptedSecret, message.encSecret, "challenge.encSecret");
    return withTpm(attester.log, async () => {
      try {
        const secret = await attester.tpm.activateCredential(attester.ek, attester.aik, idObject, encSecret);
        return { code: Code.Created, contentFormat: ContentFormat.OctetStream, payload: secret };
      } catch (error) {
        if (!isRefusedCredential(error)) throw error;
        attester.log.write("warn", `The TPM refuses the credential: ${error.message}`);
        return diagnostic(Code.Forbidden, `the TPM refuses the credential: ${error.message}`);
      }
    });
  },
};

/** FETCH /metadata: the platform's metadata, signed; with a nonce when the request has one. */
const metadata: V0Route = {
  method: "FETCH",
  path: "/metadata",
  accepts: CBOR_REQUEST,
  produces: ContentFormat.Cbor,
  handle({ payload }, attester) {
    received(attester, "metadata");
    const nonce = payload.byteLength === 0 ? undefined : decodeCbor(NonceRequest, payload, "metadata").nonce;
    for (const line of metadataLines(attester.platform)) attester.log.write("info", line);
    return withTpm(attester.log, async () => signedReply(attester, attester.metadata, nonce));
  },
};

/** FETCH /rim: what the PCRs hold, signed. */
const rim: V0Route = {
  method: "FETCH",
  path: "/rim",
  produces: ContentFormat.Cbor,
  handle(_request, attester) {
    received(attester, "rim");
    return withTpm(attester.log, async () => signedReply(attester, await readRim(attester.tpm)));
  },
};

async function signedReply(attester: Attester, data: Uint8Array, nonce?: Uint8Array): Promise<CoapReply> {
  const payload = await signObject(attester.tpm, attester.aik, data, nonce);
  return { code: Code.Content, contentFormat: ContentFormat.Cbor, payload };
}

/**
 * POST /quote: TPMS_ATTEST over the PCRs asked for. The answer is CBOR in spite of its Content-Format (D-20); who asks for CBOR
 * by Accept gets it named so.
 */
const quoteRoute: V0Route = {
  method: "POST",
  path: "/quote",
  accepts: CBOR_REQUEST,
  produces: [ContentFormat.OctetStream, ContentFormat.Cbor],
  handle({ payload, accept }, attester) {
    received(attester, "quote");
    const { nonce, banks } = decodeCbor(QuoteRequest, payload, "quote");
    const selection = banks.map(({ algo_id, pcrs }) => ({ hash: algo_id, pcrSelect: pcrs }));
    return withTpm(attester.log, async () => {
      const quote = await quoteOver(attester.tpm, attester.aik, nonce, selection);
      if ("missing" in quote) {
        const error = new CodecError("the TPM has no such bank", `quote.banks[${quote.missing}].algo_id`, 0);
        return diagnostic(Code.BadRequest, error.message);
      }
      const { quoted, attest, signature } = quote;
      warnOfUnsafeClock(attest, attester.log);
      return {
        code: Code.Created,
        contentFormat: accept ?? ContentFormat.OctetStream,
        payload: encodeCbor(Evidence, { data: quoted, signature: wireSignature(signature) }),
      };
    });
  },
};

/**
 * Prepares EK, AIK and the EK's chain, and answers with them. Rejects with IdentityError, ForeignKeyError, TpmError or TpmUnreachable.
 * The TPM has been started, and stays the caller's.
 */
export async function createV0Server(options: V0ServerOptions): Promise<V0Server> {
  const identity = await prepareIdentity(options);
  const { tpm, platform, log } = options;
  const attester: Attester = { ...identity, tpm, platform, log, metadata: encodeMetadata(platform) };
  const handler = createRouter([ek, aik, challenge, metadata, rim, quoteRoute], { context: () => attester });
  return { handler, identity };
}

/** Serves over a port with the reference's words, until the endpoint is closed; who opened the port closes it. */
export function serveV0({ handler }: V0Server, options: EndpointOptions & { readonly log: Log }): CoapEndpoint {
  const { log } = options;
  log.write("info", "Creating CoAP server endpoint using UDP.");
  const endpoint = createEndpoint(options);
  log.write("info", "Registering CoAP resources.");
  endpoint.serve(handler);
  log.write("info", "Entering main loop.");
  return endpoint;
}

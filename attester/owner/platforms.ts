import { toHex } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { type CoapResponse, Code, ContentFormat, codeText } from "../../shared/coap/index.ts";
import type { PrivateKey, SignatureScheme } from "../../shared/crypto/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import {
  AuthorizedRequest,
  authorizeRequest,
  PlatformList,
  PlatformRemove,
  PlatformRename,
  V1,
} from "../../shared/protocol/index.ts";
import { TokenAnswerError, TokenRefused, type TokenWire } from "../flows/token-wire.ts";

/** Extension 3 of API v1: the platforms of a token, for whoever holds the key that issued the token's certificate. */

export const platformRefusals = [
  /** No owner, no such platform, or a token that does not have this extension: all are 4.04. */
  "not-found",
  /** Another owner's token, or another one than the one that is meant. */
  "not-owner",
  /** Any other refusal, such as full storage. */
  "token-trouble",
] as const;
export type PlatformRefusal = (typeof platformRefusals)[number];

export interface RefusedAdministration {
  readonly ok: false;
  readonly reason: PlatformRefusal;
  /** For people. */
  readonly sentence: string;
}

export type Administered<T> = { readonly ok: true; readonly value: T } | RefusedAdministration;

export interface AdministrationOptions {
  readonly wire: TokenWire;
  /** Of the issuing CA in the owner chain that the token was provisioned with. */
  readonly key: PrivateKey;
  /** How that key signs, by its certificate. */
  readonly scheme: SignatureScheme;
  readonly random: Random;
  /** Device id of the token that is meant: no other takes what is signed then. Without it, what is signed is good for any token of this owner. */
  readonly token?: string | undefined;
}

export interface EnrolledPlatform {
  /** SHA-256 over its metadata, 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly idBytes: Uint8Array;
  /** Empty until the owner gave one. */
  readonly name: string;
  readonly manufacturer: string;
  readonly productName: string;
  readonly serialNumber: string;
  readonly files: number;
  /** Of all its files. */
  readonly sizeBytes: number;
  /** Attested sessions that live. */
  readonly attested: number;
}

/** What its owner was shown of a platform: the token compares it, so that nobody who changes lists on their way has another one changed. */
export type ShownPlatform = Pick<EnrolledPlatform, "idBytes" | "manufacturer" | "productName" | "serialNumber">;

interface Wanted {
  /** Stands in sentences: "its platforms". */
  readonly what: string;
  readonly method: "FETCH" | "POST";
  readonly path: string;
  readonly body: Uint8Array;
  readonly notFound: string;
  readonly success: number;
}

function refusal(
  { code, detail, message }: TokenRefused,
  { notFound }: Wanted,
  token: string | undefined,
): RefusedAdministration {
  const said = `${codeText(code)}${detail === "" ? "" : `: ${detail}`}`;
  if (code === Code.NotFound || code === Code.MethodNotAllowed) {
    return { ok: false, reason: "not-found", sentence: `${notFound} (${said})` };
  }
  if (code === Code.Forbidden) {
    const another = token === undefined ? "" : `is another one than ${token}, or `;
    const sentence = `the token ${another}does not take this key for its owner's (${said}): it belongs to the chain that the token was provisioned with`;
    return { ok: false, reason: "not-owner", sentence };
  }
  return { ok: false, reason: "token-trouble", sentence: message };
}

/** Each request is signed with a nonce of its own. */
async function administer(
  wanted: Wanted,
  { wire, key, scheme, random, token }: AdministrationOptions,
): Promise<Administered<CoapResponse>> {
  const { what, method, path, body, success } = wanted;
  const nonce = await wire.nonce();
  const payload = encodeCbor(
    AuthorizedRequest,
    authorizeRequest({ method, path, body, token }, nonce, key, random, scheme),
  );
  try {
    const value = await wire.ask(what, { method, path, contentFormat: ContentFormat.Cbor, payload });
    if (value.code === success) return { ok: true, value };
    throw new TokenAnswerError(`the token answers ${what} with ${codeText(value.code)}`);
  } catch (error) {
    if (error instanceof TokenRefused) return refusal(error, wanted, token);
    throw error;
  }
}

const NO_PLATFORM = "the token does not know this platform";

/** All platforms of the token. Rejects with the errors of a wire. */
export async function listPlatforms(
  options: AdministrationOptions,
): Promise<Administered<readonly EnrolledPlatform[]>> {
  const what = "its platforms";
  const outcome = await administer(
    {
      what,
      method: "FETCH",
      path: V1.PLATFORMS,
      body: new Uint8Array(),
      notFound: "the token has no owner, or does not tell its platforms",
      success: Code.Content,
    },
    options,
  );
  if (!outcome.ok) return outcome;
  const { payload } = outcome.value;
  const { platforms } = options.wire.read(what, () => decodeCbor(PlatformList, payload, "platforms"));
  return {
    ok: true,
    value: platforms.map(({ id, name, manufacturer, product_name, serial_number, files, bytes, attested }) => ({
      id: toHex(id),
      idBytes: id,
      name,
      manufacturer,
      productName: product_name,
      serialNumber: serial_number,
      files,
      sizeBytes: bytes,
      attested,
    })),
  };
}

function named({ idBytes, manufacturer, productName, serialNumber }: ShownPlatform): PlatformRemove {
  return { id: idBytes, manufacturer, product_name: productName, serial_number: serialNumber };
}

/** Names a platform, in 64 bytes of UTF-8 at most; an empty name takes the name away. */
export async function renamePlatform(
  platform: ShownPlatform,
  name: string,
  options: AdministrationOptions,
): Promise<Administered<undefined>> {
  const outcome = await administer(
    {
      what: "the platform's name",
      method: "POST",
      path: `${V1.PLATFORMS}/rename`,
      body: encodeCbor(PlatformRename, { ...named(platform), name }),
      notFound: NO_PLATFORM,
      success: Code.Changed,
    },
    options,
  );
  return outcome.ok ? { ok: true, value: undefined } : outcome;
}

/** Takes a platform away, with its name and its files. */
export async function removePlatform(
  platform: ShownPlatform,
  options: AdministrationOptions,
): Promise<Administered<undefined>> {
  const outcome = await administer(
    {
      what: "the removal",
      method: "POST",
      path: `${V1.PLATFORMS}/remove`,
      body: encodeCbor(PlatformRemove, named(platform)),
      notFound: NO_PLATFORM,
      success: Code.Deleted,
    },
    options,
  );
  return outcome.ok ? { ok: true, value: undefined } : outcome;
}

export type FoundPlatform =
  | { readonly ok: true; readonly platform: EnrolledPlatform }
  | { readonly ok: false; readonly sentence: string };

const quoted = (text: string) => `"${text}"`;

/** The one platform whose id begins with these digits, or whose name it is. */
export function findPlatform(platforms: readonly EnrolledPlatform[], text: string): FoundPlatform {
  const digits = text.toLowerCase();
  const isPrefix = /^[0-9a-f]{1,64}$/.test(digits);
  const found = platforms.filter(
    ({ id, name }) => (isPrefix && id.startsWith(digits)) || (name !== "" && name === text),
  );
  const [platform, ...more] = found;
  if (platform === undefined) return { ok: false, sentence: `the token has no platform ${quoted(text)}` };
  if (more.length === 0) return { ok: true, platform };
  return {
    ok: false,
    sentence: `${quoted(text)} may be ${found.map(({ id }) => id).join(" or ")}: more digits are needed`,
  };
}

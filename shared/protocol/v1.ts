import { cbor, type InferCbor } from "../cbor/index.ts";
import { Limit } from "./limits.ts";

/** API v1: where the token's resources are, and the messages that only this generation has. docs/api.md. */

const UINT32_MAX = 0xffff_ffff;
const API = "/api/v1";

/** Paths as text, for clients and logs; `{id}` is the last Location-Path segment of what made the object. */
export const V1 = {
  VERSION: "/api/version",
  NONCE: `${API}/nonce`,
  TOKEN_PROVISION: `${API}/admin/token_provision`,
  PROVISION_COMPLETE: `${API}/admin/provision_complete`,
  EK: `${API}/admin/provision/ek`,
  AIK: `${API}/admin/provision/aik`,
  /** Platform provisioning; its contexts are below. */
  PROVISION: `${API}/admin/provision`,
  /** Attestation contexts are below. */
  ATTEST: `${API}/attest`,
  /** Files are below. */
  STORAGE: `${API}/storage/fs`,
  /** Extension 1. */
  GRANT: `${API}/storage/grant`,
  /** Extension 3; `/rename` and `/remove` are below. */
  PLATFORMS: `${API}/admin/platforms`,
} as const;

/** UDP port of the token's service. */
export const V1_PORT = 5683;
/** The token's address on the stick's link. */
export const V1_TOKEN_ADDRESS = "169.254.0.1";
/** A session ends so long after the peer's last message. */
export const SESSION_MS = 3_000;

/** Object ids: random, 32 bits, decimal text in paths. */
const objectId = cbor.uint(UINT32_MAX);

/** GET /api/version. */
export const Versions = cbor.map({ versions: cbor.array(cbor.uint(UINT32_MAX), Limit.VERSIONS, 1) });

/** POST .../provision/aik: a TPM2B_PUBLIC and the id that its EK got. */
export const AikRequest = cbor.map({ aik: cbor.bytes({ min: 1, max: Limit.PUBLIC_BYTES }), ek: objectId });

/** POST .../provision: what ActivateCredential gave. */
export const ActivationRequest = cbor.map({
  ek: objectId,
  aik: objectId,
  secret: cbor.bytes({ min: 0, max: Limit.SECRET_BYTES * 2 }),
});

const authorized = {
  nonce: cbor.bytes({ size: Limit.NONCE_BYTES }),
  method: cbor.text({ min: 1, max: 8 }),
  path: cbor.text({ min: 1, max: Limit.PATH_BYTES }),
  digest: cbor.bytes({ size: 32 }),
};

/** What somebody allows once: this method on this path with a body of this digest (SHA-256), in the session of this nonce. */
export const RequestAuthorization = cbor.map(authorized);
export type RequestAuthorization = InferCbor<typeof RequestAuthorization>;

/** Extension 3: the same by an owner, who has several tokens perhaps, and may say by its device id which one is meant. */
export const OwnerAuthorization = cbor.map({
  ...authorized,
  token: cbor.optional(cbor.text({ min: 1, max: Limit.DEVICE_ID_BYTES })),
});
export type OwnerAuthorization = InferCbor<typeof OwnerAuthorization>;

/** Extension 3: a request of the owner. `data` is an encoded OwnerAuthorization whose digest is of `body`; the issuing CA's key signs `data || nonce`. */
export const AuthorizedRequest = cbor.map({
  data: cbor.bytes({ min: 1, max: Limit.PATH_BYTES + 256 }),
  signature: cbor.bytes({ min: 1, max: Limit.SIGNATURE_BYTES }),
  body: cbor.bytes({ max: Limit.AUTHORIZED_BODY_BYTES }),
});
export type AuthorizedRequest = InferCbor<typeof AuthorizedRequest>;

const platformId = cbor.bytes({ size: 32 });
const text = cbor.text({ max: Limit.TEXT_BYTES });

/** Extension 3: what FETCH /admin/platforms answers. `name` is empty until the owner gives one; times and places are not kept. */
export const PlatformList = cbor.map({
  platforms: cbor.array(
    cbor.map({
      id: platformId,
      name: cbor.text({ max: Limit.PLATFORM_NAME_BYTES }),
      manufacturer: text,
      product_name: text,
      serial_number: text,
      /** How many files, and their bytes together. */
      files: cbor.uint(UINT32_MAX),
      bytes: cbor.uint(UINT32_MAX),
      /** Attested sessions that live. */
      attested: cbor.uint(UINT32_MAX),
    }),
    Limit.PLATFORMS,
  ),
});
export type PlatformList = InferCbor<typeof PlatformList>;

/** What the owner was shown of a platform: where it stands in a request, the platform of that id must be called so. */
const shown = {
  manufacturer: cbor.optional(text),
  product_name: cbor.optional(text),
  serial_number: cbor.optional(text),
};

/** The body of POST .../rename; an empty name takes the name away. */
export const PlatformRename = cbor.map({
  id: platformId,
  name: cbor.text({ max: Limit.PLATFORM_NAME_BYTES }),
  ...shown,
});
/** The body of POST .../remove. */
export const PlatformRemove = cbor.map({ id: platformId, ...shown });
export type PlatformRemove = InferCbor<typeof PlatformRemove>;

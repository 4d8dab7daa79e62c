import type { CertificateFetcher, Clock, EventLogs, Log, PlatformFacts } from "../../shared/ports/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import type { AikKind, EkKind, TpmClient, TpmKey } from "../tpm/index.ts";
import type { KeepAlive } from "./keep-alive.ts";
import type { TokenWire } from "./token-wire.ts";

export interface V1AttesterOptions {
  readonly wire: TokenWire;
  readonly tpm: TpmClient;
  readonly platform: PlatformFacts;
  /** Of EK and AIK. */
  readonly key: EkKind;
  /** The AIKs that a token is offered, the next when it refuses one. Default: the restricted one of `key`, then, with RSA, the reference's. */
  readonly offers?: readonly AikKind[] | undefined;
  readonly log: Log;
  readonly clock: Clock;
  /** Issuers of the EK certificate from files. */
  readonly issuers?: readonly Certificate[] | undefined;
  readonly fetcher?: CertificateFetcher | undefined;
  /** What was measured in this boot; without them a token can say no more than which PCRs differ. */
  readonly eventLogs?: EventLogs | undefined;
}

/** An AIK that may be, or is, the one that the token enrolled. */
export interface Signer {
  readonly kind: AikKind;
  readonly aik: TpmKey;
}

/** What the flows of one attester work with. */
export interface V1Context extends V1AttesterOptions {
  readonly offers: readonly AikKind[];
  readonly keepAlive: KeepAlive;
  /** The platform's metadata, encoded: what is signed never changes while the attester runs. */
  readonly metadata: Uint8Array;
  /** Whose signature the token took last. */
  signer: Signer | undefined;
  /** The token has asked for grants before files. */
  wantsGrants: boolean;
}

export const AIK_WORDS: Readonly<Record<AikKind, string>> = {
  reference: "the reference's unrestricted RSA key",
  "restricted-rsa": "the restricted RSA key",
  "restricted-ecc": "the restricted P-256 key",
};

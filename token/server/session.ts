import type { LogSummary } from "../../shared/event-log/index.ts";
import type { Peer, Random } from "../../shared/ports/index.ts";
import type { EvidenceReason } from "../../shared/protocol/index.ts";
import type { TpmtPublic } from "../../shared/tpm/index.ts";
import type { Aik } from "../domain/aik.ts";
import type { TpmStart, Unexpected } from "../domain/appraisal.ts";
import type { Activation } from "../domain/enrolment.ts";
import type { PlatformSummary } from "../domain/events.ts";
import type { OwnerChain } from "../domain/owner.ts";
import { Grants } from "./grants.ts";
import type { ServerLimits } from "./limits.ts";
import { createIds, ObjectTable } from "./objects.ts";

/** An AIK with the credential that was made for it and its EK. */
export interface OfferedAik {
  readonly ekId: number;
  readonly aik: Aik;
  readonly activation: Activation;
}

/** A platform whose TPM proved EK and AIK: it says who it is and what its PCRs hold. */
export interface OpenEnrolment {
  readonly aik: Aik;
  metadata: Uint8Array | undefined;
  rim: Uint8Array | undefined;
  /** Checked against `rim`, packed. */
  log: Uint8Array | undefined;
}

/** An attestation that waits for its evidence. */
export interface OpenAttestation {
  readonly platformId: string;
  readonly nonce: Uint8Array;
}

/** What was measured, as the peer of an open attestation says. */
export interface ReportedLog {
  readonly contextId: number;
  readonly log: LogSummary;
}

/** A red of which the peer may ask more, once. */
export interface Explainable {
  readonly contextId: number;
  readonly platformId: string;
  readonly reason: EvidenceReason;
  /** Where the PCRs are the reason: then the peer may name them. */
  readonly unexpected: Unexpected | undefined;
}

/** The token's memory of one peer. It ends SESSION_MS after the peer's last message, and everything in it with it. */
export class Session {
  readonly peer: Peer;
  readonly eks: ObjectTable<TpmtPublic>;
  readonly aiks: ObjectTable<OfferedAik>;
  readonly enrolments: ObjectTable<OpenEnrolment>;
  readonly attestations: ObjectTable<OpenAttestation>;
  readonly grants: Grants;
  ownerChain: OwnerChain | undefined;
  explainable: Explainable | undefined;
  /**
   * Whether the peer has used what it alone was told: the nonce, or an id. So it receives what is sent to it, and nobody has put its address on
   * a datagram of his own.
   */
  receives = false;
  /** One of a session: logs are long. */
  reportedLog: ReportedLog | undefined;
  #nonce: Uint8Array | undefined;
  #attested: PlatformSummary | undefined;
  /** Of the TPM whose quote attested it. */
  #start: TpmStart | undefined;
  readonly #onAttested: () => void;

  /** `onAttested` is called when another platform is attested than before, or none any more. */
  constructor(peer: Peer, random: Random, limits: ServerLimits, onAttested: () => void) {
    const ids = createIds(random);
    const shown = (): void => {
      this.receives = true;
    };
    this.peer = peer;
    this.eks = new ObjectTable(ids, limits.objects, shown);
    this.aiks = new ObjectTable(ids, limits.objects, shown);
    this.enrolments = new ObjectTable(ids, limits.objects, shown);
    this.attestations = new ObjectTable(ids, limits.objects, shown);
    this.grants = new Grants(random, limits.grants);
    this.#onAttested = onAttested;
  }

  /** The one nonce of the session; a former one is void. */
  renewNonce(nonce: Uint8Array): void {
    this.#nonce = nonce;
  }

  /** A nonce is used once. */
  takeNonce(): Uint8Array | undefined {
    const nonce = this.#nonce;
    this.#nonce = undefined;
    return nonce;
  }

  get attested(): PlatformSummary | undefined {
    return this.#attested;
  }

  /** The platform that this session speaks for, by a quote of this start of its TPM; undefined revokes. What was granted before is void. */
  attest(platform: PlatformSummary | undefined, start?: TpmStart): void {
    const changed = this.#attested?.id !== platform?.id || !isSameStart(this.#start, start);
    this.#attested = platform;
    this.#start = start;
    if (!changed) return;
    this.grants.clear();
    this.#onAttested();
  }

  /** Whether it speaks for the platform by a quote of another start of its TPM. */
  isOfAnotherStart(platformId: string, start: TpmStart): boolean {
    return this.#attested?.id === platformId && !isSameStart(this.#start, start);
  }
}

function isSameStart(one: TpmStart | undefined, other: TpmStart | undefined): boolean {
  return one?.resetCount === other?.resetCount && one?.restartCount === other?.restartCount;
}

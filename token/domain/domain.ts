import type { LogSummary } from "../../shared/event-log/index.ts";
import type { Calendar, Random, Unsubscribe } from "../../shared/ports/index.ts";
import {
  decodeRim,
  type Evidence,
  type PolicyBank,
  type SignedLog,
  type SignedObject,
} from "../../shared/protocol/index.ts";
import type { PcrBank, TpmtPublic } from "../../shared/tpm/index.ts";
import type { SubjectPublicKeyInfo } from "../../shared/x509/index.ts";
import { type Aik, judgeAik } from "./aik.ts";
import { type Appraisal, appraiseEvidence } from "./appraisal.ts";
import { judgeEndorsement } from "./endorsement.ts";
import {
  type Activation,
  checkLog,
  checkMetadata,
  checkReferenceValues,
  finishActivation,
  startActivation,
} from "./enrolment.ts";
import type { PlatformSummary, TokenEvent } from "./events.ts";
import { expectationsUnder } from "./expectation.ts";
import { explainByValues, type Mismatch } from "./explanation.ts";
import { DEFAULT_FILE_LIMITS, type FileLimits, filesIn } from "./files.ts";
import { csrOf, identityIn } from "./identity.ts";
import { readableLog, wordless } from "./log-record.ts";
import {
  issuingKeyIn,
  judgeOwnerChain,
  judgeTokenCertificate,
  type OwnerChain,
  provisionedIn,
  storeProvisioning,
} from "./owner.ts";
import { type Platform, platformId, platformsIn, summarize } from "./platforms.ts";
import { launches } from "./policy.ts";
import type { Profile } from "./profile.ts";
import { accept, type EnrolmentRefusal, type LogRefusal, type Outcome, refuse, type TokenRefusal } from "./reasons.ts";
import { remembering } from "./remembering.ts";
import { rootsIn, wipeAllButRoots } from "./roots.ts";
import type { Store } from "./store.ts";

/** Who is enrolled: every platform that asks and is fit for it, or only the first. */
export type EnrolmentRule = "any" | "first";

export interface DomainConfig {
  readonly store: Store;
  readonly random: Random;
  readonly profile: Profile;
  readonly policy: readonly PolicyBank[];
  /** Absent on a stick: then no certificate's dates are looked at. */
  readonly calendar?: Calendar | undefined;
  /** Whether further platforms are enrolled while one is known; "any" where nothing else is said. */
  readonly enrols?: EnrolmentRule | undefined;
  /** DEFAULT_FILE_LIMITS where nothing else is said. */
  readonly files?: Partial<FileLimits> | undefined;
}

/** A platform as its owner sees it. */
export interface PlatformEntry {
  readonly summary: PlatformSummary;
  /** What the owner calls it; empty until there is a name. */
  readonly name: string;
  /** How many files, and their bytes together. */
  readonly files: number;
  readonly bytes: number;
  /** How many events its enrolled log has; 0 without a log. */
  readonly logEvents: number;
}

/** What a platform shows to be enrolled, each part judged before. */
export interface Enrolment {
  readonly aik: Aik;
  readonly metadata: Uint8Array;
  readonly rim: Uint8Array;
  /** As checkLog packed it. */
  readonly log?: Uint8Array | undefined;
}

const HOW_TO_OPEN = "its owner removes the platforms that it knows, or has it started without --enrol first";

function eventsIn(platform: Platform | undefined): number {
  return platform?.log === undefined ? 0 : (readableLog(platform.log)?.events.length ?? 0);
}

/** The rules of the token, with no wire and no lamps: both APIs are faces of this. */
export function createDomain(config: DomainConfig) {
  const { random, profile, policy, calendar, enrols = "any", files: fileLimits } = config;
  const store = remembering(config.store);
  const listeners = new Set<(event: TokenEvent) => void>();
  const roots = rootsIn(store);
  const platforms = platformsIn(store);
  const files = filesIn(store, { ...DEFAULT_FILE_LIMITS, ...fileLimits });
  const today = () => calendar?.today();
  const isProvisioned = provisionedIn(store);
  const expectationOf = expectationsUnder(profile, policy);
  const isKnown = (metadata: Uint8Array): boolean =>
    profile.platformsDiffer === "words"
      ? platforms.knowsWords(metadata)
      : platforms.find(platformId(metadata)) !== undefined;

  return {
    profile,
    policy,
    roots,
    platforms,
    files,
    random,

    onEvent(listener: (event: TokenEvent) => void): Unsubscribe {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** All are told, whatever one of them throws: sessions, lamps and logs rest on it. The first that was thrown goes on then. */
    tell(event: TokenEvent): void {
      const thrown: unknown[] = [];
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          thrown.push(error);
        }
      }
      if (thrown.length > 0) throw thrown[0];
    },

    /** What an owner announces this token by; undefined when there is no room to keep a new identity. */
    get deviceId(): string | undefined {
      return identityIn(store, random)?.deviceId;
    },
    get provisioned(): boolean {
      return isProvisioned();
    },
    /** Who may administer this token: the CA that issued its certificate. Undefined before there is one. */
    issuingKey: (): SubjectPublicKeyInfo | undefined => issuingKeyIn(store),
    judgeOwner: (body: Uint8Array): Outcome<OwnerChain, TokenRefusal> => judgeOwnerChain(body, roots.owner(), today()),
    requestCertificate(): Outcome<Uint8Array, TokenRefusal> {
      const identity = identityIn(store, random);
      return identity === undefined ? refuse("storage-full") : accept(csrOf(identity, random));
    },
    /** Accepts the owner's certificate and makes the token provisioned; the value is its device id. */
    acceptCertificate(der: Uint8Array, chain: OwnerChain): Outcome<string, TokenRefusal> {
      const identity = identityIn(store, random);
      if (identity === undefined) return refuse("storage-full");
      const certificate = judgeTokenCertificate(der, chain, identity, today());
      if (!certificate.ok) return certificate;
      const stored = storeProvisioning(store, certificate.value, chain);
      return stored === "done" ? accept(identity.deviceId) : refuse(stored);
    },

    judgeEndorsement: (ders: readonly Uint8Array[]): Outcome<TpmtPublic, EnrolmentRefusal> =>
      judgeEndorsement(ders, {
        ekRoots: roots.ek(),
        ownerRoot: roots.owner(),
        today: today(),
        ekSaysTpm: profile.ekSaysTpm,
      }),
    judgeAik: (bytes: Uint8Array): Outcome<Aik, EnrolmentRefusal> => judgeAik(bytes, profile),
    startActivation: (ek: TpmtPublic, aik: Aik): Outcome<Activation, EnrolmentRefusal> =>
      startActivation(ek, aik, random),
    finishActivation,
    checkMetadata,
    checkReferenceValues: (object: SignedObject, aik: Aik, nonce?: Uint8Array): Outcome<Uint8Array, EnrolmentRefusal> =>
      checkReferenceValues(object, aik, policy, profile, nonce),
    checkLog: (object: SignedLog, about: Parameters<typeof checkLog>[1]): Outcome<Uint8Array, LogRefusal> =>
      checkLog(object, about, policy),
    /**
     * Records the platform in one commit. Enrolling a known platform anew is refused: remove it first (D-74: in other bytes, too). Where there
     * is no room for the log, its words are left out, then all of it.
     */
    enrol({ aik, metadata, rim, log }: Enrolment): Outcome<PlatformSummary, EnrolmentRefusal> {
      if (isKnown(metadata)) return refuse("platform-known");
      if (enrols === "first" && platforms.count > 0) return refuse("enrolment-closed", HOW_TO_OPEN);
      if (profile.demandsDynamicLaunch && !launches(decodeRim(rim), log, policy)) return refuse("no-dynamic-launch");
      const record = { aik: aik.publicArea, metadata, rim };
      const fits = (kept: Uint8Array) => platforms.add({ ...record, log: kept }) === "done";
      if (log !== undefined && (fits(log) || fits(wordless(log)))) return accept(summarize(metadata));
      if (platforms.add(record) !== "done") return refuse("storage-full");
      if (log !== undefined) this.tell({ type: "log-refused", reason: "storage-full" });
      return accept(summarize(metadata));
    },

    /** Sorted by platform id. */
    listPlatforms: (): readonly PlatformEntry[] =>
      platforms.list().map((summary) => ({
        summary,
        name: platforms.nameOf(summary.id),
        ...files.usage(summary.id),
        logEvents: eventsIn(platforms.find(summary.id)),
      })),
    /** An empty name takes the name away. */
    renamePlatform: (id: string, name: string): "done" | "unknown" | "storage-full" => platforms.rename(id, name),
    /** The platform with its name and its files, in one commit; undefined when it is not known. */
    removePlatform(id: string): PlatformSummary | undefined {
      const removed = platforms.remove(id);
      if (removed !== undefined) this.tell({ type: "platform-removed", platform: removed });
      return removed;
    },

    /** Whether the platform is fit to be trusted at all, then the six steps. A reported log explains, and decides nothing. */
    appraise(evidence: Evidence, platform: Platform, nonce: Uint8Array, reportedLog?: LogSummary): Appraisal {
      const { unfit, context } = expectationOf(platform);
      return unfit ?? appraiseEvidence(evidence, { nonce, reportedLog }, context);
    },
    /** The PCRs that the peer shows after a red; undefined when they do not hash to the quoted digest. */
    explain: (quotedDigest: Uint8Array, reported: readonly PcrBank[], platform: Platform): Mismatch | undefined =>
      explainByValues(quotedDigest, reported, expectationOf(platform).context),

    /** Back to the state of a new token, but for the roots it trusts. */
    wipe(): void {
      wipeAllButRoots(store);
      this.tell({ type: "wiped" });
    },
  };
}
export type Domain = ReturnType<typeof createDomain>;

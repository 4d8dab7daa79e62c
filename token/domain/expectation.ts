import type { EvidenceReason, PolicyBank } from "../../shared/protocol/index.ts";
import type { AppraisalContext } from "./appraisal.ts";
import { policyDigest } from "./explanation.ts";
import { readableLog } from "./log-record.ts";
import type { Platform } from "./platforms.ts";
import { launches } from "./policy.ts";
import type { Profile } from "./profile.ts";
import { type Refused, refuse } from "./reasons.ts";

/** What a platform on record means under a profile and a policy, before it shows any evidence. */
export interface Expectation {
  /** What was enrolled under a laxer profile is not trusted under this one. */
  readonly unfit: Refused<EvidenceReason> | undefined;
  readonly context: AppraisalContext;
}

/** Worked out once for each platform that was read, not for each of its attestations. */
export function expectationsUnder(
  profile: Profile,
  policy: readonly PolicyBank[],
): (platform: Platform) => Expectation {
  const known = new WeakMap<Platform, Expectation>();
  return (platform) => {
    const found = known.get(platform);
    if (found !== undefined) return found;
    const { key, reference, log } = platform;
    const made = {
      unfit: unfitFor(profile, platform, policy),
      context: {
        ...{ key, policy, reference, expected: policyDigest(reference, policy) },
        enrolledLog: () => log && readableLog(log),
      },
    };
    known.set(platform, made);
    return made;
  };
}

function unfitFor(
  profile: Profile,
  { restricted, reference, log }: Platform,
  policy: readonly PolicyBank[],
): Refused<EvidenceReason> | undefined {
  if (profile.aik === "restricted" && !restricted) return refuse("aik-unrestricted");
  if (profile.demandsDynamicLaunch && !launches(reference, log, policy))
    return refuse("no-dynamic-launch", "when the platform was enrolled");
  return undefined;
}

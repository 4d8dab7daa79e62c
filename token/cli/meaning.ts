import type { Lamps } from "../../shared/ports/index.ts";
import type { NotTrusted, PlatformSummary } from "../domain/events.ts";
import { appraisalRefusals, enrolmentRefusals } from "../domain/reasons.ts";
import type { Told } from "./told.ts";

export interface Situation {
  readonly api: "v0" | "v1";
  /** It hangs on a bus, or stands behind a socket. */
  readonly plugged: boolean;
  /** A computer has set it up. */
  readonly attached: boolean;
  readonly provisioned: boolean;
  readonly held: boolean;
  readonly lamps: Lamps;
  /** Whether the lamps still show the last verdict (v1: its red); between two blinks they are dark all the same. */
  readonly verdictShows: boolean;
  readonly told: Told;
  /** What the owner calls a platform; empty when there is no name. */
  readonly nameOf: (platform: PlatformSummary) => string;
}

/** One line that says what the lamps mean. */
export function meaningOf(now: Situation): string {
  const { plugged, attached, held, told } = now;
  if (held && told.last?.type !== "wiped") return "button held; ten seconds wipe the token";
  if (!plugged) return "not plugged in";
  if (!attached) return "waits for a computer";
  return now.api === "v0" ? meaningOfV0(now) : meaningOfV1(now);
}

function describe({ manufacturer, productName, serialNumber }: PlatformSummary): string {
  return `${manufacturer} ${productName} ${serialNumber}`;
}

function meaningOfV0({ provisioned, verdictShows, told: { last } }: Situation): string {
  if (last?.type === "attested" && verdictShows) return `${describe(last.verdict.platform)} booted as recorded`;
  if (last?.type === "attestation-failed" && verdictShows)
    return `not trusted: ${appraisalRefusals[last.verdict.reason]}`;
  if (last?.type === "wiped") return "wiped; not provisioned by an owner any more";
  if (!provisioned) return "not provisioned by an owner yet";
  if (last?.type === "platform-refused") return "this computer could not be provisioned; the token tries again";
  if (last?.type === "token-provisioned") return "provisioned by its owner; provisioning this computer";
  return "provisioned; no attestation now";
}

function meaningOfV1(now: Situation): string {
  const { provisioned, verdictShows, told } = now;
  const living = sessionsOf(now);
  if (verdictShows && told.failure !== undefined) {
    const failed = failureOf(told.failure, now);
    return living === undefined ? failed : `${failed}; still attested: ${living}`;
  }
  if (living !== undefined) return told.sessions === 1 ? `${living} booted as recorded` : `attested: ${living}`;
  if (told.last?.type === "wiped") return "wiped; not provisioned by an owner any more";
  if (!provisioned) return "not provisioned by an owner yet";
  const before = newsOf(now);
  return before === undefined ? "provisioned; nobody is attested" : `${before}; nobody is attested`;
}

/** Who is attested now; undefined for nobody. */
function sessionsOf(now: Situation): string | undefined {
  const { sessions, newest, newestLives } = now.told;
  if (sessions === 0) return undefined;
  const name = newest !== undefined && newestLives ? called(newest, now) : undefined;
  if (sessions === 1) return name ?? "one computer";
  return name === undefined ? `${sessions} sessions` : `${sessions} sessions, the latest of ${name}`;
}

/** With the owner's name in front, where there is one. */
function called(platform: PlatformSummary, { nameOf }: Situation): string {
  const name = nameOf(platform);
  return name === "" ? describe(platform) : `${name} (${describe(platform)})`;
}

function failureOf({ reason, pcrs, platform }: NotTrusted, now: Situation): string {
  const failed = platform === undefined ? "not trusted" : `${called(platform, now)} is not trusted`;
  return `${failed}: ${appraisalRefusals[reason]}${pcrs === undefined ? "" : `: ${sayPcrs(pcrs)}`}`;
}

/** Sorted numbers, as "PCRs 0-7, 17, 18 differ". */
function sayPcrs(pcrs: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const pcr of pcrs) {
    const last = ranges.at(-1);
    if (last?.[1] === pcr - 1) last[1] = pcr;
    else ranges.push([pcr, pcr]);
  }
  const said = ranges.flatMap(([from, to]) => (to - from > 1 ? `${from}-${to}` : from === to ? from : [from, to]));
  return `${pcrs.length === 1 ? "PCR" : "PCRs"} ${said.join(", ")} ${pcrs.length === 1 ? "differs" : "differ"}`;
}

/** What happened last, as long as nothing else happened. */
function newsOf(now: Situation): string | undefined {
  const { last } = now.told;
  switch (last?.type) {
    case "attestation-refused":
      return `attestation refused: ${appraisalRefusals[last.reason]}`;
    case "platform-refused":
      return `platform not provisioned: ${enrolmentRefusals[last.reason]}`;
    case "platform-provisioned":
      return `${called(last.platform, now)} is provisioned`;
    case "platform-removed":
      return `${describe(last.platform)} is removed`;
    default:
      return undefined;
  }
}

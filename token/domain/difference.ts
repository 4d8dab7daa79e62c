import { toHex } from "../../shared/bytes/index.ts";
import type { LaunchStep, LogSummary, SummaryEvent } from "../../shared/event-log/index.ts";
import type { LogDifference } from "../../shared/protocol/index.ts";

/**
 * The first event that is not as enrolled, as a function of what is vouched for and nothing else: the enrolled log, and for each PCR the
 * digests that it took. Neither the peer's words nor its order among PCRs decide anything; its words appear as a claim about an added event.
 *
 * First is what the enrolled log has first. Who measures a step was measured before: as long as all before it is as enrolled, the event at
 * the first place that differs is what the enrolled predecessor measured there. What comes behind may be anybody's. Of boot parameters and
 * initrd, which the same predecessor measures, the initrd is named where both differ: its size and address stand in them.
 */
export interface FoundDifference {
  readonly difference: LogDifference;
  /** An added event behind all enrolled ones of its PCR: whatever ran later may have measured it. */
  readonly appended: boolean;
}

/** Of the PCRs that `isMeant`; undefined when these hold the same. The logs are of one bank. */
export function firstDifference(
  enrolled: LogSummary,
  reported: LogSummary,
  isMeant: (pcr: number) => boolean = () => true,
): FoundDifference | undefined {
  const pcrs = new Set([...enrolled.events, ...reported.events].map(({ pcr }) => pcr));
  const found = [...pcrs].filter(isMeant).flatMap((pcr) => differenceIn(pcr, enrolled, reported) ?? []);
  const start = isMeant(0) ? startDifference(enrolled, reported) : [];
  const [first, ...others] = [...start, ...found].sort((a, b) => a.at - b.at || a.difference.pcr - b.difference.pcr);
  return first !== undefined && isOf(first, "boot-parameters")
    ? (others.find((found) => isOf(found, "initrd")) ?? first)
    : first;
}

function isOf({ difference: { kind, step } }: FoundDifference, wanted: LaunchStep): boolean {
  return step === wanted && kind !== "added";
}

interface Placed extends FoundDifference {
  /** Its place among the events of the enrolled log; added events come before the one that follows them, appended ones last. */
  readonly at: number;
}

function startDifference(enrolled: LogSummary, reported: LogSummary): readonly Placed[] {
  if (enrolled.startupLocality === reported.startupLocality) return [];
  const description = `TPM2_Startup at locality ${enrolled.startupLocality}`;
  return [
    { at: -1, appended: false, difference: { kind: "changed", pcr: 0, index: 0, step: "firmware", description } },
  ];
}

function differenceIn(pcr: number, enrolled: LogSummary, reported: LogSummary): Placed | undefined {
  const before = enrolled.events.flatMap((event, at) => (event.pcr === pcr ? [{ ...named(event), at }] : []));
  const after = reported.events.filter((event) => event.pcr === pcr).map(named);
  const index = before.findIndex(({ digest }, i) => digest !== after[i]?.digest);
  if (index < 0) {
    const added = after[before.length];
    if (added === undefined) return undefined;
    return { at: Number.POSITIVE_INFINITY, appended: true, difference: addedEvent(pcr, before.length, added, before) };
  }
  const [expected, got] = [before[index], after[index]];
  if (expected === undefined) return undefined;
  const { step, description, digest, at } = expected;
  const common = { pcr, index, step, description, expected: digest } as const;
  if (got === undefined) return { at, appended: false, difference: { kind: "missing", ...common } };
  const changed: Placed = { at, appended: false, difference: { kind: "changed", ...common, got: got.digest } };
  if (pcr === SKINIT_PCR && index === 0) return changed;
  const isLater = (events: readonly Named[], wanted: Named) =>
    events.some((event, i) => i > index && event.digest === wanted.digest);
  const [stillComes, wasToCome] = [isLater(after, expected), isLater(before, got)];
  if (stillComes && !wasToCome)
    return { at: at - 0.5, appended: false, difference: addedEvent(pcr, index, got, before) };
  if (wasToCome && !stillComes) return { at, appended: false, difference: { kind: "missing", ...common } };
  return stillComes ? { ...changed, difference: { kind: "moved", ...common, got: got.digest } } : changed;
}

/** Its first event is the CPU's, which measures a loader and nothing else: whatever stands there stands in the loader's place. */
const SKINIT_PCR = 17;

interface Named extends Pick<SummaryEvent, "step" | "description"> {
  readonly digest: string;
}

function named({ digest, step, description }: SummaryEvent): Named {
  return { digest: toHex(digest), step, description };
}

/** A digest that the enrolled log has in this PCR says by itself what was measured, once more. */
function addedEvent(pcr: number, index: number, added: Named, before: readonly Named[]): LogDifference {
  const known = before.find(({ digest }) => digest === added.digest);
  return {
    ...{ kind: "added", pcr, index, claim: added.description, got: added.digest },
    ...(known !== undefined && { step: known.step, description: known.description }),
  };
}

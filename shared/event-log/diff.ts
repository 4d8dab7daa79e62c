/** How one log differs from another: which measured event was changed, is missing, was added, or stands elsewhere. */
import { toHex } from "../bytes/index.ts";
import { describeEvent } from "./describe.ts";
import { digestIn, isMeasured, type LogEvent } from "./event.ts";
import type { LaunchStep } from "./launch-steps.ts";
import { startupLocality } from "./replay.ts";
import { diffSequences, type Pair } from "./sequence-diff.ts";
import { stepOf } from "./step.ts";

export interface EventDifference {
  /**
   * changed: the same step with another digest. moved: the same digest at another place of its PCR's order. A PCR does not show
   * the order of events in other PCRs, so none of these is about it.
   */
  readonly kind: "changed" | "added" | "missing" | "moved";
  readonly pcr: number;
  /** The event's place in the log before; of an added one the place in the log after. Counted from 0, over all events given. */
  readonly index: number;
  /** The place in the log after, of what is changed or moved. */
  readonly now?: number;
  readonly step: LaunchStep;
  /** As the log before tells it; of an added event as the log after does. */
  readonly description: string;
  /** The digest before; an added event has none. */
  readonly expected?: Uint8Array;
  /** The digest after; a missing event has none. */
  readonly got?: Uint8Array;
}

/** One measured event, with what is said about it only when asked: most events are the same and need no words. */
interface Measured {
  readonly pcr: number;
  readonly digest: Uint8Array;
  readonly index: number;
  explain(): { readonly step: LaunchStep; readonly description: string };
}

/**
 * The differences of one bank, in the order of the log before; added events stand before what follows them in their PCR. None when the
 * logs replay to the same values. Another startup locality is a changed event at the very beginning, without digests.
 */
export function diffEvents(
  before: readonly LogEvent[],
  after: readonly LogEvent[],
  hash: number,
): readonly EventDifference[] {
  return [
    ...startDifference(startupLocality(before), startupLocality(after)),
    ...diffMeasured(measuredIn(before, hash), measuredIn(after, hash)),
  ];
}

function startDifference(expected: number, got: number): readonly EventDifference[] {
  if (expected === got) return [];
  const description = `TPM started at locality ${got} instead of ${expected}`;
  return [{ kind: "changed", pcr: 0, index: 0, now: 0, step: "firmware", description }];
}

function measuredIn(events: readonly LogEvent[], hash: number): readonly Measured[] {
  return events.flatMap((event, index) => {
    const digest = isMeasured(event) ? digestIn(event, hash) : undefined;
    if (digest === undefined) return [];
    const explain = () => ({ step: stepOf(event), description: describeEvent(event) });
    return [{ pcr: event.pcr, digest, index, explain }];
  });
}

interface Placed {
  readonly difference: EventDifference;
  /** Before which place of the log before it is told. */
  readonly at: number;
}

function diffMeasured(before: readonly Measured[], after: readonly Measured[]): readonly EventDifference[] {
  const [oldPcrs, newPcrs] = [byPcr(before), byPcr(after)];
  const pcrs = [...new Set([...oldPcrs.keys(), ...newPcrs.keys()])].sort((a, b) => a - b);
  const placed = pcrs.flatMap((pcr) => diffPcr(oldPcrs.get(pcr) ?? [], newPcrs.get(pcr) ?? []));
  return placed
    .sort((a, b) => a.at - b.at || a.difference.index - b.difference.index)
    .map(({ difference }) => difference);
}

function byPcr(events: readonly Measured[]): ReadonlyMap<number, readonly Measured[]> {
  const pcrs = new Map<number, Measured[]>();
  for (const event of events) {
    const own = pcrs.get(event.pcr);
    if (own === undefined) pcrs.set(event.pcr, [event]);
    else own.push(event);
  }
  return pcrs;
}

function diffPcr(before: readonly Measured[], after: readonly Measured[]): readonly Placed[] {
  const keys = (events: readonly Measured[]) => events.map(({ digest }) => toHex(digest));
  const { kept, moved, missing, added } = diffSequences(keys(before), keys(after));
  const gaps = gapsOf(kept);
  const gone = pick(before, missing).map((event, i) => ({ event, gap: gaps.before(missing[i] ?? 0) }));
  const come = pick(after, added).map((event, i) => ({ event, gap: gaps.after(added[i] ?? 0) }));
  const changed = pairChanged(gone, come);
  const pairedNew = new Set(changed.values());
  const nextKept = (gap: number) => before[kept[gap]?.before ?? before.length]?.index ?? Number.MAX_SAFE_INTEGER;
  return [
    ...moved.flatMap((pair) => movedEvent(before[pair.before], after[pair.after])),
    ...gone.map((old) => goneEvent(old.event, changed.get(old)?.event)),
    ...come
      .filter((candidate) => !pairedNew.has(candidate))
      .map(({ event, gap }) => ({ at: nextKept(gap) - 0.5, difference: addedEvent(event) })),
  ];
}

function pick(events: readonly Measured[], places: readonly number[]): readonly Measured[] {
  return places.flatMap((place) => events[place] ?? []);
}

/** Between which kept events a place lies: gap n is before the n-th of them. */
function gapsOf(kept: readonly Pair[]) {
  const below = (place: number, side: keyof Pair) => {
    let [low, high] = [0, kept.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((kept[middle]?.[side] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return { before: (place: number) => below(place, "before"), after: (place: number) => below(place, "after") };
}

interface Lone {
  readonly event: Measured;
  readonly gap: number;
}

/**
 * Which missing event and which added one are the same thing changed: the same words; else, at the same place, the same words up to
 * their colon ("UEFI variable db"); else, at the same place, the same step.
 */
function pairChanged(gone: readonly Lone[], come: readonly Lone[]): ReadonlyMap<Lone, Lone> {
  const pairs = new Map<Lone, Lone>();
  pairBy(gone, come, pairs, ({ event }) => `${event.explain().step} ${event.explain().description}`);
  pairBy(gone, come, pairs, ({ event, gap }) => `${gap} ${event.explain().description.split(":")[0]}`);
  pairBy(gone, come, pairs, ({ event, gap }) => `${gap} ${event.explain().step}`);
  return pairs;
}

/** In order, those that have the same label and are not paired yet. */
function pairBy(
  gone: readonly Lone[],
  come: readonly Lone[],
  pairs: Map<Lone, Lone>,
  label: (lone: Lone) => string,
): void {
  const taken = new Set(pairs.values());
  const waiting = new Map<string, Lone[]>();
  for (const lone of come.filter((candidate) => !taken.has(candidate)).reverse()) {
    const key = label(lone);
    const same = waiting.get(key);
    if (same === undefined) waiting.set(key, [lone]);
    else same.push(lone);
  }
  for (const lone of gone.filter((candidate) => !pairs.has(candidate))) {
    const partner = waiting.get(label(lone))?.pop();
    if (partner !== undefined) pairs.set(lone, partner);
  }
}

function movedEvent(old: Measured | undefined, now: Measured | undefined): readonly Placed[] {
  if (old === undefined || now === undefined) return [];
  const { pcr, index } = old;
  return [
    {
      at: index,
      difference: {
        kind: "moved",
        pcr,
        index,
        now: now.index,
        ...old.explain(),
        expected: old.digest,
        got: now.digest,
      },
    },
  ];
}

function goneEvent(old: Measured, now: Measured | undefined): Placed {
  const { pcr, index, digest: expected } = old;
  if (now === undefined) return { at: index, difference: { kind: "missing", pcr, index, ...old.explain(), expected } };
  return {
    at: index,
    difference: { kind: "changed", pcr, index, now: now.index, ...old.explain(), expected, got: now.digest },
  };
}

function addedEvent(now: Measured): EventDifference {
  return { kind: "added", pcr: now.pcr, index: now.index, ...now.explain(), got: now.digest };
}

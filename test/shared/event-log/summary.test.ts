import assert from "node:assert/strict";
import { toHex, utf8 } from "../../../shared/bytes/index.ts";
import {
  diffEvents,
  EventType,
  type LogEvent,
  type LogSummary,
  MAX_SUMMARY_TEXT_BYTES,
  replayLog,
  startupLocality,
  stepOf,
  summarize,
} from "../../../shared/event-log/index.ts";
import { pcrMask, replay, TpmAlg } from "../../../shared/tpm/index.ts";
import { APU2_LAUNCHES, eventOf, FIRMWARE_EVENTS } from "../../support/event-logs.ts";

const HASH = TpmAlg.SHA256;
const MASK = pcrMask([0, 1, 2, 3, 4, 5, 6, 7, 17, 18]);
const launch = APU2_LAUNCHES[0]?.events ?? [];
const other = (event: LogEvent): LogEvent => ({ ...eventOf(event.pcr, event.type, "another"), data: event.data });
const remark = (locality: number) =>
  eventOf(0, EventType.NO_ACTION, Uint8Array.of(...utf8("StartupLocality\0"), locality));

/** What the PCRs hold that took these digests, but for a startup locality. */
function replayed({ hash, events }: LogSummary): ReadonlyMap<number, Uint8Array> {
  const pcrs = [...new Set(events.map(({ pcr }) => pcr))].sort((a, b) => a - b);
  return new Map(
    pcrs.map((pcr) => [
      pcr,
      replay(
        hash,
        events.filter((event) => event.pcr === pcr).map(({ digest }) => digest),
      ),
    ]),
  );
}

describe("summary of event logs", () => {
  it("replays to what the logs replay to", () => {
    const summary = summarize([FIRMWARE_EVENTS, launch], HASH, MASK);
    assert.deepEqual(replayed(summary), replayLog([...FIRMWARE_EVENTS, ...launch], HASH));
    assert.equal(toHex(replayed(summary).get(17) ?? new Uint8Array()), APU2_LAUNCHES[0]?.pcrs.get(17));
  });

  it("holds the events of the mask's PCRs only", () => {
    const { events } = summarize([FIRMWARE_EVENTS, launch], HASH, pcrMask([18]));
    assert.deepEqual([...new Set(events.map(({ pcr }) => pcr))], [18]);
    assert.deepEqual(
      events.map(({ step }) => step),
      ["boot-parameters", "command-line"],
    );
  });

  it("has descriptions of at most 64 bytes, cut between characters", () => {
    const { events } = summarize([[eventOf(8, EventType.IPL, "x".repeat(500))]], HASH, pcrMask([8]));
    assert.equal(utf8(events[0]?.description ?? "").byteLength, MAX_SUMMARY_TEXT_BYTES);
    assert.match(events[0]?.description ?? "", /\.\.\.$/);
  });

  it("keeps a startup locality, which PCR 0 starts from", () => {
    const events = [remark(3), ...FIRMWARE_EVENTS];
    const summary = summarize([events], HASH, MASK);
    assert.equal(summary.startupLocality, 3);
    assert.deepEqual(replayed({ ...summary, startupLocality: 0 }), replayLog(FIRMWARE_EVENTS, HASH));
    assert.notDeepEqual(replayLog(events, HASH).get(0), replayLog(FIRMWARE_EVENTS, HASH).get(0));
    const [difference] = diffEvents(FIRMWARE_EVENTS, events, HASH);
    assert.equal(difference?.description, "TPM started at locality 3 instead of 0");
    assert.equal(startupLocality([remark(5)]), 0);
  });

  it("tells each step of the launch", () => {
    assert.deepEqual(launch.map(stepOf), ["loader", "kernel", "boot-parameters", "command-line", "initrd"]);
  });

  it("finds what was changed, added, missing or moved first", () => {
    const first = (changed: readonly LogEvent[]) => {
      const [difference] = diffEvents(launch, changed, HASH);
      return difference === undefined
        ? undefined
        : `${difference.kind} ${difference.pcr} ${difference.step} ${difference.index}`;
    };
    const [loader, kernel, parameters, line, initrd] = launch as readonly [
      LogEvent,
      LogEvent,
      LogEvent,
      LogEvent,
      LogEvent,
    ];
    assert.equal(first(launch), undefined);
    assert.equal(first([loader, other(kernel), parameters, line, initrd]), "changed 17 kernel 1");
    assert.equal(first([loader, kernel, parameters, other(line), other(initrd)]), "changed 18 command-line 3");
    assert.equal(first([loader, kernel, parameters, line]), "missing 17 initrd 4");
    assert.equal(first([loader, kernel, kernel, parameters, line, initrd]), "added 17 kernel 2");
    assert.equal(first([loader, kernel, line, parameters, initrd]), "moved 18 boot-parameters 2");
    assert.equal(
      first([loader, parameters, kernel, initrd, line]),
      undefined,
      "PCRs do not show the order among each other",
    );
  });

  it("tells expected and got", () => {
    const [loader, ...rest] = launch as readonly [LogEvent, ...LogEvent[]];
    const [difference, ...others] = diffEvents(launch, [other(loader), ...rest], HASH);
    assert.deepEqual(others, []);
    assert.deepEqual(difference?.expected, loader.digests[0]?.digest);
    assert.deepEqual(difference?.got, other(loader).digests[1]?.digest);
  });
});

import assert from "node:assert/strict";
import { toHex } from "../../../shared/bytes/index.ts";
import type { LogSummary, SummaryEvent } from "../../../shared/event-log/index.ts";
import { firstDifference } from "../../../token/domain/difference.ts";
import { FIRMWARE, LAUNCH, logOf, measured, RECORDED } from "../../support/launch-log.ts";
import { seededRandom } from "../../support/random.ts";

const hex = (event: SummaryEvent | undefined) => toHex(event?.digest ?? assert.fail("no such event"));
const [LOADER, DATA, KERNEL, PARAMETERS, COMMAND_LINE, INITRD] = LAUNCH as readonly [
  SummaryEvent, SummaryEvent, SummaryEvent, SummaryEvent, SummaryEvent, SummaryEvent,
]; // biome-ignore format: six of a kind
const boot = (...launch: readonly SummaryEvent[]): LogSummary => logOf(...FIRMWARE, ...launch);
/** "changed kernel 17.1": kind, step, PCR and place. */
const found = (reported: LogSummary, enrolled = RECORDED): string => {
  const first = firstDifference(enrolled, reported);
  if (first === undefined) return "none";
  const { kind, step, pcr, index } = first.difference;
  return `${kind} ${step ?? "?"} ${pcr}.${index}${first.appended ? " at the end" : ""}`;
};
const other = measured(17, "other", "something");

describe("the first difference of two logs", () => {
  it("is none where they are the same, and where only the order among PCRs is another", () => {
    assert.equal(found(RECORDED), "none");
    assert.equal(found(boot(DATA, PARAMETERS, COMMAND_LINE, LOADER, KERNEL, INITRD)), "none");
  });

  it("has the enrolled event, its digest and what came instead", () => {
    const first = firstDifference(RECORDED, boot(LOADER, DATA, other, PARAMETERS, COMMAND_LINE, INITRD));
    assert.deepEqual(first, {
      difference: {
        kind: "changed",
        pcr: 17,
        index: 1,
        step: "kernel",
        description: "kernel into PCR17",
        expected: hex(KERNEL),
        got: hex(other),
      },
      appended: false,
      at: FIRMWARE.length + 2,
    });
  });

  const cases: readonly (readonly [string, LogSummary])[] = [
    ["changed loader 17.0", boot(other, DATA, KERNEL, PARAMETERS, COMMAND_LINE, INITRD)],
    ["changed initrd 17.2", boot(LOADER, DATA, KERNEL, PARAMETERS, COMMAND_LINE, other)],
    ["changed command-line 18.2", boot(LOADER, DATA, KERNEL, PARAMETERS, measured(18, "command-line", "x"), other)],
    ["changed boot-parameters 18.1", boot(LOADER, DATA, KERNEL, measured(18, "other", "x"), COMMAND_LINE, INITRD)],
    ["changed initrd 17.2", boot(LOADER, DATA, KERNEL, measured(18, "other", "x"), COMMAND_LINE, other)],
    ["missing initrd 17.2", boot(LOADER, DATA, KERNEL, measured(18, "other", "x"), COMMAND_LINE)],
    ["changed boot-parameters 18.1", boot(LOADER, DATA, KERNEL, measured(18, "other", "x"), COMMAND_LINE, INITRD, other)],
    ["added boot-parameters 18.2", boot(LOADER, DATA, KERNEL, PARAMETERS, PARAMETERS, COMMAND_LINE, other)],
    ["changed kernel 17.1", boot(LOADER, DATA, other, measured(18, "other", "x"), COMMAND_LINE, INITRD)],
    ["missing bootloader-data 18.0", boot(LOADER, KERNEL, PARAMETERS, COMMAND_LINE, INITRD)],
    ["missing kernel 17.1", boot(LOADER, DATA, PARAMETERS, COMMAND_LINE, INITRD)],
    ["missing initrd 17.2", boot(LOADER, DATA, KERNEL, PARAMETERS, COMMAND_LINE)],
    ["missing loader 17.0", boot(DATA, PARAMETERS, COMMAND_LINE)],
    ["moved kernel 17.1", boot(LOADER, DATA, INITRD, PARAMETERS, COMMAND_LINE, KERNEL)],
    ["changed loader 17.0", boot(INITRD, DATA, KERNEL, PARAMETERS, COMMAND_LINE, LOADER)],
    ["changed loader 17.0", boot(other, LOADER, DATA, KERNEL, PARAMETERS, COMMAND_LINE, INITRD)],
    ["changed loader 17.0", boot(KERNEL, DATA, PARAMETERS, COMMAND_LINE, INITRD)],
    ["added kernel 17.2", boot(LOADER, DATA, KERNEL, KERNEL, PARAMETERS, COMMAND_LINE, INITRD)],
    ["added initrd 17.3 at the end", boot(LOADER, DATA, KERNEL, PARAMETERS, COMMAND_LINE, INITRD, INITRD)],
    ["added ? 17.1", boot(LOADER, DATA, other, KERNEL, PARAMETERS, COMMAND_LINE, INITRD)],
    ["added ? 17.3 at the end", boot(LOADER, DATA, KERNEL, PARAMETERS, COMMAND_LINE, INITRD, other)],
    ["added ? 16.0 at the end", boot(...LAUNCH, measured(16, "kernel", "x"))],
    ["changed firmware 0.0", logOf(measured(0, "firmware", "x"), ...FIRMWARE.slice(1), other)],
    ["missing firmware 0.0", logOf()],
  ]; // biome-ignore format: a table
  for (const [i, [expected, reported]] of cases.entries())
    it(`${i + 1}: ${expected}`, () => assert.equal(found(reported), expected));

  it("tells what the computer calls an added event as its claim", () => {
    const first = firstDifference(RECORDED, boot(...LAUNCH, measured(17, "kernel", "not the kernel")));
    assert.equal(first?.difference.claim, "kernel into PCR17");
    assert.equal(first?.difference.description, undefined);
    assert.equal(first?.difference.step, undefined);
  });

  it("comes before appended events, wherever their author writes them", () => {
    const appended = measured(7, "cap", "x");
    const line = boot(LOADER, DATA, KERNEL, PARAMETERS, measured(18, "other", "x"), INITRD);
    for (let at = 0; at <= line.events.length; at++) {
      const events = [...line.events.slice(0, at), appended, ...line.events.slice(at)];
      const behindSeparator = line.events.findIndex(({ pcr }) => pcr === 7) < at;
      assert.equal(found(logOf(...events)), behindSeparator ? "changed command-line 18.2" : "added ? 7.0");
    }
  });

  it("of another startup locality is the firmware's", () => {
    assert.equal(found({ ...RECORDED, startupLocality: 3 }), "changed firmware 0.0");
  });

  it("looks at the PCRs that are meant", () => {
    const changed = logOf(measured(0, "firmware", "x"), ...FIRMWARE.slice(1), LOADER);
    assert.equal(firstDifference(RECORDED, changed, (pcr) => pcr > 7)?.difference.pcr, 18);
    assert.equal(
      firstDifference(RECORDED, { ...RECORDED, startupLocality: 3 }, (pcr) => pcr > 7),
      undefined,
    );
  });
});

/** Every way to tell the same story: what the TPM took stays, everything else is the author's. */
function retold({ events, ...log }: LogSummary, draw: (below: number) => number): LogSummary {
  const queues = [...new Set(events.map(({ pcr }) => pcr))].map((pcr) => events.filter((event) => event.pcr === pcr));
  const told: SummaryEvent[] = [];
  while (queues.some(({ length }) => length > 0)) {
    const event = queues[draw(queues.length)]?.shift();
    const lie = RECORDED.events[draw(RECORDED.events.length)] ?? assert.fail();
    if (event !== undefined) told.push({ ...event, step: lie.step, description: lie.description });
  }
  return { ...log, events: told };
}

describe("the first difference", () => {
  it("does not depend on anything that the peer alone says: its claim apart", () => {
    const random = seededRandom(11, "lies");
    const draw = (below: number) => (random.bytes(1)[0] ?? 0) % below;
    const pool = [...RECORDED.events, other, measured(18, "kernel", "x"), measured(4, "loader", "y")];
    let different = 0;
    for (let round = 0; round < 300; round++) {
      const truth = [...RECORDED.events];
      for (let changes = 1 + draw(3); changes > 0; changes--) {
        truth.splice(draw(truth.length), draw(2), ...(draw(2) === 0 ? [] : [pool[draw(pool.length)] ?? other]));
      }
      const honest = firstDifference(RECORDED, logOf(...truth));
      if (honest !== undefined) different++;
      for (let retelling = 0; retelling < 10; retelling++) {
        const told = firstDifference(RECORDED, retold(logOf(...truth), draw));
        assert.deepEqual(withoutClaim(told), withoutClaim(honest));
      }
    }
    assert.ok(different > 200, `${different} differences`);
  });
});

function withoutClaim(found: ReturnType<typeof firstDifference>) {
  return found && { ...found, difference: { ...found.difference, claim: undefined } };
}

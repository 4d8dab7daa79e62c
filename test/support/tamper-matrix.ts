import type { LaunchFiles, Measurement } from "../../attester/dlme/index.ts";
import { measuredEventType } from "../../attester/platform/index.ts";
import { concat, equal, utf8 } from "../../shared/bytes/index.ts";
import { type EventDifference, EventType, type LaunchStep, stepOf } from "../../shared/event-log/index.ts";

/** Every way in which one step of a boot can go wrong, made from the list of its steps, each with the step that a verdict must name. */

export interface TamperCase {
  readonly name: string;
  readonly measurements: readonly Measurement[];
  /** Of the first difference. */
  readonly kind: EventDifference["kind"];
  readonly pcr: number;
  /** Of two that changed places either may be said to have moved. */
  readonly steps: readonly LaunchStep[];
  /** False: PCR 17 to 22 start from all ones, whatever the log says. */
  readonly launched: boolean;
}

/** What a measurement stands for. */
export function stepOfMeasurement({ by, pcr, event, data }: Measurement): LaunchStep {
  const type = by === "firmware" ? (measuredEventType(event) ?? EventType.EVENT_TAG) : EventType.SLAUNCH;
  return stepOf({ pcr, type, digests: [], data: by === "firmware" ? data : utf8(event) });
}

const CHANGES: readonly (readonly [string, (data: Uint8Array) => Uint8Array])[] = [
  ["its first bit turned", (data) => turned(data, 0, 0x80)],
  ["its last bit turned", (data) => turned(data, data.byteLength - 1, 0x01)],
  ["a zero behind it", (data) => concat(data, Uint8Array.of(0))],
  ["nothing in its place", () => new Uint8Array(0)],
];

function turned(data: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = data.slice();
  copy[at] = (copy[at] ?? 0) ^ bit;
  return copy;
}

/** All cases. A launch is among `measurements`, and begins with locality 4. */
export function tamperCases(measurements: readonly Measurement[]): readonly TamperCase[] {
  return measurements.flatMap((measurement, at) => [
    ...changedCases(measurements, measurement, at),
    removedCase(measurements, measurement, at),
    ...(measurement.locality === 4
      ? launchedAgainCases(measurements, at)
      : [repeatedCase(measurements, measurement, at)]),
    ...swappedCases(measurements, measurement, at),
  ]);
}

type Known = Pick<TamperCase, "pcr" | "steps" | "launched">;

const known = (measurement: Measurement): Known => {
  return { pcr: measurement.pcr, steps: [stepOfMeasurement(measurement)], launched: true };
};

/** `PCR 17 initrd (Measured initramfs into PCR17)`. */
const nameOf = (measurement: Measurement) =>
  `PCR ${measurement.pcr} ${stepOfMeasurement(measurement)} (${measurement.event})`;

function changedCases(all: readonly Measurement[], measurement: Measurement, at: number): readonly TamperCase[] {
  return CHANGES.map(([how, change]) => ({
    ...known(measurement),
    name: `${nameOf(measurement)}: ${how}`,
    kind: "changed",
    measurements: all.with(at, { ...measurement, data: change(measurement.data) }),
  }));
}

function removedCase(all: readonly Measurement[], measurement: Measurement, at: number): TamperCase {
  return {
    ...known(measurement),
    name: `${nameOf(measurement)}: removed`,
    kind: "missing",
    launched: measurement.locality !== 4,
    measurements: all.toSpliced(at, 1),
  };
}

function repeatedCase(all: readonly Measurement[], measurement: Measurement, at: number): TamperCase {
  return {
    ...known(measurement),
    name: `${nameOf(measurement)}: repeated`,
    kind: "added",
    measurements: all.toSpliced(at, 0, measurement),
  };
}

/** A launch resets PCR 17 to 22: what came between the first and the second is gone from PCRs and log. */
function launchedAgainCases(all: readonly Measurement[], at: number): readonly TamperCase[] {
  const [launch, firstLost, ...others] = all.slice(at);
  if (launch === undefined || firstLost === undefined) return [];
  return [firstLost, ...others].map((last, i) => ({
    ...known(firstLost),
    name: `launched again after ${nameOf(last)}`,
    kind: "missing",
    measurements: all.toSpliced(at + 2 + i, 0, launch),
  }));
}

/** Each with every later one of its PCR; a PCR does not show the order across PCRs. Before the launch nothing of it can be. */
function swappedCases(all: readonly Measurement[], measurement: Measurement, at: number): readonly TamperCase[] {
  if (measurement.locality === 4) return [];
  return all.flatMap((other, to): readonly TamperCase[] => {
    const swappable = to > at && other.pcr === measurement.pcr && !equal(other.data, measurement.data);
    if (!swappable) return [];
    return [
      {
        name: `${nameOf(measurement)}: in the place of ${nameOf(other)}`,
        kind: "moved",
        pcr: measurement.pcr,
        steps: [stepOfMeasurement(measurement), stepOfMeasurement(other)],
        launched: true,
        measurements: all.with(at, other).with(to, measurement),
      },
    ];
  });
}

export interface FileCase {
  readonly name: string;
  readonly files: LaunchFiles;
  /** In the order in which they differ. None: nothing that is measured was changed. */
  readonly steps: readonly LaunchStep[];
}

/** The same with the files on the disk, in the parts that loader and kernel's stub tell apart. */
export function fileCases(good: LaunchFiles): readonly FileCase[] {
  const { loader, kernel, commandLine, initrd = new Uint8Array(0) } = good;
  const measuredBytes = new DataView(loader.buffer, loader.byteOffset).getUint16(2, true);
  const of = (name: string, change: Partial<LaunchFiles>, ...steps: readonly LaunchStep[]): FileCase => {
    return { name, files: { ...good, ...change }, steps };
  };
  return [
    of("code of the loader", { loader: turned(loader, 100, 1) }, "loader"),
    of("the loader's data tags", { loader: turned(loader, loader.byteLength - 1, 1) }, "bootloader-data"),
    of("no data tags", { loader: loader.slice(0, measuredBytes) }, "bootloader-data"),
    of("the loader's length", { loader: turned(loader, 2, 1) }, "loader", "bootloader-data"),
    of("code of the kernel", { kernel: turned(kernel, kernel.byteLength - 1, 1) }, "kernel"),
    of("a field of the kernel's header", { kernel: turned(kernel, 0x1fa, 1) }, "boot-parameters"), // vid_mode
    of("code of the real mode, which a launch never runs", { kernel: turned(kernel, 0x10, 1) }),
    of("what is signed onto the kernel", { kernel: concat(kernel, Uint8Array.of(1)) }),
    of("a byte of the initrd", { initrd: turned(initrd, 1, 1) }, "initrd"),
    of("a longer initrd", { initrd: concat(initrd, Uint8Array.of(0)) }, "boot-parameters", "initrd"),
    of("no initrd", { initrd: undefined }, "boot-parameters", "initrd"),
    of("an initrd of nothing", { initrd: new Uint8Array(0) }, "boot-parameters", "initrd"),
    of("a word more on the command line", { commandLine: `${commandLine} single` }, "command-line"),
    of("a space more on the command line", { commandLine: `${commandLine} ` }, "command-line"),
    of("no command line", { commandLine: "" }, "command-line"),
  ];
}

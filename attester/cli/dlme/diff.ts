import { readFileBytes } from "../../../hw/files/index.ts";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { printable } from "../../../hw/terminal/printable.ts";
import { CodecError, toHex } from "../../../shared/bytes/index.ts";
import { bankName, decodeTcgLog, type EventDifference } from "../../../shared/event-log/index.ts";
import { pcrNumbers } from "../../../shared/tpm/index.ts";
import {
  type Comparison,
  compareTales,
  type PcrDifference,
  type Tale,
  taleOfLog,
  taleOfPrediction,
} from "../../dlme/index.ts";
import { Exit, Stop } from "../exit.ts";
import { PredictionError, parsePrediction } from "./prediction-file.ts";

/** `fobnail dlme diff`: predictions and logs against each other. */

const MAX_FILE_BYTES = 64 << 20;
const JSON_START = 0x7b;

/** Exit code 0 when they tell the same, 1 when not. Throws Stop, FileError. */
export function diff(before: string, after: string, { json }: { readonly json: boolean }): void {
  const comparison = compareTales(readTale(before), readTale(after));
  if (comparison === undefined) {
    const why = "a launch's log tells of PCR 17 to 22, a firmware's of those below, and each of its own banks";
    throw new Stop(Exit.Usage, `${before} and ${after} have nothing in common: ${why}`);
  }
  const same = comparison.differences.length === 0 && comparison.values.length === 0;
  if (json) console.log(jsonLine(comparisonJson(same, comparison)));
  else for (const line of comparisonLines(same, comparison)) console.log(line);
  if (!same) process.exitCode = Exit.Refused;
}

/** A prediction is an object of JSON, with which no log begins. */
function readTale(file: string): Tale {
  const bytes = readFileBytes(file, MAX_FILE_BYTES);
  try {
    if (bytes[0] === JSON_START) return taleOfPrediction(parsePrediction(new TextDecoder().decode(bytes)));
    return taleOfLog(decodeTcgLog(bytes));
  } catch (error) {
    if (!(error instanceof CodecError || error instanceof PredictionError)) throw error;
    const what =
      bytes[0] === JSON_START ? "prediction of fobnail dlme predict --json" : "prediction and no TCG event log";
    throw new Stop(Exit.Usage, `${file} is no ${what}: ${error.message}`, { cause: error });
  }
}

function scopeOf({ pcrs, banks }: Comparison): string {
  const numbers = pcrNumbers(pcrs);
  return `PCR ${numbers[0]} to ${numbers.at(-1)} in ${banks.map(bankName).join(", ")}`;
}

function comparisonLines(same: boolean, comparison: Comparison): readonly string[] {
  if (same) return [`The same: ${scopeOf(comparison)}`];
  return [
    `Different, of ${scopeOf(comparison)}:`,
    ...comparison.differences.flatMap(differenceLines),
    ...comparison.values.map(({ hash, pcr, before, after }) => {
      return `PCR ${pcr} in ${bankName(hash)}: ${toHex(before)} -> ${toHex(after)}`;
    }),
  ];
}

function differenceLines({ kind, pcr, step, description, expected, got }: EventDifference): readonly string[] {
  const digests = [
    ...(expected === undefined ? [] : [`  before ${toHex(expected)}`]),
    ...(got === undefined || kind === "moved" ? [] : [`  after  ${toHex(got)}`]),
  ];
  return [`${kind} ${step} in PCR ${pcr}: ${printable(description)}`, ...digests];
}

function comparisonJson(same: boolean, { pcrs, banks, differences, values }: Comparison): object {
  return {
    same,
    compared: { pcrs: pcrNumbers(pcrs), banks: banks.map(bankName) },
    differences: differences.map(({ expected, got, ...rest }) => ({ ...rest, ...digestsJson(expected, got) })),
    pcrs: values.map(valueJson),
  };
}

function digestsJson(expected: Uint8Array | undefined, got: Uint8Array | undefined) {
  return {
    ...(expected === undefined ? {} : { expected: toHex(expected) }),
    ...(got === undefined ? {} : { got: toHex(got) }),
  };
}

function valueJson({ hash, pcr, before, after }: PcrDifference): unknown {
  return { bank: bankName(hash), pcr, before: toHex(before), after: toHex(after) };
}

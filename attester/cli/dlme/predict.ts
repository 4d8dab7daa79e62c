import { jsonLine } from "../../../hw/terminal/json.ts";
import { printable } from "../../../hw/terminal/printable.ts";
import { measurementsOf, predict as predictBoot } from "../../dlme/index.ts";
import { stopFor } from "../stops.ts";
import { type InputArguments, readInputs } from "./inputs.ts";
import { predictionJson, stepLines, valueLines } from "./report.ts";

/** `fobnail dlme predict`. */

export interface PredictArguments extends InputArguments {
  readonly banks: readonly number[];
  readonly json: boolean;
}

/** Throws Stop for everything that a user can put right. */
export function predict(args: PredictArguments): void {
  try {
    const { boot, words } = readInputs(args);
    const prediction = predictBoot(measurementsOf(boot), args.banks);
    const lines = [...words, ...stepLines(prediction), ...valueLines(prediction.steps, prediction.banks)];
    const told = args.json ? [jsonLine(predictionJson(prediction))] : lines.map(printable);
    for (const line of told) console.log(line);
  } catch (error) {
    throw stopFor(error);
  }
}

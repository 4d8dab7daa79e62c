import * as v from "valibot";
import { equal, fromHex } from "../../../shared/bytes/index.ts";
import { digestSize } from "../../../shared/crypto/index.ts";
import { hashAlgOf, type PcrBank } from "../../../shared/tpm/index.ts";
import { type PredictedStep, type Prediction, pcrsOfSteps } from "../../dlme/index.ts";
import { measuredEventType } from "../../platform/index.ts";

/** What `fobnail dlme predict --json` printed, read back. */

const MAX_STEPS = 256;
const MAX_TEXT_LENGTH = 256;
const BANKS = ["sha1", "sha256", "sha384", "sha512"] as const;

const digest = (size: number) =>
  v.pipe(v.string(), v.length(2 * size), v.transform(fromHex), v.instance(Uint8Array, "no hexadecimal digits"));

/** An object with a value for each bank that is there. */
const byBank = <T extends v.GenericSchema>(value: (size: number) => T) =>
  v.strictObject({
    sha1: v.optional(value(digestSize("sha1"))),
    sha256: v.optional(value(digestSize("sha256"))),
    sha384: v.optional(value(digestSize("sha384"))),
    sha512: v.optional(value(digestSize("sha512"))),
  });

const Step = v.pipe(
  v.strictObject({
    step: v.string(), // for who reads the file; it follows from the rest
    by: v.picklist(["firmware", "loader", "stub"]),
    pcr: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(23)),
    locality: v.picklist([0, 2, 4]),
    event: v.pipe(v.string(), v.maxLength(MAX_TEXT_LENGTH)),
    bytes: v.pipe(v.number(), v.integer(), v.minValue(0)),
    digests: byBank(digest),
  }),
  v.check(
    ({ by, event }) => by !== "firmware" || measuredEventType(event) !== undefined,
    "not a type of measured event",
  ),
  v.check(({ locality, pcr }) => locality !== 4 || pcr === 17, "a launch is measured into PCR 17"),
);

const PredictionFile = v.strictObject({
  prediction: v.literal(1),
  steps: v.pipe(v.array(Step), v.maxLength(MAX_STEPS)),
  pcrs: byBank((size) => v.record(v.pipe(v.string(), v.regex(/^(1?\d|2[0-3])$/)), digest(size))),
});

/** Why a text is no prediction; a sentence with the place. */
export class PredictionError extends Error {
  override readonly name = "PredictionError";
}

/** Throws PredictionError when the text is no prediction, or its PCR values are not what its steps give. */
export function parsePrediction(text: string): Prediction {
  const result = v.safeParse(PredictionFile, jsonIn(text));
  if (!result.success) throw malformed(result.issues[0]);
  const { steps: given, pcrs } = result.output;
  const banks = BANKS.filter((name) => pcrs[name] !== undefined);
  const steps = given.map(({ step: _, digests, ...rest }, i): PredictedStep => {
    const own = banks.map((name) => ({ hash: hashAlgOf(name), digest: inBank(digests[name], `steps.${i}`, name) }));
    return { ...rest, digests: own };
  });
  const values = banks.map((name) => pcrsOfSteps(steps, hashAlgOf(name)));
  banks.forEach((name, i) => {
    checkValues(name, pcrs[name] ?? {}, values[i]);
  });
  return { steps, banks: values };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PredictionError("not JSON", { cause });
  }
}

/** The value is not repeated: the file may be any, and hold a secret. */
function malformed(issue: v.BaseIssue<unknown>): PredictionError {
  const path = v.getDotPath(issue)?.slice(0, MAX_TEXT_LENGTH);
  const problem = issue.expected === null ? issue.message : `must be of another kind: ${issue.expected}`;
  return new PredictionError(path === undefined ? problem : `${path}: ${problem}`);
}

function inBank(digest: Uint8Array | undefined, path: string, name: string): Uint8Array {
  if (digest === undefined) throw new PredictionError(`${path}.digests: none in ${name}`);
  return digest;
}

function checkValues(name: string, told: Readonly<Record<string, Uint8Array>>, bank: PcrBank | undefined): void {
  for (const [pcr, value] of (bank?.values ?? []).entries()) {
    const own = told[pcr];
    if (own !== undefined && equal(own, value)) continue;
    throw new PredictionError(`pcrs.${name}.${pcr}: not what the steps give`);
  }
}

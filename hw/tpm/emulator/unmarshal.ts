import { type AnyFields, CodecError, inField, Reader } from "../../../shared/bytes/index.ts";
import { type CommandSpec, TpmRc } from "../../../shared/tpm/index.ts";
import type { Machine } from "./machine.ts";
import { blaming, parameter, refuse } from "./refusal.ts";

/**
 * What a TPM checks of a parameter while it unmarshals it, beyond its form: that an algorithm is implemented, that a handle can stand
 * there. Refuses without a number.
 */
export type ValueChecks<P> = { readonly [K in keyof P]?: (value: P[K], tpm: Machine) => void };

/**
 * Reads the parameters of a command. What the codec finds malformed is refused with the response code that a TPM has for it, blaming
 * the parameter by its number: Part 3, 5.6 and the tables of Part 2. One after the other, as libtpms does: a bad value in front hides
 * what is missing behind it.
 */
export function unmarshaller<P, R>(
  spec: CommandSpec<P, R>,
  checks: ValueChecks<P>,
): (bytes: Uint8Array, tpm: Machine) => P {
  const byName: Readonly<Record<string, ((value: never, tpm: Machine) => void) | undefined>> = checks;
  const fields = Object.entries(spec.fields).map(([name, field], i) => ({
    name,
    field,
    check: byName[name],
    blamed: parameter(i + 1),
  }));
  return (bytes, tpm) => {
    const reader = new Reader(bytes);
    const parameters: Record<string, unknown> = {};
    for (const { name, field, check, blamed } of fields) {
      blaming(blamed, () => {
        const value = readField(name, field, reader, bytes.byteLength);
        parameters[name] = value;
        check?.(value as never, tpm);
      });
    }
    if (reader.remaining > 0) refuse(TpmRc.SIZE);
    return parameters as P;
  };
}

function readField(name: string, field: AnyFields[string], reader: Reader, totalBytes: number): unknown {
  try {
    return inField(name, () => field.read(reader));
  } catch (error) {
    if (error instanceof CodecError) refuse(rcOf(error, totalBytes));
    throw error;
  }
}

/** A command without its types: all that the engine looks at. */
export type CommandShape = Omit<CommandSpec<never, unknown>, "parameters" | "response">;

/** Problems of shared/bytes as response codes; the first row that fits counts. */
const BY_PROBLEM: readonly (readonly [problem: RegExp, path: RegExp, rc: number])[] = [
  [/too many$/, /./, TpmRc.SIZE],
  [/ 0 left$/, /\.(TPMT_PUBLIC\.type|TPMS_SENSITIVE_CREATE\.userAuth|TPMS_NV_PUBLIC\.nvIndex)$/, TpmRc.SIZE], // size 0
  [/^size .* is not within/, /pcrSelect$/, TpmRc.VALUE],
  [/is not within/, /./, TpmRc.SIZE],
  [/^reserved bits/, /./, TpmRc.RESERVED_BITS],
  [/belongs$/, /tag$/, TpmRc.TAG],
  [/^type .* is not known$/, /./, TpmRc.TYPE],
  [/^hashAlg .* is not known$/, /./, TpmRc.HASH],
  [/^algorithm .* is not known$/, /./, TpmRc.SYMMETRIC],
  [/^scheme .* is not known$/, /TPMT_KDF_SCHEME$/, TpmRc.KDF],
  [/^scheme .* is not known$/, /TPMT_RSA_SCHEME$/, TpmRc.VALUE],
  [/^scheme .* is not known$/, /./, TpmRc.SCHEME],
];

/** The response code for malformed bytes out of `totalBytes`, without a number. */
export function rcOf(error: CodecError, totalBytes: number): number {
  const known = BY_PROBLEM.find(([problem, path]) => problem.test(error.problem) && path.test(error.path));
  if (known !== undefined) return known[2];
  const wanted = /^(\d+) bytes wanted/.exec(error.problem)?.[1];
  if (wanted === undefined) return TpmRc.VALUE;
  // Too few bytes in the command, or only in a sized structure inside it?
  return error.offset + Number(wanted) > totalBytes ? TpmRc.INSUFFICIENT : TpmRc.SIZE;
}

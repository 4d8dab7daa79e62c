import { encode } from "../../../shared/bytes/index.ts";
import type { CommandSpec } from "../../../shared/tpm/index.ts";
import type { HandleKind } from "./handle-kind.ts";
import type { Machine } from "./machine.ts";
import { type CommandShape, unmarshaller, type ValueChecks } from "./unmarshal.ts";

/** What a handler gets: authorized handles and well-formed parameters. */
export interface Call<P> {
  readonly tpm: Machine;
  /** As many as the command declares; the handle `n` is `call.handle(n)`, counted from 0. */
  handle(n: number): number;
  readonly parameters: P;
}

/** What it gives back when it does not refuse. */
export interface Outcome<R> {
  /** The new handle, for commands that return one. */
  readonly handle?: number;
  readonly response: R;
}

/** A command without its types, as the engine runs it. */
export interface Handler {
  readonly spec: CommandShape;
  readonly handleKinds: readonly HandleKind[];
  /** `noSessions`: Part 3 allows no session at all with this command. */
  readonly noSessions: boolean;
  /** TPMA_CC, Part 2, 8.9. */
  readonly attributes: number;
  run(
    tpm: Machine,
    handles: readonly number[],
    parameters: Uint8Array,
  ): { readonly handles: readonly number[]; readonly parameters: Uint8Array };
}

interface Options<P> {
  /** Kinds of the handles, in the order of the specification. */
  readonly handles?: readonly HandleKind[];
  readonly noSessions?: boolean;
  readonly values?: ValueChecks<P>;
  /** The command may write NV. */
  readonly nv?: boolean;
  /** The handle of the command is gone after it. */
  readonly flushed?: boolean;
}

const NV = 1 << 22;
const FLUSHED = 1 << 24;
const HANDLES_SHIFT = 25;
const RESPONSE_HANDLE = 1 << 28;

/** One declared entry and one function make a command. */
export function handler<P, R>(
  spec: CommandSpec<P, R>,
  options: Options<P>,
  run: (call: Call<P>) => Outcome<R>,
): Handler {
  const handleKinds = options.handles ?? [];
  const unmarshal = unmarshaller(spec, options.values ?? {});
  if (handleKinds.length !== spec.handles.length)
    throw new RangeError(`TPM2_${spec.name}: ${spec.handles.length} handle kinds belong here`);
  return {
    spec,
    handleKinds,
    noSessions: options.noSessions ?? false,
    attributes:
      spec.code |
      (options.nv === true ? NV : 0) |
      (options.flushed === true ? FLUSHED : 0) |
      (spec.handles.length << HANDLES_SHIFT) |
      (spec.responseHandles === 1 ? RESPONSE_HANDLE : 0),
    run(tpm, handles, parameters) {
      const handle = (n: number) => handles[n] ?? missing(spec.name, n);
      const outcome = run({ tpm, handle, parameters: unmarshal(parameters, tpm) });
      return {
        handles: outcome.handle === undefined ? [] : [outcome.handle],
        parameters: encode(spec.response, outcome.response),
      };
    },
  };
}

function missing(command: string, n: number): never {
  throw new RangeError(`TPM2_${command} has no handle ${n}`);
}

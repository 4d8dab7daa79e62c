/** The shape of one declared command; client and emulator are both built from such entries. */
import { type AnyFields, type Codec, type InferFields, struct } from "../bytes/index.ts";
import { isTpm2b } from "./tpm2b.ts";

/** Which authorization a handle needs, Part 3, 5.4 and the command tables: "@" handles have one, in USER or ADMIN role. */
type HandleAuth = "none" | "user" | "admin";

interface HandleSpec {
  readonly name: string;
  readonly auth: HandleAuth;
}

/** A command of Part 3: P its parameters, R the parameters of its response. */
export interface CommandSpec<P, R> {
  readonly code: number;
  /** As in Part 3, without TPM2_. */
  readonly name: string;
  readonly handles: readonly HandleSpec[];
  readonly parameters: Codec<P>;
  /** The codec of each parameter by itself. */
  readonly fields: AnyFields;
  /** In order; the path of a CodecError begins with one of them behind the command's name, which gives the parameter's number. */
  readonly parameterNames: readonly string[];
  /** How many handles a successful response begins with. */
  readonly responseHandles: 0 | 1;
  readonly response: Codec<R>;
  /** Whether the first parameter of the command and of the response is a sized buffer, and so can be encrypted (Part 1, 21). */
  readonly encryptable: { readonly command: boolean; readonly response: boolean };
}

/** An entry whose types are not known: every CommandSpec is one. */
export type AnyCommandSpec = CommandSpec<unknown, unknown>;

export type CommandParameters<S> = S extends CommandSpec<infer P, infer _R> ? P : never;

interface Declaration<F extends AnyFields, G extends AnyFields> {
  readonly code: number;
  /** Handle names with their authorization, in order. */
  readonly handles?: Readonly<Record<string, HandleAuth>>;
  readonly parameters: F;
  readonly responseHandles?: 1;
  readonly response: G;
}

export function command<F extends AnyFields, G extends AnyFields>(
  name: string,
  declared: Declaration<F, G>,
): CommandSpec<InferFields<F>, InferFields<G>> {
  return {
    code: declared.code,
    name,
    handles: Object.entries(declared.handles ?? {}).map(([handle, auth]) => ({ name: handle, auth })),
    parameters: struct(name, declared.parameters),
    fields: declared.parameters,
    parameterNames: Object.keys(declared.parameters),
    responseHandles: declared.responseHandles ?? 0,
    response: struct(name, declared.response),
    encryptable: { command: startsSized(declared.parameters), response: startsSized(declared.response) },
  };
}

function startsSized(fields: AnyFields): boolean {
  return isTpm2b(Object.values(fields)[0]);
}

/** The text of --tpm: `emulator[:DIR]|swtpm:HOST:PORT[,ctrl=PORT]|swtpm:PATH[,ctrl=PATH]|device[:PATH]`. */
import { DEFAULT_DEVICE } from "./device.ts";
import type { StreamAddress } from "./stream-channel.ts";

export const TPM_SPEC_FORMS = "emulator[:DIR] | swtpm:HOST:PORT[,ctrl=PORT] | swtpm:PATH[,ctrl=PATH] | device[:PATH]";

export type TpmSpec =
  | { readonly kind: "emulator"; readonly directory: string | undefined }
  | { readonly kind: "swtpm"; readonly data: StreamAddress; readonly control: StreamAddress | undefined }
  | { readonly kind: "device"; readonly path: string };

/** The text names no TPM: a usage error, exit code 2. */
export class TpmSpecError extends Error {
  override readonly name = "TpmSpecError";

  constructor(text: string, problem: string) {
    super(`--tpm ${text}: ${problem}; one of ${TPM_SPEC_FORMS}`);
  }
}

/** Throws TpmSpecError. */
export function parseTpmSpec(text: string): TpmSpec {
  const colon = text.indexOf(":");
  const kind = colon < 0 ? text : text.slice(0, colon);
  const argument = colon < 0 ? undefined : text.slice(colon + 1);
  if (argument === "") throw new TpmSpecError(text, "nothing behind the colon");
  switch (kind) {
    case "emulator":
      return { kind, directory: argument };
    case "device":
      return { kind, path: argument ?? DEFAULT_DEVICE };
    case "swtpm":
      if (argument === undefined) throw new TpmSpecError(text, "swtpm needs an address");
      return parseSwtpm(text, argument);
    default:
      throw new TpmSpecError(text, "not known");
  }
}

function parseSwtpm(text: string, argument: string): TpmSpec {
  const [address = "", option, ...more] = argument.split(",");
  if (more.length > 0) throw new TpmSpecError(text, "one option only");
  const control = option === undefined ? undefined : /^ctrl=(.+)$/.exec(option)?.[1];
  if (option !== undefined && control === undefined) throw new TpmSpecError(text, `unknown option ${option}`);
  if (address.includes("/")) {
    return { kind: "swtpm", data: { path: address }, control: control === undefined ? undefined : { path: control } };
  }
  const [, host, port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(address) ?? [];
  if (host === undefined || port === undefined)
    throw new TpmSpecError(text, "neither HOST:PORT nor a path with a slash");
  return {
    kind: "swtpm",
    data: { host, port: parsePort(text, port) },
    control: control === undefined ? undefined : { host, port: parsePort(text, control) },
  };
}

function parsePort(text: string, digits: string): number {
  const port = Number(digits);
  if (!/^\d+$/.test(digits) || port < 1 || port > 65535) throw new TpmSpecError(text, `${digits} is no port`);
  return port;
}

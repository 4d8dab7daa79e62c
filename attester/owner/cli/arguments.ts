import { InvalidArgumentError, Option } from "commander";
import { parseHostPort } from "../../../token/cli/address.ts";
import { DEFAULT_TOKEN } from "../../cli/token-link.ts";
import { plainDeviceId } from "../record.ts";

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,6}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`A whole number from ${min} to ${max} belongs here.`);
    }
    return value;
  };
}

/** Short enough that every subject keeps the 64 characters of RFC 5280, appendix A.1. */
export function ownerName(text: string): string {
  if (!/^\P{Cc}{1,40}$/u.test(text)) throw new InvalidArgumentError("1 to 40 characters belong here.");
  return text;
}

/** As the token prints it; case and leading zeros do not matter here. */
export function deviceId(text: string): string {
  const id = plainDeviceId(text);
  if (id === undefined) throw new InvalidArgumentError("A device id has 1 to 32 hexadecimal digits.");
  return id;
}

export function deviceIds(text: string, before: readonly string[]): readonly string[] {
  return [...before, deviceId(text)];
}

export function tokenOption(): Option {
  const where = `${DEFAULT_TOKEN.address}:${DEFAULT_TOKEN.port}`;
  return new Option("--token <address>", "where the token is: HOST or HOST:PORT")
    .argParser(parseHostPort)
    .default(DEFAULT_TOKEN, where);
}

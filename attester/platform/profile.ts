import * as v from "valibot";
import { fromHex } from "../../shared/bytes/index.ts";
import { measuredEventType } from "./event-type.ts";
import type { AttesterPlatform, FirmwareEvent } from "./platform.ts";

/** Platform profiles: what stands in for SMBIOS, the network card and the firmware's measurements where there is no such machine. */

const MAX_TEXT_BYTES = 256;
const MAX_EVENTS = 64;
const MAX_EVENT_BYTES = 4096;

const text = (what: string) =>
  v.pipe(
    v.string(`${what} must be a text (quote numbers)`),
    v.minLength(1, `${what} is empty`),
    v.maxBytes(MAX_TEXT_BYTES, `${what} is longer than ${MAX_TEXT_BYTES} bytes`),
  );

const hex = v.pipe(
  v.string("must be hexadecimal text (quote it)"),
  v.check((value) => fromHex(value) !== undefined, "must be pairs of hexadecimal digits"),
  v.check((value) => value.length <= 2 * MAX_EVENT_BYTES, `must be at most ${MAX_EVENT_BYTES} bytes`),
  v.transform((value) => fromHex(value) ?? new Uint8Array(0)),
);

const event = v.pipe(
  v.strictObject({
    pcr: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(7, "the firmware measures into PCR 0 to 7")),
    event: v.pipe(
      text("event"),
      v.check((name) => measuredEventType(name) !== undefined, "must be a type of measured event such as EV_SEPARATOR"),
    ),
    data: v.optional(hex),
    text: v.optional(v.string()),
    style: v.optional(v.picklist(["hashed", "padded-sha1"]), "hashed"),
  }),
  v.check((e) => (e.data === undefined) !== (e.text === undefined), "give either data (hex) or text"),
  v.transform((e): FirmwareEvent => {
    return { pcr: e.pcr, event: e.event, data: e.data ?? new TextEncoder().encode(e.text ?? ""), style: e.style };
  }),
);

const mac = v.pipe(
  v.string("mac must be a text such as 00:0D:B9:53:D2:50"),
  v.regex(/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i, "mac must be six bytes such as 00:0D:B9:53:D2:50"),
  v.transform((value) => fromHex(value.replaceAll(/[:-]/g, "")) ?? new Uint8Array(6)),
);

const Profile = v.strictObject({
  mac,
  manufacturer: text("manufacturer"),
  product_name: text("product_name"),
  serial_number: text("serial_number"),
  smbios: v.optional(v.picklist([2, 3], "smbios must be 2 or 3"), 2),
  firmware: v.optional(v.pipe(v.array(event), v.maxLength(MAX_EVENTS, `more than ${MAX_EVENTS} events`))),
});

/** Why a profile was not taken: one line for each problem, with the place in the file. */
export class ProfileError extends Error {
  override readonly name = "ProfileError";
}

/** Of a file that is no profile at all; a person sees from the first few what is wrong. */
const MAX_PROBLEMS = 8;
const MAX_NAME_LENGTH = 64;

/** In place of valibot's own messages, which repeat what they received: --platform may name any file, such as one with a secret. */
const expected = ({ expected }: v.BaseIssue<unknown>): string => `must be of another kind: ${expected}`;

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue)?.slice(0, MAX_NAME_LENGTH);
  if (issue.type === "strict_object" && issue.expected === "never") return `unknown key ${path ?? ""}`.trimEnd();
  if (path === undefined) return "holds no keys such as mac: 00:0D:B9:53:D2:50";
  return issue.received === "undefined" ? `${path} is missing` : `${path}: ${issue.message}`;
}

function describeIssues(issues: readonly v.BaseIssue<unknown>[], name: string): string {
  const lines = issues.slice(0, MAX_PROBLEMS).map((issue) => `${name}: ${describeIssue(issue)}`);
  const more = issues.length - lines.length;
  return [...lines, ...(more > 0 ? [`${name}: and ${more} more`] : [])].join("\n");
}

/** What every firmware closes each of its PCRs with (TCG PC Client Platform Firmware Profile, 3.3.4). */
const SEPARATOR = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

function separators(style: FirmwareEvent["style"]): readonly FirmwareEvent[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => ({ pcr, event: "EV_SEPARATOR", data: SEPARATOR, style }));
}

/** The measurements of a firmware that says nothing but its version. */
function plainFirmware(version: string): readonly FirmwareEvent[] {
  const data = new TextEncoder().encode(version);
  return [{ pcr: 0, event: "EV_S_CRTM_VERSION", data, style: "hashed" }, ...separators("hashed")];
}

/** A profile from the document of a JSON or YAML file; `name` stands in front of every problem. Throws ProfileError. */
export function parseProfile(document: unknown, name: string): AttesterPlatform {
  const result = v.safeParse(Profile, document, { message: expected });
  if (!result.success) {
    throw new ProfileError(describeIssues(result.issues, name));
  }
  const { product_name: productName, serial_number: serialNumber, smbios: smbiosGeneration, ...rest } = result.output;
  return {
    mac: rest.mac,
    manufacturer: rest.manufacturer,
    productName,
    serialNumber,
    smbiosGeneration,
    firmware: rest.firmware ?? plainFirmware(`${rest.manufacturer} ${productName}`),
  };
}

function padded(pcr: number, event: string, text: string): FirmwareEvent {
  return { pcr, event, data: new TextEncoder().encode(text), style: "padded-sha1" };
}

/**
 * The PC Engines apu2 of the published walk-through. Its firmware put a zero-padded SHA-1 digest into the SHA-256 bank, which
 * is why PCR 0, 3, 6 and 7 hold d27cc126... there.
 */
export const APU2: AttesterPlatform = {
  mac: Uint8Array.of(0x00, 0x0d, 0xb9, 0x53, 0xd2, 0x50),
  manufacturer: "PC Engines",
  productName: "apu2",
  serialNumber: "1373268",
  smbiosGeneration: 2,
  firmware: [
    padded(1, "EV_PLATFORM_CONFIG_FLAGS", "boot order"),
    padded(2, "EV_POST_CODE", "coreboot"),
    ...separators("padded-sha1"),
    padded(4, "EV_IPL", "GRUB boot.img"),
    padded(5, "EV_IPL_PARTITION_DATA", "GRUB core.img"),
  ],
};

/** Profiles that need no file, by the name `--platform` takes. */
export const builtInProfiles: ReadonlyMap<string, AttesterPlatform> = new Map([["apu2", APU2]]);

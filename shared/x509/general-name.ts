/** GeneralName: RFC 5280, section 4.2.1.6. */
import { type Codec, rest, utf8 } from "../bytes/index.ts";
import { anyElement, constructedContextTag, contextTag, explicit, tlv } from "./der.ts";
import { type Name, NameDer, printName } from "./name.ts";

export type GeneralName =
  | { readonly kind: "directory"; readonly name: Name }
  | { readonly kind: "email" | "dns" | "uri"; readonly text: string }
  | { readonly kind: "ip"; readonly address: Uint8Array }
  /** otherName, x400Address, ediPartyName and registeredID are kept, not understood. */
  | { readonly kind: "other"; readonly tag: number; readonly contents: Uint8Array };

const TEXT_TAGS = { email: contextTag(1), dns: contextTag(2), uri: contextTag(6) } as const;
const DIRECTORY_TAG = constructedContextTag(4);
const IP_TAG = contextTag(7);
const OTHER_TAGS: readonly number[] = [
  constructedContextTag(0),
  constructedContextTag(3),
  constructedContextTag(5),
  contextTag(8),
];

const ia5Text: Codec<string> = {
  read(r) {
    const octets = r.rest();
    if (octets.some((octet) => octet < 0x20 || octet > 0x7e)) r.fail("an IA5String with characters that do not print");
    return String.fromCharCode(...octets);
  },
  write: (w, text) => w.bytes(utf8(text)),
};

const directory = explicit(4, NameDer);
const ip = tlv(IP_TAG, rest);

export const GeneralNameDer: Codec<GeneralName> = {
  read(r) {
    const tag = r.peek() ?? r.fail("a GeneralName is missing");
    for (const kind of ["email", "dns", "uri"] as const) {
      if (tag === TEXT_TAGS[kind]) return { kind, text: tlv(tag, ia5Text).read(r) };
    }
    if (tag === DIRECTORY_TAG) return { kind: "directory", name: directory.read(r) };
    if (tag === IP_TAG) return { kind: "ip", address: ip.read(r) };
    if (!OTHER_TAGS.includes(tag)) r.fail(`0x${tag.toString(16)} is no GeneralName`);
    return { kind: "other", ...anyElement.read(r) };
  },
  write(w, name) {
    if (name.kind === "directory") directory.write(w, name.name);
    else if (name.kind === "ip") ip.write(w, name.address);
    else if (name.kind === "other") anyElement.write(w, name);
    else tlv(TEXT_TAGS[name.kind], ia5Text).write(w, name.text);
  },
};

export function printGeneralName(name: GeneralName): string {
  if (name.kind === "directory") return printName(name.name);
  if (name.kind === "ip") return `IP:${name.address.join(".")}`;
  if (name.kind === "other") return `(name of type 0x${name.tag.toString(16)})`;
  return `${name.kind}:${name.text}`;
}

/** Name constraints: RFC 5280, section 4.2.1.10, for directory names and DNS names. Other forms refuse where they apply. */
import type { Certificate } from "./certificate.ts";
import type { NameConstraints } from "./extensions.ts";
import { type GeneralName, printGeneralName } from "./general-name.ts";
import { isWithin } from "./name.ts";
import { Oid } from "./oid.ts";

/** Names are of one form when a constraint of that form speaks about them. */
function form(name: GeneralName): string {
  return name.kind === "other" ? `other ${name.tag}` : name.kind;
}

function namesOf({ subject, extensions }: Certificate): readonly GeneralName[] {
  const mail = subject.flat().filter(({ type }) => type === Oid.emailAddress);
  return [
    ...(subject.length === 0 ? [] : [{ kind: "directory" as const, name: subject }]),
    ...(extensions.subjectAltName ?? []),
    // A mail address in the subject is bound by constraints on mail, too.
    ...mail.map(({ text }) => ({ kind: "email" as const, text: text ?? "" })),
  ];
}

/** `host.example.com` lies within `example.com`; so does `example.com`, and everything within the empty name. */
function isDnsWithin(name: string, base: string): boolean {
  const [inner, outer] = [name.toLowerCase(), base.toLowerCase().replace(/^\./, "")];
  return outer === "" || inner === outer || inner.endsWith(`.${outer}`);
}

/** Undefined: we cannot say. */
function lies(name: GeneralName, base: GeneralName): boolean | undefined {
  if (name.kind === "directory" && base.kind === "directory") return isWithin(name.name, base.name);
  if (name.kind === "dns" && base.kind === "dns") return isDnsWithin(name.text, base.text);
  return undefined;
}

function problemOf(name: GeneralName, { permitted = [], excluded = [] }: NameConstraints): string | undefined {
  const ofForm = (base: GeneralName) => form(base) === form(name);
  const [allowed, forbidden] = [permitted.filter(ofForm), excluded.filter(ofForm)];
  if (allowed.length === 0 && forbidden.length === 0) return undefined;
  if (lies(name, name) === undefined)
    return `${printGeneralName(name)} is of a form whose constraints are not evaluated`;
  if (forbidden.some((base) => lies(name, base))) return `${printGeneralName(name)} is excluded`;
  if (allowed.length > 0 && !allowed.some((base) => lies(name, base)))
    return `${printGeneralName(name)} is not permitted`;
  return undefined;
}

/** What speaks against `certificate` below a CA with these constraints; undefined: nothing. */
export function constraintProblem(certificate: Certificate, constraints: NameConstraints): string | undefined {
  for (const name of namesOf(certificate)) {
    const problem = problemOf(name, constraints);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

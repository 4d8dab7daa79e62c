/** Certificate extensions: RFC 5280, section 4.2. Their values, both ways; extension-list.ts gathers those of one certificate. */
import { type Codec, rest, struct } from "../bytes/index.ts";
import {
  constructedContextTag,
  contextTag,
  many,
  optional,
  optionalElement,
  sequence,
  sequenceOf,
  Tag,
  tlv,
} from "./der.ts";
import { defaultFalse, namedBits, octetString, oid, smallUnsigned } from "./der-types.ts";
import { type GeneralName, GeneralNameDer } from "./general-name.ts";

const MAX_PATH_LENGTH = 255;
const MAX_NAMES = 32;
const MAX_OIDS = 32;
const MAX_SUBTREES = 64;

/** Section 4.2.1.9. */
export interface BasicConstraints {
  readonly ca: boolean;
  /** How many intermediate certificates may follow; undefined: any number. */
  readonly pathLength: number | undefined;
}

export const BasicConstraintsDer: Codec<BasicConstraints> = {
  read(r) {
    const value = PlainBasicConstraints.read(r);
    if (value.pathLength !== undefined && !value.ca) r.fail("a path length without CA");
    return value;
  },
  write: (w, value) => PlainBasicConstraints.write(w, value),
};

const PlainBasicConstraints: Codec<BasicConstraints> = sequence(
  struct("BasicConstraints", {
    ca: defaultFalse,
    pathLength: optional(Tag.Integer, smallUnsigned(MAX_PATH_LENGTH)),
  }),
);

/** Section 4.2.1.3, in the order of the bits. */
export const keyUsages = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof keyUsages)[number];

export const KeyUsageDer: Codec<readonly KeyUsage[]> = {
  read(r) {
    const bits = namedBits.read(r);
    if (bits.length === 0) r.fail("no bit is set");
    return bits.map((bit) => keyUsages[bit] ?? r.fail(`bit ${bit} has no meaning`));
  },
  write: (w, usages) =>
    namedBits.write(
      w,
      usages.map((usage) => keyUsages.indexOf(usage)),
    ),
};

/** Section 4.2.1.1. */
export interface AuthorityKeyIdentifier {
  readonly keyIdentifier: Uint8Array | undefined;
  readonly issuer: readonly GeneralName[] | undefined;
  /** Contents of the INTEGER. */
  readonly serial: Uint8Array | undefined;
}

export const AuthorityKeyIdentifierDer: Codec<AuthorityKeyIdentifier> = sequence(
  struct("AuthorityKeyIdentifier", {
    keyIdentifier: optional(contextTag(0), tlv(contextTag(0), rest)),
    issuer: optional(constructedContextTag(1), tlv(constructedContextTag(1), many(GeneralNameDer, 1, MAX_NAMES))),
    serial: optional(contextTag(2), tlv(contextTag(2), rest)),
  }),
);

export const SubjectKeyIdentifierDer: Codec<Uint8Array> = octetString;

/** Section 4.2.1.12: key purposes. */
export const ExtendedKeyUsageDer: Codec<readonly string[]> = sequenceOf(oid, 1, MAX_OIDS);

/** Section 4.2.1.6. */
export const SubjectAltNameDer: Codec<readonly GeneralName[]> = sequenceOf(GeneralNameDer, 1, MAX_NAMES);

const PolicyInformation = sequence(
  struct("PolicyInformation", { policyIdentifier: oid, policyQualifiers: optionalElement }),
);

/** Section 4.2.1.4: the policies' identifiers; qualifiers are for people and are not kept. */
export const CertificatePoliciesDer: Codec<readonly string[]> = {
  read: (r) =>
    sequenceOf(PolicyInformation, 1, MAX_OIDS)
      .read(r)
      .map(({ policyIdentifier }) => policyIdentifier),
  write: (w, policies) =>
    sequenceOf(PolicyInformation, 1, MAX_OIDS).write(
      w,
      policies.map((policyIdentifier) => ({ policyIdentifier, policyQualifiers: undefined })),
    ),
};

/** Section 4.2.1.10. minimum is 0 and maximum absent, as that section demands. */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[] | undefined;
  readonly excluded: readonly GeneralName[] | undefined;
}

const GeneralSubtree: Codec<GeneralName> = sequence(GeneralNameDer);
const subtrees = (n: number) =>
  optional(constructedContextTag(n), tlv(constructedContextTag(n), many(GeneralSubtree, 1, MAX_SUBTREES)));

export const NameConstraintsDer: Codec<NameConstraints> = {
  read(r) {
    const value = PlainNameConstraints.read(r);
    if (value.permitted === undefined && value.excluded === undefined) r.fail("no subtree");
    return value;
  },
  write: (w, value) => PlainNameConstraints.write(w, value),
};

const PlainNameConstraints: Codec<NameConstraints> = sequence(
  struct("NameConstraints", { permitted: subtrees(0), excluded: subtrees(1) }),
);

/** Section 4.2.2.1. */
export interface AccessDescription {
  readonly method: string;
  readonly location: GeneralName;
}

export const AuthorityInfoAccessDer: Codec<readonly AccessDescription[]> = sequenceOf(
  sequence(struct("AccessDescription", { method: oid, location: GeneralNameDer })),
  1,
  MAX_NAMES,
);

/** Section 4.1: one extension, its value not looked into. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** The contents of extnValue. */
  readonly value: Uint8Array;
}

export const ExtensionDer: Codec<Extension> = sequence(
  struct("Extension", { oid, critical: defaultFalse, value: octetString }),
);

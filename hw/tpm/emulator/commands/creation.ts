import { CodecError, decode, encode } from "../../../../shared/bytes/index.ts";
import { digest, digestSize, type HashName, kdfa } from "../../../../shared/crypto/index.ts";
import type { Random } from "../../../../shared/ports/index.ts";
import {
  type CommandParameters,
  commands,
  nameOf,
  nameOfHandle,
  qualifiedNameOf,
  TpmAlg,
  TpmRc,
  TpmRh,
  TpmsCreationData,
  TpmtPublic,
  type TpmtTkCreation,
} from "../../../../shared/tpm/index.ts";
import { seededStream } from "../drbg.ts";
import { withoutTrailingZeros } from "../entity.ts";
import { handler } from "../handler.ts";
import { generateKey, type NewKey } from "../key-material.ts";
import { generateKeyedHash } from "../keyed-hash.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import { isStClear, type KeyObject } from "../object.ts";
import { rememberedPrimary, rememberPrimary } from "../primary.ts";
import { sealSensitive } from "../protection.ts";
import { checkCreation, checkExponent, checkImplemented, isStorage } from "../public-area.ts";
import { blaming, parameter, refuse } from "../refusal.ts";
import { creationTicket } from "../ticket.ts";
import { rcOf } from "../unmarshal.ts";
import { checkRoom, hashOf, isSelection, parentAt } from "./checks.ts";
import { implemented, selectedValues } from "./pcr.ts";

/** Part 3, 12.1, 12.9 and 24.1: creation of objects. */

const NONE = new Uint8Array(0);

type Creation = CommandParameters<typeof commands.Create>;
const CREATION = { inPublic: (area: TpmtPublic) => checkImplemented(area), creationPCR: isSelection };

type Sensitive = Creation["inSensitive"];

const createPrimary = handler(
  commands.CreatePrimary,
  { handles: ["hierarchy"], values: CREATION },
  ({ tpm, handle, parameters }) => {
    const hierarchy = handle(0);
    const { inSensitive, inPublic } = parameters;
    checkTemplate(tpm, inSensitive, inPublic, undefined);
    const object = makePrimary(tpm, hierarchy, inSensitive, inPublic);
    const statement = describeCreation(tpm, parameters, object.name, hierarchy, undefined);
    return {
      handle: tpm.ram.objects.insert(object),
      response: { outPublic: object.area, ...statement, name: object.name },
    };
  },
);

function makePrimary(tpm: Machine, hierarchy: number, { userAuth, data }: Sensitive, inPublic: TpmtPublic): KeyObject {
  const seed = hierarchyOf(tpm, hierarchy)?.seed ?? NONE;
  const template = digest("sha256", nameOfHandle(hierarchy), encode(TpmtPublic, inPublic), data);
  const made = rememberedPrimary(tpm, template) ?? generate(inPublic, NONE, data, seededStream(seed, template));
  rememberPrimary(tpm, hierarchy, template, made);
  const { area } = made;
  const sensitive = {
    ...made.sensitive,
    authValue: paddedAuth(userAuth, inPublic),
    seedValue: seedOf(tpm, hierarchy, made),
  };
  const name = nameOf(area);
  const qualifiedName = qualifiedNameOf(nameOfHandle(hierarchy), area.nameAlg, name);
  return { kind: "key", hierarchy, area, sensitive, external: false, stClear: isStClear(area), name, qualifiedName };
}

/** TPM2_Clear ends what was created under an EK: its seed for children depends on the storage hierarchy's proof. */
function seedOf(tpm: Machine, hierarchy: number, { area, sensitive: { seedValue } }: NewKey): Uint8Array {
  if (hierarchy !== TpmRh.ENDORSEMENT || !isStorage(area)) return seedValue;
  return kdfa(nameHash(area), seedValue, "CHILDREN", tpm.nv.owner.proof, NONE, seedValue.byteLength * 8);
}

const create = handler(commands.Create, { handles: ["object"], values: CREATION }, ({ tpm, handle, parameters }) => {
  const parent = parentAt(tpm, handle(0));
  const { inSensitive, inPublic } = parameters;
  checkTemplate(tpm, inSensitive, inPublic, parent);
  const { area, sensitive, name } = makeChild(tpm, inSensitive, inPublic);
  const outPrivate = sealSensitive(parent, name, sensitive, tpm.random);
  return {
    response: { outPrivate, outPublic: area, ...describeCreation(tpm, parameters, name, parent.hierarchy, parent) },
  };
});

function makeChild(tpm: Machine, { userAuth, data }: Sensitive, inPublic: TpmtPublic) {
  const made = generate(inPublic, paddedAuth(userAuth, inPublic), data, tpm.random);
  return { ...made, name: nameOf(made.area) };
}

/** Part 3, 12.9: what TPM2_Create or TPM2_CreatePrimary makes, in a slot at once and without creation data. */
const createLoaded = handler(commands.CreateLoaded, { handles: ["parent"] }, ({ tpm, handle, parameters }) => {
  const { inSensitive } = parameters;
  const at = handle(0);
  const hierarchy = hierarchyOf(tpm, at) === undefined ? undefined : at;
  const parent = hierarchy === undefined ? parentAt(tpm, at) : undefined;
  const inPublic = readTemplate(parameters.inPublic);
  blaming(parameter(2), () => checkImplemented(inPublic));
  checkTemplate(tpm, inSensitive, inPublic, parent);
  if (parent === undefined) {
    const object = makePrimary(tpm, at, inSensitive, inPublic);
    const response = { outPrivate: NONE, outPublic: object.area, name: object.name };
    return { handle: tpm.ram.objects.insert(object), response };
  }
  const { area, sensitive, name } = makeChild(tpm, inSensitive, inPublic);
  const outPrivate = sealSensitive(parent, name, sensitive, tpm.random);
  const qualifiedName = qualifiedNameOf(parent.qualifiedName, area.nameAlg, name);
  const { hierarchy: of } = parent;
  const made = tpm.ram.objects.insert({
    kind: "key",
    hierarchy: of,
    area,
    sensitive,
    external: false,
    stClear: isStClear(area, parent),
    name,
    qualifiedName,
  });
  return { handle: made, response: { outPrivate, outPublic: area, name } };
});

function readTemplate(bytes: Uint8Array): TpmtPublic {
  try {
    return decode(TpmtPublic, bytes);
  } catch (error) {
    if (error instanceof CodecError) refuse(rcOf(error, bytes.byteLength), parameter(2));
    throw error;
  }
}

function checkTemplate(
  tpm: Machine,
  { userAuth, data }: Sensitive,
  inPublic: TpmtPublic,
  parent: KeyObject | undefined,
): void {
  checkRoom(tpm);
  blaming(parameter(2), () => checkCreation(inPublic, parent, data.byteLength));
  if (withoutTrailingZeros(userAuth).byteLength > digestSize(nameHash(inPublic))) refuse(TpmRc.SIZE, parameter(1));
  checkExponent(inPublic);
}

function nameHash(area: TpmtPublic): HashName {
  return hashOf(area.nameAlg);
}

/** Sealed areas of one kind have one length, whatever the password: Part 1, 19.6.4.3. */
function paddedAuth(auth: Uint8Array, area: TpmtPublic): Uint8Array {
  const padded = new Uint8Array(digestSize(nameHash(area)));
  padded.set(withoutTrailingZeros(auth));
  return padded;
}

/** The seed of a storage key and of a keyed hash object is as long as its name digest; other keys have none (Part 1, 27.7.4). */
function generate(template: TpmtPublic, authValue: Uint8Array, data: Uint8Array, random: Random): NewKey {
  const isKeyedHash = template.type === TpmAlg.KEYEDHASH;
  const seedValue = random.bytes(isStorage(template) || isKeyedHash ? digestSize(nameHash(template)) : 0);
  const parts = { authValue, seedValue };
  return isKeyedHash ? generateKeyedHash(template, parts, data, random) : generateKey(template, parts, random);
}

interface CreationStatement {
  readonly creationData: TpmsCreationData;
  readonly creationHash: Uint8Array;
  readonly creationTicket: TpmtTkCreation;
}

function describeCreation(
  tpm: Machine,
  { inPublic, creationPCR, outsideInfo }: Creation,
  name: Uint8Array,
  hierarchy: number,
  parent: KeyObject | undefined,
): CreationStatement {
  const hash = nameHash(inPublic);
  const pcrSelect = implemented(creationPCR);
  const creationData: TpmsCreationData = {
    pcrSelect,
    pcrDigest: digest(hash, ...selectedValues(tpm, pcrSelect)),
    locality: 1 << tpm.locality,
    parentNameAlg: parent?.area.nameAlg ?? TpmAlg.NULL,
    parentName: parent?.name ?? nameOfHandle(hierarchy),
    parentQualifiedName: parent?.qualifiedName ?? nameOfHandle(hierarchy),
    outsideInfo,
  };
  const creationHash = digest(hash, encode(TpmsCreationData, creationData));
  return { creationData, creationHash, creationTicket: creationTicket(tpm, hierarchy, name, creationHash) };
}

export const creationCommands = [createPrimary, create, createLoaded] as const;

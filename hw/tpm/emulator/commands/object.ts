import { encode } from "../../../../shared/bytes/index.ts";
import { digest, digestSize, type HashName } from "../../../../shared/crypto/index.ts";
import type { Random } from "../../../../shared/ports/index.ts";
import {
  type CommandParameters,
  commands,
  nameOf,
  nameOfHandle,
  qualifiedNameOf,
  TpmAlg,
  TpmRc,
  TpmsCreationData,
  TpmtPublic,
  type TpmtTkCreation,
} from "../../../../shared/tpm/index.ts";
import { seededStream } from "../drbg.ts";
import { objectAt, withoutTrailingZeros } from "../entity.ts";
import { handler } from "../handler.ts";
import { generateKey, type NewKey } from "../key-material.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import type { KeyObject } from "../object.ts";
import { rememberedPrimary, rememberPrimary } from "../primary.ts";
import { openSensitive, sealSensitive } from "../protection.ts";
import { checkAttributes, checkCreation, checkExponent, checkImplemented, isStorage } from "../public-area.ts";
import { handle as blameHandle, blaming, parameter, refuse } from "../refusal.ts";
import { creationTicket } from "../ticket.ts";
import { checkHash, checkSelection, keyAt } from "./checks.ts";
import { implemented, selectedValues } from "./pcr.ts";

/** Part 3, 12 and 24.1: objects. */

const NO_AUTH = new Uint8Array(0);

type Creation = CommandParameters<typeof commands.Create>;

const createPrimary = handler(commands.CreatePrimary, { handles: ["hierarchy"] }, ({ tpm, handle, parameters }) => {
  const hierarchy = handle(0);
  const { inSensitive, inPublic } = parameters;
  checkTemplate(tpm, parameters, undefined);
  const seed = hierarchyOf(tpm, hierarchy)?.seed ?? new Uint8Array(0);
  const template = digest("sha256", nameOfHandle(hierarchy), encode(TpmtPublic, inPublic), inSensitive.data);
  const made = rememberedPrimary(tpm, template) ?? generate(inPublic, NO_AUTH, seededStream(seed, template));
  rememberPrimary(tpm, hierarchy, template, made);
  const sensitive = { ...made.sensitive, authValue: paddedAuth(inSensitive.userAuth, inPublic) };
  const name = nameOf(made.area);
  const qualifiedName = qualifiedNameOf(nameOfHandle(hierarchy), made.area.nameAlg, name);
  const statement = describeCreation(tpm, parameters, name, hierarchy, undefined);
  const object: KeyObject = {
    kind: "key",
    hierarchy,
    area: made.area,
    sensitive,
    external: false,
    name,
    qualifiedName,
  };
  return { handle: tpm.ram.objects.insert(object), response: { outPublic: made.area, ...statement, name } };
});

const create = handler(commands.Create, { handles: ["object"] }, ({ tpm, handle, parameters }) => {
  const parent = parentAt(tpm, handle(0));
  checkTemplate(tpm, parameters, parent);
  const { inSensitive, inPublic } = parameters;
  const { area, sensitive } = generate(inPublic, paddedAuth(inSensitive.userAuth, inPublic), tpm.random);
  const name = nameOf(area);
  const outPrivate = sealSensitive(parent, name, sensitive, tpm.random);
  return {
    response: { outPrivate, outPublic: area, ...describeCreation(tpm, parameters, name, parent.hierarchy, parent) },
  };
});

const load = handler(commands.Load, { handles: ["object"] }, ({ tpm, handle, parameters: { inPrivate, inPublic } }) => {
  blaming(parameter(2), () => checkImplemented(inPublic));
  checkRoom(tpm);
  if (inPrivate.byteLength === 0) refuse(TpmRc.SIZE, parameter(1));
  const parent = parentAt(tpm, handle(0));
  const name = nameOf(inPublic);
  const sensitive = blaming(parameter(1), () => openSensitive(parent, name, inPrivate));
  blaming(parameter(2), () => checkAttributes(inPublic, parent));
  const qualifiedName = qualifiedNameOf(parent.qualifiedName, inPublic.nameAlg, name);
  const { hierarchy } = parent;
  const loaded: KeyObject = { kind: "key", hierarchy, area: inPublic, sensitive, external: false, name, qualifiedName };
  return { handle: tpm.ram.objects.insert(loaded), response: { name } };
});

const readPublic = handler(commands.ReadPublic, { handles: ["object"] }, ({ tpm, handle }) => {
  const object = objectAt(tpm, handle(0));
  if (object.kind === "sequence") refuse(TpmRc.SEQUENCE);
  return { response: { outPublic: object.area, name: object.name, qualifiedName: object.qualifiedName } };
});

function checkTemplate(
  tpm: Machine,
  { inSensitive, inPublic, creationPCR }: Creation,
  parent: KeyObject | undefined,
): void {
  blaming(parameter(2), () => checkImplemented(inPublic));
  checkSelection(creationPCR, 4);
  checkRoom(tpm);
  blaming(parameter(2), () => checkCreation(inPublic, parent, inSensitive.data.byteLength));
  if (withoutTrailingZeros(inSensitive.userAuth).byteLength > digestSize(nameHash(inPublic)))
    refuse(TpmRc.SIZE, parameter(1));
  checkExponent(inPublic);
}

function checkRoom(tpm: Machine): void {
  if (tpm.ram.objects.free < 1) refuse(TpmRc.OBJECT_MEMORY);
}

function parentAt(tpm: Machine, handle: number): KeyObject {
  const parent = keyAt(tpm, handle, 1);
  if (!isStorage(parent.area.objectAttributes)) refuse(TpmRc.TYPE, blameHandle(1));
  return parent;
}

function nameHash(area: TpmtPublic): HashName {
  return checkHash(area.nameAlg, 2);
}

/** Sealed areas of one kind have one length, whatever the password: Part 1, 19.6.4.3. */
function paddedAuth(auth: Uint8Array, area: TpmtPublic): Uint8Array {
  const padded = new Uint8Array(digestSize(nameHash(area)));
  padded.set(withoutTrailingZeros(auth));
  return padded;
}

/** The seed of a storage key is as long as its name digest; other keys have none (Part 1, 27.7.4). */
function generate(template: TpmtPublic, auth: Uint8Array, random: Random): NewKey {
  const seedValue = random.bytes(isStorage(template.objectAttributes) ? digestSize(nameHash(template)) : 0);
  return generateKey(template, { authValue: auth, seedValue }, random);
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

export const objectCommands = [createPrimary, create, load, readPublic] as const;

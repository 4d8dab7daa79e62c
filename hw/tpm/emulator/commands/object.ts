import {
  commands,
  nameOf,
  nameOfHandle,
  qualifiedNameOf,
  TpmAlg,
  TpmaObjectBit,
  TpmRc,
  TpmRh,
} from "../../../../shared/tpm/index.ts";
import { objectAt } from "../entity.ts";
import { checkExternal } from "../external.ts";
import { handler } from "../handler.ts";
import { isStClear, type KeyObject, sensitiveOf } from "../object.ts";
import { openSensitive } from "../protection.ts";
import { checkAttributes, checkImplemented } from "../public-area.ts";
import { handle as blameHandle, blaming, parameter, refuse } from "../refusal.ts";
import { checkRoom, isHierarchy, parentAt } from "./checks.ts";

/** Part 3, 12: objects. */

const load = handler(
  commands.Load,
  { handles: ["object"], values: { inPublic: (area) => checkImplemented(area) } },
  ({ tpm, handle, parameters: { inPrivate, inPublic } }) => {
    checkRoom(tpm);
    if (inPrivate.byteLength === 0) refuse(TpmRc.SIZE, parameter(1));
    const parent = parentAt(tpm, handle(0));
    const name = nameOf(inPublic);
    const sensitive = blaming(parameter(1), () => openSensitive(parent, name, inPrivate));
    blaming(parameter(2), () => checkAttributes(inPublic, parent));
    const qualifiedName = qualifiedNameOf(parent.qualifiedName, inPublic.nameAlg, name);
    const { hierarchy } = parent;
    const loaded: KeyObject = {
      kind: "key",
      hierarchy,
      area: inPublic,
      sensitive,
      external: false,
      stClear: isStClear(inPublic, parent),
      name,
      qualifiedName,
    };
    return { handle: tpm.ram.objects.insert(loaded), response: { name } };
  },
);

const IN_HIERARCHY = TpmaObjectBit.FIXED_TPM | TpmaObjectBit.FIXED_PARENT | TpmaObjectBit.RESTRICTED;

const loadExternal = handler(
  commands.LoadExternal,
  { values: { inPublic: (area) => checkImplemented(area, true), hierarchy: isHierarchy } },
  ({ tpm, parameters: { inPrivate, inPublic, hierarchy } }) => {
    checkRoom(tpm);
    if (inPrivate !== undefined) {
      // A private key from outside belongs to no hierarchy, and may not claim what the TPM vouches for in its own keys.
      if (hierarchy !== TpmRh.NULL) refuse(TpmRc.HIERARCHY, parameter(3));
      if ((inPublic.objectAttributes & IN_HIERARCHY) !== 0) refuse(TpmRc.ATTRIBUTES, parameter(2));
    }
    checkExternal(inPublic, inPrivate);
    const name = nameOf(inPublic);
    const loaded: KeyObject = {
      kind: "key",
      hierarchy,
      area: inPublic,
      sensitive: inPrivate,
      external: true,
      stClear: isStClear(inPublic),
      name,
      qualifiedName: qualifiedNameOf(nameOfHandle(hierarchy), inPublic.nameAlg, name),
    };
    return { handle: tpm.ram.objects.insert(loaded), response: { name } };
  },
);

const readPublic = handler(commands.ReadPublic, { handles: ["object"] }, ({ tpm, handle }) => {
  const object = objectAt(tpm, handle(0));
  if (object.kind === "sequence") refuse(TpmRc.SEQUENCE);
  return { response: { outPublic: object.area, name: object.name, qualifiedName: object.qualifiedName } };
});

const IS_KEY = TpmaObjectBit.SIGN | TpmaObjectBit.DECRYPT | TpmaObjectBit.RESTRICTED;

const unseal = handler(commands.Unseal, { handles: ["object"] }, ({ tpm, handle }) => {
  const object = objectAt(tpm, handle(0));
  if (object.kind === "sequence" || object.area.type !== TpmAlg.KEYEDHASH) refuse(TpmRc.TYPE, blameHandle(1));
  if ((object.area.objectAttributes & IS_KEY) !== 0) refuse(TpmRc.ATTRIBUTES, blameHandle(1));
  return { response: { outData: sensitiveOf(object).sensitive } };
});

export const objectCommands = [load, loadExternal, readPublic, unseal] as const;

/** The EK and the AIK at their persistent handles, made when missing. */
import { encode, equal } from "../../shared/bytes/index.ts";
import {
  aikReference,
  aikRestrictedEcc,
  aikRestrictedRsa,
  ekEcc,
  ekRsa,
  FobnailHandle,
  nameOfHandle,
  qualifiedNameOf,
  TpmAlg,
  TpmRh,
  TpmtPublic,
} from "../../shared/tpm/index.ts";
import { usingEkPolicy } from "./cleanup.ts";
import {
  createKey,
  persist,
  type ReadKey,
  readPublic,
  type SealedKey,
  type TpmKey,
  usingLoaded,
  usingPrimary,
} from "./objects.ts";
import type { TpmRunner } from "./runner.ts";

export type EkKind = "rsa" | "ecc";

/** `reference`: the unrestricted RSA key that the reference firmware demands. */
export type AikKind = "reference" | "restricted-rsa" | "restricted-ecc";

interface Kept {
  readonly handle: number;
  readonly template: TpmtPublic;
  readonly what: string;
}

const EK: Readonly<Record<EkKind, Kept>> = {
  rsa: { handle: FobnailHandle.EK_RSA, template: ekRsa, what: "an EK of template L-1 (RSA 2048)" },
  ecc: { handle: FobnailHandle.EK_ECC, template: ekEcc, what: "an EK of template L-2 (P-256)" },
};

const AIK: Readonly<Record<AikKind, Kept>> = {
  reference: { handle: FobnailHandle.AIK_REFERENCE, template: aikReference, what: "the reference's AIK" },
  "restricted-rsa": {
    handle: FobnailHandle.AIK_RESTRICTED_RSA,
    template: aikRestrictedRsa,
    what: "a restricted RSA AIK",
  },
  "restricted-ecc": {
    handle: FobnailHandle.AIK_RESTRICTED_ECC,
    template: aikRestrictedEcc,
    what: "a restricted P-256 AIK",
  },
};

/** Another program keeps something else where our key belongs. It stays as it is. */
export class ForeignKeyError extends Error {
  override readonly name = "ForeignKeyError";
  readonly handle: number;

  constructor(handle: number, what: string) {
    super(`the object at 0x${handle.toString(16)} is not ${what}; remove it with tpm2_evictcontrol if nobody needs it`);
    this.handle = handle;
  }
}

/** The AIK that a profile uses; undefined for `compat` with ECC: the reference knows RSA only. */
export function aikKindOf(profile: "compat" | "strict", key: "rsa" | "ecc"): AikKind | undefined {
  if (profile === "strict") return key === "rsa" ? "restricted-rsa" : "restricted-ecc";
  return key === "rsa" ? "reference" : undefined;
}

/** The EK at its persistent handle, made in the endorsement hierarchy when missing. ForeignKeyError when the handle is taken. */
export async function ensureEk(tpm: TpmRunner, kind: EkKind): Promise<TpmKey> {
  const { handle, template, what } = EK[kind];
  const there = await readPublic(tpm, handle);
  if (there !== undefined) {
    if (!madeFrom(there.publicArea, template) || !isEndorsementPrimary(there)) throw new ForeignKeyError(handle, what);
    return there;
  }
  tpm.env.log.write("info", `Creating ${what} at 0x${handle.toString(16)}`);
  return usingPrimary(tpm, TpmRh.ENDORSEMENT, template, (key) => keep(tpm, key, handle));
}

/** The AIK at its persistent handle; undefined when it was not made yet. ForeignKeyError when the handle is taken. */
export async function findAik(tpm: TpmRunner, kind: AikKind): Promise<TpmKey | undefined> {
  const { handle, template, what } = AIK[kind];
  const there = await readPublic(tpm, handle);
  if (there !== undefined && !madeFrom(there.publicArea, template)) throw new ForeignKeyError(handle, what);
  return there;
}

/** The AIK at its persistent handle, made under `ek` when missing. ForeignKeyError when the handle is taken. */
export async function ensureAik(tpm: TpmRunner, kind: AikKind, ek: TpmKey): Promise<TpmKey> {
  const there = await findAik(tpm, kind);
  if (there !== undefined) return there;
  const { handle, template, what } = AIK[kind];
  tpm.env.log.write("info", `Creating ${what} at 0x${handle.toString(16)}`);
  const sealed = await usingEkPolicy(tpm, (session) =>
    createKey(tpm, ek.handle, template, { kind: "policy", session }),
  );
  return loadAndKeep(tpm, ek, sealed, handle);
}

/** A policy session authorizes one command, so loading takes its own. */
function loadAndKeep(tpm: TpmRunner, ek: TpmKey, sealed: SealedKey, handle: number): Promise<TpmKey> {
  return usingEkPolicy(tpm, (session) =>
    usingLoaded(tpm, ek.handle, sealed, (key) => keep(tpm, key, handle), { kind: "policy", session }),
  );
}

async function keep(tpm: TpmRunner, key: TpmKey, handle: number): Promise<TpmKey> {
  await persist(tpm, key.handle, handle);
  return { ...key, handle };
}

/** Whether a public area is the template with its own unique field. Exponent 0 and 65537 are the same key. */
function madeFrom(publicArea: TpmtPublic, template: TpmtPublic): boolean {
  return equal(encode(TpmtPublic, shapeOf(publicArea)), encode(TpmtPublic, shapeOf(template)));
}

function shapeOf(publicArea: TpmtPublic): TpmtPublic {
  const none = new Uint8Array(0);
  switch (publicArea.type) {
    case TpmAlg.RSA: {
      const { exponent } = publicArea.parameters;
      return { ...publicArea, parameters: { ...publicArea.parameters, exponent: exponent || 65537 }, unique: none };
    }
    case TpmAlg.ECC:
      return { ...publicArea, unique: { x: none, y: none } };
    default:
      return publicArea;
  }
}

/** Qualified names tell the way up: this one's parent is the endorsement hierarchy itself. */
function isEndorsementPrimary(key: ReadKey): boolean {
  const wanted = qualifiedNameOf(nameOfHandle(TpmRh.ENDORSEMENT), key.publicArea.nameAlg, key.name);
  return equal(key.qualifiedName, wanted);
}

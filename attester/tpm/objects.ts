/** Keys in the TPM: made, loaded, kept, read. */
import {
  commands,
  NULL_SCHEME,
  TpmAlg,
  TpmaObjectBit,
  TpmError,
  TpmRc,
  TpmRh,
  type TpmtPublic,
  type TpmtSigScheme,
} from "../../shared/tpm/index.ts";
import { usingHandle } from "./cleanup.ts";
import type { Authorization, TpmRunner } from "./runner.ts";

const NONE = new Uint8Array(0);

/** An object in the TPM. */
export interface TpmKey {
  readonly handle: number;
  readonly publicArea: TpmtPublic;
  /** TPM2B_NAME's content. */
  readonly name: Uint8Array;
}

/** A key that its parent has sealed: what TPM2_Load takes. */
export interface SealedKey {
  readonly outPrivate: Uint8Array;
  readonly publicArea: TpmtPublic;
}

function creationInput(template: TpmtPublic, password: Uint8Array) {
  return {
    inSensitive: { userAuth: password, data: NONE },
    inPublic: template,
    outsideInfo: NONE,
    creationPCR: [],
  };
}

/** Makes a primary key under a hierarchy with an empty password, and flushes it after `use`. */
export async function usingPrimary<T>(
  tpm: TpmRunner,
  hierarchy: number,
  template: TpmtPublic,
  use: (key: TpmKey) => Promise<T>,
): Promise<T> {
  const { handle, response } = await tpm.run(commands.CreatePrimary, {
    handles: [hierarchy],
    parameters: creationInput(template, NONE),
  });
  return usingHandle(tpm, handle, () => use({ handle, publicArea: response.outPublic, name: response.name }));
}

/** Makes a key under a parent; the empty password authorizes its use unless another is given. */
export async function createKey(
  tpm: TpmRunner,
  parent: number,
  template: TpmtPublic,
  authorization?: Authorization,
  password: Uint8Array = NONE,
): Promise<SealedKey> {
  const { response } = await tpm.run(commands.Create, {
    handles: [parent],
    parameters: creationInput(template, password),
    ...(authorization === undefined ? {} : { authorizations: [authorization] }),
  });
  return { outPrivate: response.outPrivate, publicArea: response.outPublic };
}

/** Loads a key under its parent, and flushes it after `use`. */
export async function usingLoaded<T>(
  tpm: TpmRunner,
  parent: number,
  sealed: SealedKey,
  use: (key: TpmKey) => Promise<T>,
  authorization?: Authorization,
): Promise<T> {
  const { handle, response } = await tpm.run(commands.Load, {
    handles: [parent],
    parameters: { inPrivate: sealed.outPrivate, inPublic: sealed.publicArea },
    ...(authorization === undefined ? {} : { authorizations: [authorization] }),
  });
  return usingHandle(tpm, handle, () => use({ handle, publicArea: sealed.publicArea, name: response.name }));
}

/** Keeps a transient object at a persistent handle, with owner authorization. */
export async function persist(tpm: TpmRunner, handle: number, persistentHandle: number): Promise<void> {
  await tpm.run(commands.EvictControl, { handles: [TpmRh.OWNER, handle], parameters: { persistentHandle } });
}

/** Removes a persistent object. */
export function evict(tpm: TpmRunner, persistentHandle: number): Promise<void> {
  return persist(tpm, persistentHandle, persistentHandle);
}

export interface ReadKey extends TpmKey {
  readonly qualifiedName: Uint8Array;
}

/** The object at a handle; undefined when there is none. */
export async function readPublic(tpm: TpmRunner, handle: number): Promise<ReadKey | undefined> {
  try {
    const { response } = await tpm.run(commands.ReadPublic, { handles: [handle], parameters: {} });
    const { outPublic, name, qualifiedName } = response;
    return { handle, publicArea: outPublic, name, qualifiedName };
  } catch (error) {
    if (error instanceof TpmError && error.base === TpmRc.HANDLE) return undefined;
    throw error;
  }
}

/** The inScheme for TPM2_Quote and TPM2_Sign: NULL lets a key use its own; one without a scheme signs with SHA-256. */
export function signingScheme(key: TpmKey): TpmtSigScheme {
  const { type } = key.publicArea;
  if (type === TpmAlg.RSA) {
    const own = key.publicArea.parameters.scheme.scheme;
    return own === TpmAlg.NULL ? { scheme: TpmAlg.RSASSA, hashAlg: TpmAlg.SHA256 } : NULL_SCHEME;
  }
  if (type === TpmAlg.ECC) {
    const own = key.publicArea.parameters.scheme.scheme;
    return own === TpmAlg.NULL ? { scheme: TpmAlg.ECDSA, hashAlg: TpmAlg.SHA256 } : NULL_SCHEME;
  }
  return NULL_SCHEME;
}

export function isRestricted(publicArea: TpmtPublic): boolean {
  return (publicArea.objectAttributes & TpmaObjectBit.RESTRICTED) !== 0;
}

import { Code } from "../../shared/coap/index.ts";
import type { Unsubscribe } from "../../shared/ports/index.ts";
import type { AikKind } from "../tpm/index.ts";
import { createKeepAlive } from "./keep-alive.ts";
import { encodeMetadata } from "./metadata.ts";
import { FlowEnd, type Refusal, settled } from "./outcome.ts";
import { TokenRefused, type TokenWire } from "./token-wire.ts";
import { type AttestOptions, type AttestOutcome, attestPlatform } from "./v1-attest.ts";
import type { V1AttesterOptions, V1Context } from "./v1-context.ts";
import { type ProvisionOutcome, provisionPlatform } from "./v1-provision.ts";
import {
  type ReadOutcome,
  type RemoveOutcome,
  readStored,
  removeStored,
  type WriteOutcome,
  writeStored,
} from "./v1-storage.ts";

/**
 * The attester of API v1: a client of the token, one thing after the other. What the token refuses, and a token that is not there, are
 * results; methods reject with IdentityError, ForeignKeyError, or as the TPM client does. Pings keep the session while a method runs.
 */
export interface V1Attester {
  provision(): Promise<ProvisionOutcome>;
  attest(options?: AttestOptions): Promise<AttestOutcome>;
  /** The files of this platform; after a successful `attest` in the same session. */
  read(name: string): Promise<ReadOutcome>;
  write(name: string, data: Uint8Array): Promise<WriteOutcome>;
  remove(name: string): Promise<RemoveOutcome>;
  /** Pings each second until it is ended, so that the session lives between two methods. */
  keepAlive(): Unsubscribe;
}

function offersOf({ key, offers }: V1AttesterOptions): readonly AikKind[] {
  if (offers !== undefined) return offers;
  return key === "rsa" ? ["restricted-rsa", "reference"] : ["restricted-ecc"];
}

export function createV1Attester(options: V1AttesterOptions): V1Attester {
  const { wire, clock, log, platform } = options;
  const keepAlive = createKeepAlive(wire, clock, log);
  const context: V1Context = {
    ...options,
    offers: offersOf(options),
    keepAlive,
    metadata: encodeMetadata(platform),
    signer: undefined,
    wantsGrants: false,
  };
  return {
    provision: () => keepAlive.during(() => provisionPlatform(context)),
    attest: (attestOptions) => keepAlive.during(() => attestPlatform(context, attestOptions)),
    read: (name) => keepAlive.during(() => readStored(context, name)),
    write: (name, data) => keepAlive.during(() => writeStored(context, name, data)),
    remove: (name) => keepAlive.during(() => removeStored(context, name)),
    keepAlive: () => keepAlive.hold(),
  };
}

const VERSION = 1;

/** Whether a token that speaks API v1 is there; asks no TPM. A token that has no resource for it may still be one. */
export function findToken(wire: TokenWire): Promise<{ readonly ok: true } | Refusal> {
  return settled(async () => {
    const versions = await versionsOf(wire);
    if (versions.includes(VERSION)) return { ok: true };
    throw new FlowEnd("other-api", `the token speaks API ${versions.join(", ")}, not ${VERSION}`);
  });
}

async function versionsOf(wire: TokenWire): Promise<readonly number[]> {
  try {
    return await wire.versions();
  } catch (error) {
    if (error instanceof TokenRefused && error.code === Code.NotFound) return [VERSION];
    throw error;
  }
}

/** Sessions and transient objects that never stay, whatever happens in between. */
import {
  commands,
  firstHandle,
  handleType,
  TpmAlg,
  TpmCap,
  TpmError,
  TpmHt,
  TpmRh,
  TpmSe,
} from "../../shared/tpm/index.ts";
import type { TpmRunner } from "./runner.ts";

const NONCE_BYTES = 16;
const NONE = new Uint8Array(0);
/** Handles of one type that one TPM2_GetCapability may return; more come in further rounds. */
const HANDLES_AT_ONCE = 64;
const MAX_ROUNDS = 64;

/** Whether a handle is one that has to be flushed: a session or a transient object. */
function isVolatile(handle: number): boolean {
  const type = handleType(handle);
  return type === TpmHt.TRANSIENT || type === TpmHt.HMAC_SESSION || type === TpmHt.POLICY_SESSION;
}

async function flush(tpm: TpmRunner, handle: number): Promise<void> {
  await tpm.run(commands.FlushContext, { parameters: { flushHandle: handle } });
}

/** Flushes on the way out, where another error may be under way: what goes wrong is logged. */
export async function flushQuietly(tpm: TpmRunner, handle: number): Promise<void> {
  if (!isVolatile(handle)) return;
  try {
    await flush(tpm, handle);
  } catch (error) {
    tpm.env.log.write("warn", `TPM handle 0x${handle.toString(16)} was not flushed`, { error: String(error) });
  }
}

/** Runs `use` with a handle and flushes it then, also after a failure. */
export async function usingHandle<T>(tpm: TpmRunner, handle: number, use: (handle: number) => Promise<T>): Promise<T> {
  try {
    return await use(handle);
  } finally {
    await flushQuietly(tpm, handle);
  }
}

/** Runs `use` in a policy session (SHA-256, neither salted nor bound). */
export async function usingPolicySession<T>(tpm: TpmRunner, use: (session: number) => Promise<T>): Promise<T> {
  const { handle } = await tpm.run(commands.StartAuthSession, {
    handles: [TpmRh.NULL, TpmRh.NULL],
    parameters: {
      nonceCaller: tpm.env.random.bytes(NONCE_BYTES),
      encryptedSalt: NONE,
      sessionType: TpmSe.POLICY,
      symmetric: { algorithm: TpmAlg.NULL },
      authHash: TpmAlg.SHA256,
    },
  });
  return usingHandle(tpm, handle, use);
}

/** A policy session that satisfies the policy of an EK: PolicySecret(TPM_RH_ENDORSEMENT), empty password. */
export function usingEkPolicy<T>(tpm: TpmRunner, use: (session: number) => Promise<T>): Promise<T> {
  return usingPolicySession(tpm, async (session) => {
    await tpm.run(commands.PolicySecret, {
      handles: [TpmRh.ENDORSEMENT, session],
      parameters: { nonceTPM: NONE, cpHashA: NONE, policyRef: NONE, expiration: 0 },
    });
    return use(session);
  });
}

/** All handles of a type (TpmHt) that the TPM holds. For sessions, HMAC_SESSION lists the loaded and POLICY_SESSION the saved ones. */
export async function listHandles(tpm: TpmRunner, type: number): Promise<readonly number[]> {
  const found: number[] = [];
  let next = firstHandle(type);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { response } = await tpm.run(commands.GetCapability, {
      parameters: { capability: TpmCap.HANDLES, property: next, propertyCount: HANDLES_AT_ONCE },
    });
    const { moreData, capabilityData } = response;
    const handles = capabilityData.capability === TpmCap.HANDLES ? capabilityData.data : [];
    found.push(...handles);
    const last = handles.at(-1);
    if (moreData === 0 || last === undefined) break;
    next = last + 1;
  }
  return found;
}

/**
 * Flushes what an earlier run of a killed program left in the TPM. Only for a TPM that is ours alone: behind /dev/tpmrm0 the
 * sessions listed may belong to others. Returns how many handles went.
 */
export async function flushLeftovers(tpm: TpmRunner): Promise<number> {
  let flushed = 0;
  for (const type of [TpmHt.TRANSIENT, TpmHt.HMAC_SESSION, TpmHt.POLICY_SESSION]) {
    for (const handle of await listHandles(tpm, type)) {
      try {
        await flush(tpm, handle);
        flushed++;
      } catch (error) {
        if (!(error instanceof TpmError)) throw error;
        tpm.env.log.write("warn", `TPM handle 0x${handle.toString(16)} was not flushed`, { error: error.message });
      }
    }
  }
  return flushed;
}

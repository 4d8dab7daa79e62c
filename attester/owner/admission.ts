import { equal } from "../../shared/bytes/index.ts";
import { type RefusedRequest, refuseRequest, type TokenRequest } from "./request.ts";

/** Asks a person whether the token may have a certificate. */
export type Question = (deviceId: string, publicKey: Uint8Array) => Promise<boolean>;

export interface AdmissionOptions {
  /** Device ids that were announced: upper-case hexadecimal without padding. */
  readonly expected: readonly string[];
  /** Without it, only announced tokens are let in. */
  readonly ask?: Question | undefined;
}

const MAX_DECISIONS = 256;

type Decision = { readonly state: "asked" | "admitted" | "denied"; readonly key: Uint8Array };

/**
 * Which tokens may have a certificate. An announced id admits the first key that comes with it, and no other: whoever asks later
 * under the same id with another key is somebody else, or a wiped token that has to be announced again.
 */
export interface Admission {
  /** Undefined: admitted. */
  refusal(request: TokenRequest): RefusedRequest | undefined;
}

export function createAdmission({ expected, ask }: AdmissionOptions): Admission {
  const announced = new Set(expected);
  const decisions = new Map<string, Decision>();
  let asking = false;

  function question(deviceId: string, key: Uint8Array, put: Question): RefusedRequest {
    // One question at a time: a flood of ids must not scroll the first one away.
    if (!asking && decisions.size < MAX_DECISIONS) {
      asking = true;
      decisions.set(deviceId, { state: "asked", key });
      const settle = (yes: boolean) => {
        asking = false;
        decisions.set(deviceId, { state: yes ? "admitted" : "denied", key });
      };
      put(deviceId, key).then(settle, () => settle(false)); // who cannot be asked has not said yes
    }
    return refuseRequest("undecided", `${deviceId} waits for an answer`);
  }

  function decided(deviceId: string, { state, key }: Decision, publicKey: Uint8Array): RefusedRequest | undefined {
    if (state === "denied") return refuseRequest("denied", `${deviceId} was turned away`);
    if (!equal(key, publicKey)) return refuseRequest("key-changed", `${deviceId} came before with another key`);
    return state === "admitted" ? undefined : refuseRequest("undecided", `${deviceId} waits for an answer`);
  }

  return {
    refusal({ deviceId, publicKey }) {
      const decision = decisions.get(deviceId);
      if (decision !== undefined) return decided(deviceId, decision, publicKey.key);
      if (announced.has(deviceId)) {
        decisions.set(deviceId, { state: "admitted", key: publicKey.key });
        return undefined;
      }
      if (ask !== undefined) return question(deviceId, publicKey.key, ask);
      return refuseRequest("not-expected", `${deviceId} was not announced`);
    },
  };
}

/** Lets every token in. For simulations, where owner and token are of one hand. */
export const admitAll: Admission = { refusal: () => undefined };

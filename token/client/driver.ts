import type { CoapEndpoint } from "../../shared/coap/index.ts";
import type { Clock, Peer } from "../../shared/ports/index.ts";
import type { Domain } from "../domain/domain.ts";
import type { Verdict } from "../domain/events.ts";
import { attest } from "./attest.ts";
import { provisionPlatform } from "./provision-platform.ts";
import { provisionToken } from "./provision-token.ts";

const RETRY_MS = 5_000;

export interface DriverConfig {
  readonly endpoint: CoapEndpoint;
  readonly clock: Clock;
  readonly domain: Domain;
  readonly attester: Peer;
  readonly owner: Peer;
  /** Whether a platform that is not known is enrolled although others are. */
  readonly enrolNew: boolean;
}

/** The face of API v0: the token asks, the computer answers. */
export interface Driver {
  /** The link came up: token provisioning, platform provisioning, attestation, from the first that is due. */
  attach(): void;
  /** The link went down: whatever is under way ends. */
  detach(): void;
}

/** What comes next is under way before an event is told: who hears it may detach, and then nothing may follow. */
export function createDriver({ endpoint, clock, domain, attester, owner, enrolNew }: DriverConfig): Driver {
  let stop: () => void = () => undefined;
  /** Since the link came up. */
  let enrolled = false;

  const retry = (phase: () => void): void => {
    stop = clock.after(RETRY_MS, phase);
  };

  const begin = (): void => {
    if (!domain.provisioned) tokenPhase();
    else if (domain.platforms.count === 0) platformPhase();
    else attestationPhase();
  };

  const tokenPhase = (): void => {
    const talk = provisionToken(endpoint, owner, domain, {
      refused({ reason, detail }) {
        retry(tokenPhase);
        domain.tell({ type: "token-refused", reason, detail });
      },
      provisioned(deviceId) {
        begin();
        domain.tell({ type: "token-provisioned", deviceId });
      },
    });
    stop = () => talk.cancel();
  };

  const platformPhase = (): void => {
    const talk = provisionPlatform(endpoint, attester, domain, {
      refused({ reason, detail }) {
        retry(platformPhase);
        domain.tell({ type: "platform-refused", reason, detail });
      },
      provisioned(platform) {
        enrolled = true;
        attestationPhase();
        domain.tell({ type: "platform-provisioned", platform });
      },
    });
    stop = () => talk.cancel();
  };

  /** One attempt for each time the stick is plugged in. */
  const attestationPhase = (): void => {
    const talk = attest(endpoint, attester, domain, (verdict) => judged(verdict));
    stop = () => talk.cancel();
  };

  /** A computer that changes its name after every enrolment would fill the storage: one new platform for each time plugged in. */
  const judged = (verdict: Verdict): void => {
    if (verdict.trusted) domain.tell({ type: "attested", verdict });
    else if (verdict.reason === "unknown-platform" && enrolNew && !enrolled) platformPhase();
    else domain.tell({ type: "attestation-failed", verdict });
  };

  return {
    attach() {
      stop();
      enrolled = false;
      begin();
    },
    detach() {
      stop();
      stop = () => undefined;
    },
  };
}

import type { NotTrusted, PlatformSummary, TokenEvent } from "../domain/events.ts";

/** What the token's events have told so far, as far as one line of meaning needs it. */
export interface Told {
  /** The last event that says something by itself: not the link's coming and going, nor a count. */
  readonly last?: TokenEvent | undefined;
  /** API v1: attested sessions that live. */
  readonly sessions: number;
  /** The platform that attested last. */
  readonly newest?: PlatformSummary | undefined;
  /** Whether a session of `newest` is certainly among those that live: a session that ends does not say whose it was. */
  readonly newestLives: boolean;
  /** The last verdict that was not good, with the PCRs once they are explained. */
  readonly failure?: NotTrusted | undefined;
}

export const NOTHING_TOLD: Told = { sessions: 0, newestLives: false };

export function nextTold(told: Told, event: TokenEvent): Told {
  switch (event.type) {
    case "attached":
    case "detached":
      return told;
    case "attested-sessions":
      return withSessions(told, event.count);
    case "attested":
      return { ...told, last: event, newest: event.verdict.platform, newestLives: true };
    case "attestation-failed":
    case "attestation-explained":
      return { ...told, last: event, failure: event.verdict };
    case "wiped":
      return { ...NOTHING_TOLD, last: event };
    default:
      return { ...told, last: event };
  }
}

function withSessions(told: Told, count: number): Told {
  if (count >= told.sessions) return { ...told, sessions: count };
  return { ...told, sessions: count, newestLives: false };
}

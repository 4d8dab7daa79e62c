import type { TokenEvent, Verdict } from "../../../token/domain/events.ts";

/** What was refused last: a verdict, or a refusal of token or platform provisioning. */
export interface LastRefusal {
  readonly reason: string;
  readonly pcrs?: readonly number[] | undefined;
}

export function refusalOf(event: TokenEvent): LastRefusal | undefined {
  switch (event.type) {
    case "token-refused":
    case "platform-refused":
    case "attestation-refused":
      return { reason: event.reason };
    case "attestation-failed":
    case "attestation-explained":
      return { reason: event.verdict.reason, pcrs: event.verdict.pcrs };
    default:
      return undefined;
  }
}

export function isVerdict(event: TokenEvent): event is Extract<TokenEvent, { readonly verdict: Verdict }> {
  return event.type === "attested" || event.type === "attestation-failed" || event.type === "attestation-explained";
}

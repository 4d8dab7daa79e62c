import type { Lamps } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import { appraisalRefusals } from "../domain/reasons.ts";

export interface Situation {
  readonly attached: boolean;
  readonly provisioned: boolean;
  readonly held: boolean;
  readonly lamps: Lamps;
  /** Whether the lamps still show the last verdict; between two blinks they are dark all the same. */
  readonly verdictShows: boolean;
  /** The last event besides coming and going of the link. */
  readonly last: TokenEvent | undefined;
}

/** One line that says what the lamps mean. */
export function meaningOf({ attached, provisioned, held, verdictShows, last }: Situation): string {
  if (held && last?.type !== "wiped") return "button held; ten seconds wipe the token";
  if (!attached) return "not plugged in";
  if (last?.type === "attested" && verdictShows) {
    const { manufacturer, productName, serialNumber } = last.verdict.platform;
    return `${manufacturer} ${productName} ${serialNumber} booted as recorded`;
  }
  if (last?.type === "attestation-failed" && verdictShows)
    return `not trusted: ${appraisalRefusals[last.verdict.reason]}`;
  if (last?.type === "wiped") return "wiped; not provisioned by an owner any more";
  if (!provisioned) return "not provisioned by an owner yet";
  if (last?.type === "platform-refused") return "this computer could not be provisioned; the token tries again";
  if (last?.type === "token-provisioned") return "provisioned by its owner; provisioning this computer";
  return "provisioned; no attestation now";
}

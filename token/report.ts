import type { Log, LogLevel } from "../shared/ports/index.ts";
import type { PlatformSummary, TokenEvent } from "./domain/events.ts";
import { appraisalRefusals, enrolmentRefusals, logRefusals, tokenRefusals } from "./domain/reasons.ts";

const nameOf = ({ manufacturer, productName, serialNumber }: PlatformSummary): string =>
  `${manufacturer} ${productName} ${serialNumber}`;

const withDetail = (sentence: string, detail: string | undefined): string =>
  detail === undefined ? sentence : `${sentence} (${detail})`;

function sentenceOf(event: TokenEvent): readonly [LogLevel, string] {
  switch (event.type) {
    case "attached":
      return ["info", "Link is up"];
    case "detached":
      return ["info", "Link is down"];
    case "token-provisioned":
      return ["info", `Token ${event.deviceId} is provisioned by its owner`];
    case "token-refused":
      return ["warn", withDetail(`Token not provisioned: ${tokenRefusals[event.reason]}`, event.detail)];
    case "platform-provisioned":
      return ["info", `Platform ${nameOf(event.platform)} is provisioned`];
    case "platform-refused":
      return ["warn", withDetail(`Platform not provisioned: ${enrolmentRefusals[event.reason]}`, event.detail)];
    case "log-refused":
      return ["warn", withDetail(`Event log not kept: ${logRefusals[event.reason]}`, event.detail)];
    case "attested":
      return ["info", `Attested: ${nameOf(event.verdict.platform)} booted as recorded`];
    case "attestation-failed":
      return [
        "warn",
        withDetail(`Attestation failed: ${appraisalRefusals[event.verdict.reason]}`, event.verdict.detail),
      ];
    case "attestation-refused":
      return ["warn", withDetail(`Attestation refused: ${appraisalRefusals[event.reason]}`, event.detail)];
    case "attestation-explained":
      return [
        "warn",
        withDetail(`Attestation explained: ${appraisalRefusals[event.verdict.reason]}`, event.verdict.detail),
      ];
    case "attested-sessions":
      return ["debug", `Attested sessions: ${event.count}`];
    case "platform-removed":
      return ["info", `Platform ${nameOf(event.platform)} is removed, with its files`];
    case "wiped":
      return ["info", "Storage is wiped"];
  }
}

/** Each event as a line for people; its type and reason are among the facts for programs. */
export function report(log: Log, event: TokenEvent): void {
  const [level, sentence] = sentenceOf(event);
  log.write(level, sentence, { event });
}

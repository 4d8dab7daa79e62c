import { CodecError } from "../../shared/bytes/index.ts";
import { Code, ContentFormat } from "../../shared/coap/index.ts";
import { decodeEventLog, summarize } from "../../shared/event-log/index.ts";
import type { EventLogs } from "../../shared/ports/index.ts";
import { DEFAULT_POLICY, encodeLogMessage, type PolicyBank, SignedLog } from "../../shared/protocol/index.ts";
import { signObject } from "./signed.ts";
import { TokenAnswerError, TokenRefused } from "./token-wire.ts";
import type { Signer, V1Context } from "./v1-context.ts";

/** Extension 4 of API v1: event logs, with which a token can say what changed. Nothing stops without them. */

/** At enrolment, before the token has said which PCRs it asks for: the policy that all tokens have. */
export async function offerEnrolledLog(c: V1Context, { aik }: Signer, path: string): Promise<void> {
  const message = await ownLog(c, DEFAULT_POLICY, "warn");
  if (message === undefined || !(await takesLogs(c, path))) return;
  const payload = await signObject(c.tpm, aik, message, await c.wire.nonce(), SignedLog);
  await sent(c, path, payload, "warn", "The platform is provisioned without its event log");
}

/** At attestation, before the evidence. */
export async function offerLog(c: V1Context, path: string, policy: readonly PolicyBank[]): Promise<void> {
  const message = await ownLog(c, policy, "debug");
  if (message === undefined || !(await takesLogs(c, path))) return;
  await sent(c, path, message, "debug", "The token did not take the event log");
}

/**
 * Whether the token has the resource: asked with nothing, which is malformed where it has. A token of the reference, which bears no long
 * bodies, so gets none, and neither does one whose answer is against the rules.
 */
async function takesLogs({ wire, log }: V1Context, path: string): Promise<boolean> {
  try {
    await wire.ask("an empty event log", { method: "POST", path, contentFormat: ContentFormat.Cbor });
  } catch (error) {
    if (error instanceof TokenRefused && error.code === Code.BadRequest) return true;
    if (!(error instanceof TokenRefused || error instanceof TokenAnswerError)) throw error;
  }
  log.write("debug", "The token takes no event logs");
  return false;
}

async function sent(
  { wire, log }: V1Context,
  path: string,
  payload: Uint8Array,
  level: "warn" | "debug",
  otherwise: string,
): Promise<void> {
  try {
    await wire.ask("the event log", { method: "POST", path, contentFormat: ContentFormat.Cbor, payload });
  } catch (error) {
    if (!(error instanceof TokenRefused || error instanceof TokenAnswerError)) throw error;
    log.write(level, `${otherwise}: ${error.message}`);
  }
}

/** The logs of this boot as one message of the policy's bank; undefined when there are none that can be sent, which is told at `level`. */
async function ownLog(
  { eventLogs, log }: V1Context,
  policy: readonly PolicyBank[],
  level: "warn" | "debug",
): Promise<Uint8Array | undefined> {
  const [bank, ...others] = policy;
  if (eventLogs === undefined || bank === undefined || others.length > 0) return undefined;
  const unsent = (why: string): undefined => {
    log.write(level, `This computer's event logs are not sent: ${why}`);
  };
  const files = await readable(eventLogs, unsent);
  if (files === undefined || files.length === 0) return undefined;
  try {
    const logs = files.map((file) => decodeEventLog(file).events);
    return encodeLogMessage(summarize(logs, bank.algorithm, bank.mask));
  } catch (error) {
    if (!(error instanceof CodecError || error instanceof RangeError)) throw error; // malformed, or longer than a message
    return unsent(error.message);
  }
}

/** Whatever it rejects with is a sentence: that of a file that may not be read, usually. */
async function readable(
  eventLogs: EventLogs,
  unsent: (why: string) => undefined,
): Promise<readonly Uint8Array[] | undefined> {
  try {
    return await eventLogs.read();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return unsent(error.message);
  }
}

import { CodecError } from "../../shared/bytes/index.ts";
import { type CoapReply, Code, diagnostic, OptionNumber, uintOption } from "../../shared/coap/index.ts";
import type { Log } from "../../shared/ports/index.ts";
import { TpmError, TpmRc, TpmUnreachable } from "../../shared/tpm/index.ts";
import { PcrsChangingError, TpmBusyError } from "../tpm/index.ts";

/** Until when a client that was turned away may try again. */
const RETRY_AFTER_S = 1;

/**
 * Runs what asks the TPM. Its trouble is never the peer's fault here: not reached, busy or locked out answers 5.03, anything else that the
 * TPM says 5.00, both with a sentence. What is none of these goes on as it is: a bug.
 */
export async function withTpm(log: Log, ask: () => Promise<CoapReply>): Promise<CoapReply> {
  try {
    return await ask();
  } catch (error) {
    const reply = replyTo(error);
    if (reply === undefined) throw error;
    const sentence = error instanceof Error ? error.message : String(error);
    log.write("error", sentence, { error: sentence }); // no Error: it is no bug, and its stack tells nobody anything
    return reply;
  }
}

/** Whether it is one of the errors that the TPM client rejects with; anything else is a bug. */
export function isTpmTrouble(error: unknown): error is Error {
  return error instanceof Error && replyTo(error) !== undefined;
}

function replyTo(error: unknown): CoapReply | undefined {
  if (error instanceof TpmUnreachable) return unavailable("the TPM is not reached");
  if (error instanceof TpmBusyError) return unavailable("the TPM is busy");
  if (error instanceof PcrsChangingError) return unavailable(error.message);
  if (error instanceof TpmError) {
    if (error.base === TpmRc.LOCKOUT) return unavailable("the TPM is in lockout");
    return diagnostic(Code.InternalServerError, error.message);
  }
  // The TPM's answer made no sense; a CodecError must not come out as the peer's 4.00.
  if (error instanceof CodecError) return diagnostic(Code.InternalServerError, `TPM: ${error.message}`);
  return undefined;
}

function unavailable(text: string): CoapReply {
  return diagnostic(Code.ServiceUnavailable, text, [uintOption(OptionNumber.MaxAge, RETRY_AFTER_S)]);
}

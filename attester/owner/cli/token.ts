import type { Log } from "../../../shared/ports/index.ts";
import { Exit, Stop, untilSignal } from "../../cli/exit.ts";
import { openTokenLink, type TokenPlace, tokenStop } from "../../cli/token-link.ts";
import { closeOpened } from "../../cli/usb-link.ts";
import type { TokenWire } from "../../flows/token-wire.ts";

/**
 * Asks the token that `place` names. A stick is given back, whatever happens. Rejects with Stop, also on a signal: `ended` tells who
 * waits for a person, not for the token.
 */
export async function withToken<T>(
  place: TokenPlace,
  log: Log,
  use: (wire: TokenWire, ended: AbortSignal) => Promise<T>,
): Promise<T> {
  const signals = untilSignal();
  const end = new AbortController();
  const interrupted = signals.signal.then((name): never => {
    end.abort(name);
    throw new Stop(Exit.Refused, `interrupted by ${name}`);
  });
  const opening = openTokenLink(place, log, { signal: end.signal });
  try {
    return await Promise.race([interrupted, opening.then(({ wire }) => use(wire, end.signal))]);
  } catch (error) {
    throw tokenStop(error);
  } finally {
    await closeOpened(opening);
    signals.release();
  }
}

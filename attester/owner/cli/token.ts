import type { Log } from "../../../shared/ports/index.ts";
import { openTokenLink, type TokenPlace, tokenStop } from "../../cli/token-link.ts";
import { closeOnSignal, closeOpened } from "../../cli/usb-link.ts";
import type { TokenWire } from "../../flows/token-wire.ts";

/** Asks the token that `place` names. A stick is given back, whatever happens. Rejects with Stop. */
export async function withToken<T>(place: TokenPlace, log: Log, use: (wire: TokenWire) => Promise<T>): Promise<T> {
  const opening = openTokenLink(place, log);
  const release = place.usb === undefined ? () => undefined : closeOnSignal(opening);
  try {
    const { wire } = await opening;
    return await use(wire);
  } catch (error) {
    throw tokenStop(error);
  } finally {
    release();
    await closeOpened(opening);
  }
}

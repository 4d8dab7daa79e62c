import { CodecError } from "../../../shared/bytes/index.ts";
import {
  type ClientRequest,
  decodeMessage,
  methodOf,
  OptionNumber,
  optionTexts,
  optionUint,
} from "../../../shared/coap/index.ts";
import type { DatagramPort } from "../../../shared/ports/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";

const GRANT = "grant=";

/** A request that shows a grant, or one that a key signed: of an AIK for a grant, of the owner for the token's platforms. */
export type Overheard = "granted" | "signed";

/** A port on which somebody listens: the last request of each kind is his to send again. */
export function overheardPort(
  port: DatagramPort,
  hear: (what: Overheard, request: ClientRequest) => void,
): DatagramPort {
  return {
    local: port.local,
    onDatagram: (listener) => port.onDatagram(listener),
    close: () => port.close(),
    send(datagram, to) {
      const request = requestIn(datagram);
      const what = request && kindOf(request);
      if (request !== undefined && what !== undefined) hear(what, request);
      port.send(datagram, to);
    },
  };
}

function kindOf({ path, query = [] }: ClientRequest): Overheard | undefined {
  if (query.some((argument) => argument.startsWith(GRANT))) return "granted";
  const text = `/${[path].flat().join("/")}`;
  return text === V1.GRANT || text.startsWith(V1.PLATFORMS) ? "signed" : undefined;
}

function requestIn(datagram: Uint8Array): ClientRequest | undefined {
  try {
    const { code, options, payload } = decodeMessage(datagram);
    const method = methodOf(code);
    if (method === undefined) return undefined;
    return {
      ...{ method, payload: payload.slice(), contentFormat: optionUint(options, OptionNumber.ContentFormat) },
      path: optionTexts(options, OptionNumber.UriPath),
      query: optionTexts(options, OptionNumber.UriQuery),
    };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

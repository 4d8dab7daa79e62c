import { CodecError } from "../../../shared/bytes/index.ts";
import { type ClientRequest, decodeMessage, methodOf, OptionNumber, optionTexts } from "../../../shared/coap/index.ts";
import type { DatagramPort } from "../../../shared/ports/index.ts";

const GRANT = "grant=";

/** A port on which somebody listens: the last request that carried a grant is his to send again. */
export function overheardPort(port: DatagramPort, hear: (request: ClientRequest) => void): DatagramPort {
  return {
    local: port.local,
    onDatagram: (listener) => port.onDatagram(listener),
    close: () => port.close(),
    send(datagram, to) {
      const request = grantedRequest(datagram);
      if (request !== undefined) hear(request);
      port.send(datagram, to);
    },
  };
}

function grantedRequest(datagram: Uint8Array): ClientRequest | undefined {
  try {
    const { code, options, payload } = decodeMessage(datagram);
    const [method, query] = [methodOf(code), optionTexts(options, OptionNumber.UriQuery)];
    if (method === undefined || !query.some((argument) => argument.startsWith(GRANT))) return undefined;
    return { method, path: optionTexts(options, OptionNumber.UriPath), query, payload: payload.slice() };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

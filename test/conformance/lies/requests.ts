import {
  type CoapMessage,
  Code,
  ContentFormat,
  emptyMessage,
  isRequest,
  MessageType,
  OptionNumber,
  uintOption,
} from "../../../shared/coap/index.ts";
import type { Peer } from "../../../shared/ports/index.ts";
import type { Lie } from "./lie.ts";
import { keyOf, meant, questionOf, wireLie } from "./mouth.ts";

/** Lies about what was asked, by whom and how often. */

/** Does not see an option of requests. */
export function overlooks(number: number): Lie {
  return wireLie(`overlooks option ${number}`, () => ({
    hear: (message) => ({ ...message, options: message.options.filter((option) => option.number !== number) }),
  }));
}

/** Takes one option for another. */
export function mistakes(number: number, forNumber: number, value?: number): Lie {
  return wireLie(`takes option ${number} for ${forNumber}`, () => ({
    hear: (message) => ({
      ...message,
      options: message.options.map((option) =>
        option.number !== number
          ? option
          : value === undefined
            ? { ...option, number: forNumber }
            : uintOption(forNumber, value),
      ),
    }),
  }));
}

/** Does not look at Content-Formats: what comes is what belongs there. */
export function formatBlind(where: string, format: number = ContentFormat.Cbor): Lie {
  return wireLie(`does not look at the Content-Format of ${where}`, () => ({
    hear(message) {
      const question = questionOf(message);
      if (question === undefined || !meant(where, question)) return message;
      const others = message.options.filter(({ number }) => number !== OptionNumber.ContentFormat);
      return { ...message, options: [...others, uintOption(OptionNumber.ContentFormat, format)] };
    },
  }));
}

/** Uses the session's nonce up where it should not, which begins a session as well. */
export function wastesNonce(where: string): Lie {
  return wireLie(`uses a nonce up at ${where}`, () => {
    let id = 0xa000;
    return {
      hear(message, _from, inject) {
        const question = questionOf(message);
        if (question !== undefined && meant(where, question)) inject(nonceRequest(id++));
        return message;
      },
    };
  });
}

function nonceRequest(messageId: number): CoapMessage {
  const options = ["api", "v1", "nonce"].map((text) => ({
    number: OptionNumber.UriPath,
    value: new TextEncoder().encode(text),
  }));
  return {
    type: MessageType.Con,
    code: Code.Get,
    messageId,
    coapToken: Uint8Array.of(0xee),
    options,
    payload: new Uint8Array(),
  };
}

/** Has no memory of messages: what comes twice runs twice. */
export const runsTwice: Lie = wireLie("runs a message that comes twice twice", () => {
  const seen = new Map<string, number>();
  const real = new Map<number, number>();
  let next = 0xb000;
  return {
    hear(message, from) {
      if (!isRequest(message.code)) return message;
      const key = `${keyOf(from, message)}:${message.coapToken.join()}`;
      if (!seen.has(key)) {
        seen.set(key, message.messageId);
        return message;
      }
      const messageId = next++;
      real.set(messageId, message.messageId);
      return { ...message, messageId };
    },
    say: (answer) => ({ ...answer, messageId: real.get(answer.messageId) ?? answer.messageId }),
  };
});

/** Takes the message that had this id and this token before for the one that comes now. */
export const remembersIds: Lie = wireLie("answers from memory whatever has a known id and token", () => {
  const seen = new Map<string, CoapMessage>();
  return {
    hear(message, from) {
      const key = `${keyOf(from, message)}:${message.coapToken.join()}`;
      const first = seen.get(key) ?? message;
      seen.set(key, first);
      return first;
    },
  };
});

/** Does not answer a message again whose answer was lost. */
export const answersOnce: Lie = wireLie("answers no message again", () => {
  const seen = new Set<string>();
  return {
    hear(message, from) {
      const key = `${keyOf(from, message)}:${message.coapToken.join()}`;
      const again = seen.has(key);
      seen.add(key);
      return again && isRequest(message.code) ? undefined : message;
    },
  };
});

/** Sends answers with no token. */
export const losesTokens: Lie = wireLie("answers without the request's token", () => ({
  say: (answer) => ({ ...answer, coapToken: new Uint8Array() }),
}));

/** Dies of what `kills`. */
export function dies(of: string, kills: { message?(message: CoapMessage): boolean; noise?: number }): Lie {
  return wireLie(`dies of ${of}`, () => {
    let dead = false;
    let noise = 0;
    return {
      dead: () => dead,
      noise() {
        noise++;
        dead ||= kills.noise !== undefined && noise >= kills.noise;
        return true;
      },
      hear(message) {
        dead ||= kills.message?.(message) ?? false;
        return dead ? undefined : message;
      },
    };
  });
}

/** Answers what is no message, and what should go unanswered. */
export const chatty: Lie = wireLie("resets what it should pass over", () => ({
  noise(_datagram, reply) {
    reply(emptyMessage(MessageType.Rst, 1));
    return false;
  },
  hear(message, _from) {
    return message.type === MessageType.Ack ? { ...emptyMessage(MessageType.Con, message.messageId) } : message;
  },
}));

/** Never resets. */
export const resetsNothing: Lie = wireLie("passes over what it should reset", () => ({
  noise: () => false,
  hear: (message) => (message.code === Code.Empty && message.type === MessageType.Con ? undefined : message),
}));

/** Takes all peers for one. */
export const confusesPeers: Lie = {
  name: "takes all peers for one",
  port(honest) {
    const one: Peer = { address: "169.254.0.8", port: 1 };
    let last: Peer = one;
    return {
      local: honest.local,
      close: () => honest.close(),
      send: (datagram) => honest.send(datagram, last),
      onDatagram: (listener) =>
        honest.onDatagram((datagram, from) => {
          last = from;
          listener(datagram, one);
        }),
    };
  },
};

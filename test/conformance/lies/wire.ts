import { CodecError } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  Code,
  ContentFormat,
  codeOf,
  decodeMessage,
  emptyMessage,
  encodeMessage,
  isRequest,
  MessageType,
  type Method,
  methodOf,
  OptionNumber,
  optionTexts,
  uintOption,
} from "../../../shared/coap/index.ts";
import type { DatagramPort, Peer } from "../../../shared/ports/index.ts";
import type { Lie } from "./lie.ts";

/** What a liar on the token's port may do with each message; undefined keeps it back. */
export interface Mouth {
  hear?(message: CoapMessage, from: Peer, inject: (message: CoapMessage) => void): CoapMessage | undefined;
  say?(answer: CoapMessage, asked: Asked, to: Peer): CoapMessage | undefined;
  /** A datagram that is no CoAP message; false keeps it from the token. */
  noise?(datagram: Uint8Array, reply: (message: CoapMessage) => void): boolean;
  /** The token is dead: nothing goes in or out. */
  dead?(): boolean;
}

export interface Asked {
  readonly method: Method;
  readonly path: string;
  readonly message: CoapMessage;
}

/** A fresh liar for each token. */
export function wireLie(name: string, makeMouth: () => Mouth): Lie {
  return { name, port: (honest) => lyingPort(honest, makeMouth()) };
}

const keyOf = (peer: Peer, { messageId }: CoapMessage): string => `${peer.address}:${peer.port}:${messageId}`;

function lyingPort(honest: DatagramPort, mouth: Mouth): DatagramPort {
  const asked = new Map<string, Asked>();
  const answered = new Map<string, Asked>();
  const injected = new Set<string>();
  return {
    local: honest.local,
    close: () => honest.close(),
    send(datagram, to) {
      if (mouth.dead?.() === true) return;
      const message = decodeMessage(datagram);
      const key = keyOf(to, message);
      if (injected.delete(key)) return;
      const question = asked.get(key) ?? answered.get(tokenKey(to, message));
      const said = question === undefined || mouth.say === undefined ? message : mouth.say(message, question, to);
      if (said !== undefined) honest.send(encodeMessage(said), to);
    },
    onDatagram(listener) {
      const remember = (question: Asked, from: Peer, heard: CoapMessage): void => {
        asked.set(keyOf(from, heard), question);
        answered.set(tokenKey(from, heard), question);
      };
      const hear = (message: CoapMessage, from: Peer): CoapMessage | undefined => {
        const inject = (extra: CoapMessage): void => {
          injected.add(keyOf(from, extra));
          listener(encodeMessage(extra), from);
        };
        return mouth.hear === undefined ? message : mouth.hear(message, from, inject);
      };
      const noise = (datagram: Uint8Array, from: Peer): void => {
        const pass = mouth.noise?.(datagram, (reply) => honest.send(encodeMessage(reply), from)) ?? true;
        if (pass && mouth.dead?.() !== true) listener(datagram, from);
      };
      return honest.onDatagram((datagram, from) => {
        if (mouth.dead?.() === true) return;
        const message = messageOf(datagram);
        if (message === undefined) {
          noise(datagram, from);
          return;
        }
        const heard = hear(message, from);
        if (heard === undefined) return;
        const question = questionOf(message);
        if (question !== undefined) remember(question, from, heard);
        listener(encodeMessage(heard), from);
      });
    },
  };
}

const tokenKey = ({ address, port }: Peer, { coapToken }: CoapMessage): string =>
  `${address}:${port}:${coapToken.join()}`;

function messageOf(datagram: Uint8Array): CoapMessage | undefined {
  try {
    return decodeMessage(datagram);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

function questionOf(message: CoapMessage): Asked | undefined {
  const method = isRequest(message.code) ? methodOf(message.code) : undefined;
  if (method === undefined) return isRequest(message.code) ? { method: "GET", path: "", message } : undefined;
  return { method, path: `/${optionTexts(message.options, OptionNumber.UriPath).join("/")}`, message };
}

/** "POST /api/v1/attest/*": a star stands for anything. */
export function meant(where: string, { method, path }: Asked): boolean {
  const [wantedMethod = "", wantedPath = ""] = where.split(" ");
  if (wantedMethod !== "*" && wantedMethod !== method) return false;
  if (!wantedPath.includes("*")) return wantedPath === path;
  const pattern = wantedPath.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`, "s").test(path);
}

const code = (text: string): number => codeOf(text) ?? 0;

/** Answers `where` with another code than the honest one. */
export function says(other: string, where: string, insteadOf?: string): Lie {
  return wireLie(`answers ${other} to ${where}${insteadOf === undefined ? "" : ` instead of ${insteadOf}`}`, () => ({
    say(answer, asked) {
      const lies = meant(where, asked) && (insteadOf === undefined || answer.code === code(insteadOf));
      return lies && answer.code !== Code.Empty ? { ...answer, code: code(other) } : answer;
    },
  }));
}

/** Refuses what it should do. */
export function refuses(where: string, withCode = "4.03"): Lie {
  return wireLie(`refuses ${where} (${withCode})`, () => ({
    say: (answer, asked) =>
      meant(where, asked) && answer.code >> 5 === 2 && answer.code !== Code.Continue
        ? { ...answer, code: code(withCode), options: [], payload: new Uint8Array() }
        : answer,
  }));
}

/** Calls every refusal a success. */
export function takes(where: string, withCode = "2.01"): Lie {
  return wireLie(`takes whatever comes to ${where}`, () => ({
    say: (answer, asked) =>
      meant(where, asked) && answer.code >= 0x80
        ? { ...answer, code: code(withCode), payload: new Uint8Array() }
        : answer,
  }));
}

/** Says that it did it, and does nothing. */
export function pretends(where: string, withCode: string): Lie {
  return wireLie(`only pretends to do ${where}`, () => {
    return {
      hear(message) {
        const question = questionOf(message);
        if (question === undefined || !meant(where, question)) return message;
        // asked for something harmless instead, and answered as if
        const options = [{ number: OptionNumber.UriPath, value: new TextEncoder().encode("nothing") }];
        return { ...message, options, payload: new Uint8Array() };
      },
      say: (answer, asked) =>
        meant(where, asked) && answer.code !== Code.Empty
          ? { ...answer, code: code(withCode), options: [], payload: new Uint8Array() }
          : answer,
    };
  });
}

/** Leaves an option out of its answers. */
export function omits(number: number, where = "* *"): Lie {
  return wireLie(`leaves option ${number} out of its answers to ${where}`, () => ({
    say: (answer, asked) =>
      meant(where, asked)
        ? { ...answer, options: answer.options.filter((option) => option.number !== number) }
        : answer,
  }));
}

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

/** Changes the payload of successes. */
export function misreports(what: string, where: string, change: (payload: Uint8Array) => Uint8Array): Lie {
  return wireLie(what, () => ({
    say: (answer, asked) =>
      meant(where, asked) && answer.code >> 5 === 2 ? { ...answer, payload: change(answer.payload) } : answer,
  }));
}

/** Gives the first success to a question again and again. */
export function repeats(where: string): Lie {
  return wireLie(`gives its first answer to ${where} again`, () => {
    let first: CoapMessage | undefined;
    return {
      say(answer, asked) {
        if (!meant(where, asked) || answer.code >> 5 !== 2) return answer;
        first ??= answer;
        return { ...answer, options: first.options, payload: first.payload };
      },
    };
  });
}

/** Errors without a sentence. */
export const explainsNothing: Lie = wireLie("says nothing with its errors", () => ({
  say: (answer) => (answer.code >= 0x80 ? { ...answer, payload: new Uint8Array() } : answer),
}));

/** Never answers. */
export function ignores(where: string): Lie {
  return wireLie(`never answers ${where}`, () => ({
    say: (answer, asked) => (meant(where, asked) ? undefined : answer),
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

export const startsSession = wastesNonce;

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

import { CodecError } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  decodeMessage,
  encodeMessage,
  isRequest,
  type Method,
  methodOf,
  OptionNumber,
  optionTexts,
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

export const keyOf = (peer: Peer, { messageId }: CoapMessage): string => `${peer.address}:${peer.port}:${messageId}`;

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

/** What a message asks; undefined for what is no request. */
export function questionOf(message: CoapMessage): Asked | undefined {
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

import type { BlockSize, CoapOption, Method } from "../../../shared/coap/index.ts";
import type { Wire } from "./wire.ts";

/** What a client is told to ask. */
export interface Ask {
  readonly method: Method;
  readonly path: string;
  readonly query?: readonly string[];
  readonly payload?: Uint8Array;
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly options?: readonly CoapOption[];
  /** Default true. */
  readonly confirmable?: boolean;
  /** Asked for with the first request already. */
  readonly blockSize?: BlockSize;
  /** A CoAP token of no bytes. */
  readonly withoutToken?: boolean;
}

/** Between client and server. */
export interface ReverseProxy {
  /** What it and the server say to each other. */
  readonly behind: Wire;
  /** So much time goes by for what it keeps. */
  pass(ms: number): void;
}

/** A client and a server with a wire between them, or a proxy and two wires. */
export interface Scene {
  /** The client's. */
  readonly wire: Wire;
  readonly proxy: ReverseProxy | undefined;
  /** Whether the client is still there when a response comes a second time. */
  readonly clientStays: boolean;
  /** The body that the client gives its user. */
  ask(request: Ask): Promise<Uint8Array>;
  /** Rejects when nobody answers. */
  ping(): Promise<void>;
  /** Resolves when what has been seen on the wire is enough; rejects when that does not come about. */
  until(enough: () => boolean): Promise<void>;
  close(): Promise<void>;
}

/** One test description; `run` has its steps and rejects at the first that is not as described. */
export interface Description {
  readonly id: string;
  readonly about: string;
  /** Default false. */
  readonly proxied?: boolean;
  run(scene: Scene): Promise<void>;
}

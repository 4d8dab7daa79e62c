import { LIBCOAP_CLIENT, LIBCOAP_SERVER } from "../../support/libcoap.ts";
import { BLOCK } from "./block.ts";
import { CORE } from "./core.ts";
import { libcoapClient } from "./libcoap-client.ts";
import { LINK } from "./link.ts";
import { LOSSY } from "./lossy.ts";
import { nodeCoapClient } from "./node-coap.ts";
import { oursToOurs } from "./ours.ts";
import { PROXIED } from "./proxied.ts";
import type { Description, Scene } from "./scene.ts";
import { libcoapServer, nodeCoapServer, ourClient, ourServer, sceneOver } from "./udp.ts";
import { VALIDATION } from "./validation.ts";

/** Client and server, by the names that the table has. */
export interface Pair {
  readonly name: string;
  readonly programs: readonly string[];
  /** With a reverse proxy between them where wanted. */
  open(proxied: boolean): Promise<Scene>;
}

const OURS = "fobnail";
const LIBCOAP = "libcoap";
const NODE = "node `coap`";

export const PAIRS: readonly Pair[] = [
  { name: `${OURS} asks ${OURS}`, programs: [], open: oursToOurs },
  {
    name: `${LIBCOAP} asks ${OURS}`,
    programs: [LIBCOAP_CLIENT],
    open: async (proxied) => sceneOver(await libcoapClient(), await ourServer(), proxied),
  },
  {
    name: `${NODE} asks ${OURS}`,
    programs: [],
    open: async (proxied) => sceneOver(await nodeCoapClient(), await ourServer(), proxied),
  },
  {
    name: `${OURS} asks ${LIBCOAP}`,
    programs: [LIBCOAP_SERVER],
    open: async (proxied) => sceneOver(await ourClient(), await libcoapServer(), proxied),
  },
  {
    name: `${OURS} asks ${NODE}`,
    programs: [],
    open: async (proxied) => sceneOver(await ourClient(), await nodeCoapServer(), proxied),
  },
];

export const DESCRIPTIONS: readonly Description[] = [
  ...byId([...CORE, ...LOSSY, ...VALIDATION, ...PROXIED]),
  ...BLOCK,
  ...LINK,
];

function byId(descriptions: readonly Description[]): readonly Description[] {
  return descriptions.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** CoAP servers, each in a process of its own, asked in turn by the same client over the loopback. */
import { readFileSync } from "node:fs";
import { realClock } from "../../hw/clock/real.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { createEndpoint } from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { TEST_PROGRAMS_FOLDER } from "../support/built.ts";
import { LIBCOAP_SERVER, startLibcoapServer } from "../support/libcoap.ts";
import { Processes } from "../support/process.ts";
import { isInstalled } from "../support/programs.ts";
import { type Bench, type Figure, medianOf, type Note, type Probe, type Result } from "./bench.ts";
import { getScript, putScript, RawClient, type Script } from "./coap-client.ts";

const LIBCOAP = "libcoap";
const OURS = "fobnail";
const BARE = "bare dgram";
const NODE_COAP = "node coap";
/** Way and argument of the program of servers. */
const OWN_SERVERS = [
  [OURS, "fobnail"],
  [BARE, "bare"],
  [NODE_COAP, "node-coap"],
] as const;

const BODY = new Uint8Array(4_096).fill(0x78);

/** What is measured: so many exchanges a time, one lane for each script. */
interface Thing {
  readonly what: string;
  readonly count: number;
  readonly scripts: readonly Script[];
  /**
   * Exchanges a second, of ours to those of another way. None with one in flight: how soon the system wakes the two processes decides there, and
   * differs threefold from one run to the next.
   */
  readonly goals: Readonly<Record<string, number>>;
}

const GOALS = { [BARE]: 0.9, [NODE_COAP]: 3 };
const GET_GOALS = { [LIBCOAP]: 1, ...GOALS };
const PUT_GOALS = { [LIBCOAP]: 0.85, ...GOALS };

function get(inFlight: number, count: number): Thing {
  const scripts = Array.from({ length: inFlight }, getScript);
  return { what: `GET, ${inFlight} in flight`, count, scripts, goals: inFlight === 1 ? {} : GET_GOALS };
}

/** A path for each lane: bodies for one path from one peer take turns (RFC 7959, section 2.5). */
function put(inFlight: number, count: number): Thing {
  const scripts = Array.from({ length: inFlight }, (_, lane) => putScript(`b${lane}`, BODY));
  return { what: `PUT of 4 KB, ${inFlight} in flight`, count, scripts, goals: inFlight === 1 ? {} : PUT_GOALS };
}

/** Four bodies under way are what our server keeps of one peer. So many a time that every time has its share of collecting garbage. */
const THINGS: readonly Thing[] = [get(1, 500), get(16, 2_000), put(1, 125), put(4, 500)];

interface Server {
  readonly way: string;
  readonly pid: number;
  readonly client: RawClient;
  /** By thing: exchanges, and nanoseconds of the processor that the server's main thread took for them. */
  readonly spent: Map<string, { exchanges: number; ns: number }>;
}

/** Nanoseconds on a processor, of the main thread; 0 where the system does not tell. */
function processorNs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[0]);
  } catch {
    return 0; // no Linux
  }
}

function probe({ what, count, scripts }: Thing, { way, pid, client, spent }: Server): Probe {
  const sum = { exchanges: 0, ns: 0 };
  spent.set(what, sum);
  return {
    what: `${what}, ${count} times`,
    way,
    async run() {
      const before = processorNs(pid);
      await client.run(scripts, count);
      sum.ns += processorNs(pid) - before;
      sum.exchanges += count;
    },
  };
}

function figuresOf(results: readonly Result[]): readonly Figure[] {
  const there = new Set(results.map(({ way }) => way));
  return THINGS.flatMap(({ what, count, goals }) => {
    const median = (way: string) => medianOf(results, `${what}, ${count} times`, way);
    return Object.entries(goals)
      .filter(([way]) => there.has(way))
      .map(([way, atLeast]) => ({
        figure: `CoAP ${what}, a second: ${OURS} : ${way}`,
        value: median(way) / median(OURS),
        unit: "",
        goal: { atLeast },
      }));
  });
}

function notesOf(servers: readonly Server[]): readonly Note[] {
  return THINGS.map(({ what }) => {
    const each = servers.map(({ way, spent }) => {
      const { exchanges = 1, ns = 0 } = spent.get(what) ?? {};
      return [way, Number((ns / exchanges / 1_000).toFixed(1))] as const;
    });
    const list = each.map(([way, us]) => `${way} ${us}`).join(", ");
    return { what: `${what}: processor time of the server for each, in us: ${list}`, ...Object.fromEntries(each) };
  });
}

/** Returns once something answers there. */
async function untilThere(peer: Peer): Promise<void> {
  const port = await openUdpPort("127.0.0.1", 0);
  const endpoint = createEndpoint({ port, clock: realClock, random: systemRandom });
  try {
    await endpoint.ping(peer, { ackTimeoutMs: 20, backoffFactor: 1, maxRetransmit: 200 });
  } finally {
    endpoint.close();
    await port.close();
  }
}

export const coap: Bench = {
  name: "coap",
  about: "CoAP servers over UDP, asked by the same client: GET, and PUT in four blocks",
  iterations: 40,
  round: 1,
  async open() {
    const processes = new Processes();
    const closers: (() => unknown)[] = [() => processes.killAll()];
    const close = async () => {
      for (const closer of closers) await closer();
    };
    const servers: Server[] = [];
    const add = async (way: string, pid: number, port: number) => {
      const client = await RawClient.open(port);
      closers.push(() => client.close());
      servers.push({ way, pid, client, spent: new Map() });
    };
    try {
      if (isInstalled(LIBCOAP_SERVER)) {
        const libcoap = await startLibcoapServer("-d", "10");
        closers.push(() => libcoap.stop());
        await untilThere(libcoap.peer);
        await add(LIBCOAP, libcoap.pid, libcoap.peer.port);
      }
      for (const [way, name] of OWN_SERVERS) {
        const started = processes.start([name], { program: `${TEST_PROGRAMS_FOLDER}/bench/coap-server` });
        const [, port] = await started.line(/^port (\d+)$/);
        await add(way, started.pid, Number(port));
      }
      const probes = THINGS.flatMap((thing) => servers.map((server) => probe(thing, server)));
      return { probes, figures: figuresOf, notes: () => notesOf(servers), close };
    } catch (error) {
      await close();
      throw error;
    }
  },
};

/** What the layers between a program and the token cost: Ethernet in memory, the stick's USB in this process, the same by USB/IP. */
import { realClock } from "../../hw/clock/real.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { createMemoryLinkPair } from "../../hw/net/memory.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { openUsbipServer } from "../../hw/usb-device/usbip/index.ts";
import { createMemoryUsbHost } from "../../hw/usb-host/memory.ts";
import { chooseStick } from "../../hw/usb-host/spec.ts";
import { openStickLink } from "../../hw/usb-host/stick-link.ts";
import { createUsbipHost } from "../../hw/usb-host/usbip-host.ts";
import { createEndpoint } from "../../shared/coap/index.ts";
import { createHost, type Host } from "../../shared/net/index.ts";
import type { FrameLink, Log } from "../../shared/ports/index.ts";
import { V1, V1_PORT, V1_TOKEN_ADDRESS } from "../../shared/protocol/index.ts";
import { profileNamed } from "../../token/domain/profile.ts";
import { createToken, TOKEN_MAC, type Token } from "../../token/token.ts";
import { type Bench, medianOf, type Probe } from "./bench.ts";

const COMPUTER = "169.254.0.8";
const MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 8);
const TOKEN = { address: V1_TOKEN_ADDRESS, port: V1_PORT };
/** As `ping` sends it, and the largest that a frame holds. */
const SIZES = [56, 1472] as const;
const IN_PROCESS = "USB in this process";
const SILENT: Log = { write: () => undefined };

type Close = () => Promise<void>;

/** A computer with a token at the other end. */
interface Way {
  readonly way: string;
  readonly host: Host;
  readonly close: Close;
}

/** As on any bus, what is sent moves once its sender has finished. */
const MOVES = { schedule: queueMicrotask } as const;

function makeToken(): Token {
  const leds = { show: () => undefined };
  const button = { onChange: () => () => undefined };
  const env = { clock: realClock, random: systemRandom, flash: createRamFlash(), leds, button, log: SILENT };
  return createToken(env, { api: "v1", profile: profileNamed("strict") });
}

function overFrames(way: string, link: FrameLink, leave: Close): Way {
  const host = createHost({ link, mac: MAC, address: COMPUTER, clock: realClock });
  const close = async () => {
    host.close();
    await leave();
  };
  return { way, host, close };
}

async function inMemory(): Promise<Way> {
  const token = makeToken();
  const [here, there] = createMemoryLinkPair(MOVES);
  const host = createHost({ link: there, mac: TOKEN_MAC, address: TOKEN.address, clock: realClock });
  const stop = token.serve(host.udp(TOKEN.port));
  return overFrames("Ethernet in memory", here, async () => {
    stop();
    host.close();
    token.stop();
  });
}

async function inProcess(): Promise<Way> {
  const token = makeToken();
  const bus = createMemoryUsbHost(token.usb, { clock: realClock, ...MOVES });
  bus.plug();
  return overFrames(IN_PROCESS, bus.link, async () => {
    bus.unplug();
    token.stop();
  });
}

async function byUsbip(): Promise<Way> {
  const token = makeToken();
  const env = { clock: realClock, log: SILENT };
  const sticks = [{ busid: "1-1", device: token.usb }];
  const server = await openUsbipServer({ host: "127.0.0.1", port: 0, sticks, ...env });
  const host = createUsbipHost({ host: "127.0.0.1", port: server.local.port });
  const stick = await openStickLink(await host.claim(chooseStick(await host.find())), env);
  return overFrames("USB/IP over loopback", stick.link, async () => {
    await stick.close();
    await host.close();
    await server.close();
    token.stop();
  });
}

const nameOfEcho = (size: number) => `ICMP echo, ${size} bytes`;

function echo(size: number, { way, host }: Way): Probe {
  const data = new Uint8Array(size);
  return {
    what: nameOfEcho(size),
    way,
    async run() {
      const result = await host.ping(TOKEN.address, data);
      if (!result.ok) throw new Error(`${way}: no echo (${result.reason})`);
    },
  };
}

function version({ way, host }: Way): Probe {
  const endpoint = createEndpoint({ port: host.udp(), clock: realClock, random: systemRandom });
  return {
    what: `CoAP GET ${V1.VERSION}`,
    way,
    async run() {
      const { payload } = await endpoint.request(TOKEN, { method: "GET", path: V1.VERSION });
      if (payload.byteLength === 0) throw new Error(`${way}: an empty answer`);
    },
  };
}

export const usb: Bench = {
  name: "usb",
  about: "round trips to the token through its USB, in this process and by USB/IP",
  async open() {
    const ways = [await inMemory(), await inProcess(), await byUsbip()];
    return {
      probes: [...SIZES.flatMap((size) => ways.map((way) => echo(size, way))), ...ways.map(version)],
      figures: (results) => [
        {
          figure: "ICMP echo through host stack, EEM, USB device and token",
          value: medianOf(results, nameOfEcho(SIZES[0]), IN_PROCESS),
          unit: "ms",
          goal: { atMost: 0.2 },
        },
      ],
      async close() {
        for (const { close } of ways) await close();
      },
    };
  },
};

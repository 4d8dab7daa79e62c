import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { createMemoryUsbHost, type MemoryUsbHost } from "../../../hw/usb-host/memory.ts";
import { createHost } from "../../../shared/net/index.ts";
import type { DatagramPort, FrameLink, Leds, Log, Peer } from "../../../shared/ports/index.ts";
import { V1_PORT, V1_TOKEN_ADDRESS } from "../../../shared/protocol/index.ts";
import type { EnrolmentRule } from "../../../token/domain/domain.ts";
import { profileNamed } from "../../../token/domain/profile.ts";
import { createToken, type Token } from "../../../token/token.ts";
import { DatagramNet } from "../../support/datagram-net.ts";
import { seededRandom } from "../../support/random.ts";
import type { Keys } from "../keys.ts";
import type { Lie } from "../lies/lie.ts";
import type { ProfileName } from "../row.ts";
import { type Time, virtualTime } from "../time.ts";
import { loopbackPorts } from "./loopback.ts";
import type { LampChange, Stage } from "./target.ts";

/** `usb`: over the whole emulated stick. `net`: datagrams in memory. `udp`: sockets of this machine. Time is virtual in all three. */
export type EmulatorLink = "usb" | "net" | "udp";

export interface EmulatorOptions {
  readonly link: EmulatorLink;
  readonly profile: ProfileName;
  readonly keys: Keys;
  /** Makes the token a liar; only over `net`. */
  readonly lie?: Lie | undefined;
  readonly log?: Log | undefined;
  /** `--enrol` of the token. */
  readonly enrols?: EnrolmentRule | undefined;
}

const COMPUTER = "169.254.0.8";
const COMPUTER_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 8);
const FIRST_PORT = 40_000;
const USB_MTU = 1500;
const SMALL_FLASH = { pageBytes: 4096, pages: 14 } as const;
const SILENT: Log = { write: () => undefined };

interface Wire {
  readonly token: Peer;
  readonly time: Time;
  open(): Promise<DatagramPort>;
  /** Puts a token at the other end. */
  plug(token: Token): void;
  unplug(): void;
  close(): Promise<void>;
}

/** The computer stays the same when another stick is plugged in. */
function usbWire(clock: VirtualClock): Wire {
  const listeners = new Set<(frame: Uint8Array) => void>();
  let bus: MemoryUsbHost | undefined;
  const link: FrameLink = {
    mtu: USB_MTU,
    send: (frame) => bus?.link.send(frame),
    onFrame(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => undefined,
  };
  const host = createHost({ link, mac: COMPUTER_MAC, address: COMPUTER, clock, limits: { maxPorts: 1024 } });
  return {
    token: { address: V1_TOKEN_ADDRESS, port: V1_PORT },
    time: virtualTime(clock, macrotask),
    open: async () => host.udp(),
    plug(token) {
      bus = createMemoryUsbHost(token.usb, { clock });
      bus.link.onFrame((frame) => {
        for (const listener of listeners) listener(frame);
      });
      bus.plug();
    },
    unplug: () => bus?.unplug(),
    async close() {
      bus?.unplug();
      host.close();
    },
  };
}

function netWire(clock: VirtualClock, lie: Lie | undefined): Wire {
  const net = new DatagramNet();
  const token: Peer = { address: V1_TOKEN_ADDRESS, port: V1_PORT };
  const port = net.open(token.address, token.port);
  let next = FIRST_PORT;
  let unplug = (): void => undefined;
  return {
    token,
    time: virtualTime(clock, macrotask),
    open: async () => net.open(COMPUTER, next++),
    plug(plugged) {
      unplug = plugged.serve(lie?.port?.(port, clock) ?? port);
    },
    unplug: () => unplug(),
    close: async () => unplug(),
  };
}

async function udpWire(clock: VirtualClock): Promise<Wire> {
  const ports = loopbackPorts();
  const port = await ports.open();
  let unplug = (): void => undefined;
  return {
    token: port.local,
    time: virtualTime(clock, ports.settle),
    open: ports.open,
    plug(token) {
      unplug = token.serve(port);
    },
    unplug: () => unplug(),
    async close() {
      unplug();
      await ports.close();
    },
  };
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function wireOf(link: EmulatorLink, clock: VirtualClock, lie: Lie | undefined): Promise<Wire> {
  if (link === "usb") return usbWire(clock);
  return link === "net" ? netWire(clock, lie) : udpWire(clock);
}

export interface EmulatedStage extends Omit<Stage, "enrolled"> {
  readonly lamps: readonly LampChange[];
  restart(): Promise<void>;
  /** The flash as it is now. */
  image(): Uint8Array;
}

/** A token whose flash begins with `image`; erased without one. */
export async function emulate(
  { link, profile, keys, lie, log = SILENT, enrols }: EmulatorOptions,
  { image, small = false }: { readonly image?: Uint8Array | undefined; readonly small?: boolean } = {},
): Promise<EmulatedStage> {
  const clock = new VirtualClock();
  const flash = small ? createRamFlash(SMALL_FLASH, image) : createRamFlash(undefined, image);
  const lamps: LampChange[] = [];
  const shown: Leds = { show: (now) => void lamps.push({ at: clock.now(), lamps: now }) };
  const random = seededRandom(1, "conformance-token");
  const wire = await wireOf(link, clock, lie);
  const honest = profileNamed(profile);
  const makeToken = (): Token =>
    createToken(
      {
        clock: lie?.clock?.(clock) ?? clock,
        random: lie?.random?.(random) ?? random,
        flash: lie?.flash?.(flash) ?? flash,
        leds: lie?.leds?.(shown, clock) ?? shown,
        log,
        button: { onChange: () => () => undefined },
      },
      {
        api: "v1",
        enrols,
        profile: lie?.profile?.(honest) ?? honest,
        ownerRoot: keys.owner.root,
        ekRoots: keys.vendor === undefined ? [] : [keys.vendor.certificate],
        ...(lie?.storage === undefined ? {} : { storage: lie.storage }),
      },
    );
  let token = makeToken();
  wire.plug(token);
  return {
    token: wire.token,
    time: wire.time,
    openPort: wire.open,
    lamps,
    image: () => flash.image(),
    async restart() {
      wire.unplug();
      token.stop();
      token = makeToken();
      wire.plug(token);
    },
    async close() {
      await wire.close();
      token.stop();
    },
  };
}

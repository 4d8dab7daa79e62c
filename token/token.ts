import { createEndpoint } from "../shared/coap/index.ts";
import { createHost } from "../shared/net/index.ts";
import type { DatagramPort, Peer, Unsubscribe } from "../shared/ports/index.ts";
import { DEFAULT_POLICY, V1_PORT } from "../shared/protocol/index.ts";
import type { UsbDevice } from "../shared/usb/index.ts";
import type { Certificate } from "../shared/x509/index.ts";
import { createDriver } from "./client/driver.ts";
import { createDomain, type Domain, type EnrolmentRule } from "./domain/domain.ts";
import type { TokenEvent } from "./domain/events.ts";
import type { FileLimits } from "./domain/files.ts";
import type { Profile } from "./domain/profile.ts";
import type { TokenEnv } from "./env.ts";
import { runLamps } from "./lamps.ts";
import { report } from "./report.ts";
import { createServer } from "./server/index.ts";
import { openStore } from "./storage/index.ts";
import { createEemFunction } from "./usb/index.ts";

/** How long the button must be held to wipe the token. */
const WIPE_HOLD_MS = 10_000;
/** Of the API v0 driver, which only asks. */
const SOURCE_PORT = 49_152;

export const TOKEN_ADDRESS = "169.254.0.1";
/** The reference stick's. */
export const TOKEN_MAC: Uint8Array = Uint8Array.of(0x00, 0x11, 0x22, 0x33, 0x44, 0x55);
export const ATTESTER_PEER: Peer = { address: "169.254.0.8", port: 5683 };

export interface TokenConfig {
  /** Who asks: the token (v0) or the computer (v1). */
  readonly api: "v0" | "v1";
  readonly profile: Profile;
  /** USB serial number. */
  readonly serial?: string;
  /** Of its end of the USB link: six bytes, unicast. TOKEN_MAC unless said otherwise; sticks on one computer need different ones. */
  readonly mac?: Uint8Array | undefined;
  /** API v0: whom the token asks. */
  readonly attester?: Peer;
  /** API v0: whose server provisions the token; the attester's address unless said otherwise. */
  readonly owner?: Peer;
  /** Roots to keep beside those in the flash. */
  readonly ownerRoot?: Certificate | undefined;
  readonly ekRoots?: readonly Certificate[];
  /** API v0: whether an unknown platform is enrolled although others are known. */
  readonly enrolNew?: boolean;
  /** Both APIs: whether further platforms are enrolled while one is known; "any" unless said otherwise. */
  readonly enrols?: EnrolmentRule | undefined;
  /** How much a platform may keep on the token, where it is not DEFAULT_FILE_LIMITS. */
  readonly storage?: Partial<FileLimits>;
}

export interface Token {
  readonly usb: UsbDevice;
  readonly domain: Domain;
  onEvent(listener: (event: TokenEvent) => void): Unsubscribe;
  /** Speaks over this port instead of the USB link, as if plugged in; the returned function unplugs. The port is the caller's to close. */
  serve(port: DatagramPort): Unsubscribe;
  wipe(): void;
  /** How much each table, queue and buffer holds at present, by its name: for those who watch that bounds are kept. */
  holdings(): Readonly<Record<string, number>>;
  /** Power off: timers and lamps stop. What was committed is in the flash. */
  stop(): void;
}

/** What the token does over one port: between attach and detach it is plugged in. */
interface Face {
  attach(): void;
  detach(): void;
  close(): void;
  holdings(): Readonly<Record<string, number>>;
}

/** API v0: the token asks. */
function drives({ clock, random, log }: TokenEnv, config: TokenConfig, domain: Domain, port: DatagramPort): Face {
  const { attester = ATTESTER_PEER, owner = attester, enrolNew = false } = config;
  const endpoint = createEndpoint({ port, clock, random, log });
  const driver = createDriver({ endpoint, clock, domain, attester, owner, enrolNew });
  return { ...driver, close: () => endpoint.close(), holdings: () => endpoint.holdings() };
}

/** The faces of the token's API: v0 drives, v1 serves, with one table of sessions for all ports. */
function facesOf(env: TokenEnv, config: TokenConfig, domain: Domain): (port: DatagramPort) => Face {
  if (config.api === "v0") return (port) => drives(env, config, domain, port);
  const { clock, random, log } = env;
  const server = createServer({ domain, clock, random, log });
  return (port) => {
    let stop: Unsubscribe = () => undefined;
    const detach = (): void => {
      stop();
      stop = () => undefined;
    };
    const attach = (): void => {
      detach();
      stop = server.serve(port);
    };
    return { attach, detach, close: detach, holdings: () => server.holdings() };
  };
}

/** The firmware: wires storage, domain, its API, lamps and the USB function. Everything it does happens within a call from outside or a timer. */
export function createToken(env: TokenEnv, config: TokenConfig): Token {
  const { clock, random, log } = env;
  const store = openStore(env.flash);
  const domain = createDomain({
    store,
    random,
    profile: config.profile,
    policy: DEFAULT_POLICY,
    calendar: env.calendar,
    enrols: config.enrols,
    files: config.storage,
  });
  if (domain.roots.add(config.ownerRoot, config.ekRoots ?? []) === "storage-full") {
    log.write("error", "The root certificates do not fit the token's storage");
  }

  const lamps = runLamps(config.api, domain.provisioned, clock, env.leds);
  domain.onEvent(lamps.tell); // by itself, and before the log: a log that throws keeps no lamp as it was
  domain.onEvent((event) => report(log, event));

  const faceOver = facesOf(env, config, domain);
  const eem = createEemFunction({ serial: config.serial ?? "TEST" });
  const { usb, link, onConfigured } = eem;
  const host = createHost({
    link,
    mac: config.mac ?? TOKEN_MAC,
    address: TOKEN_ADDRESS,
    clock,
    log,
    hearsBroadcasts: false,
  });
  const usbFace = faceOver(host.udp(config.api === "v0" ? SOURCE_PORT : V1_PORT));
  const faces = new Set([usbFace]);
  const attached = new Set<Face>();

  /** Plugged in is who has one link at least: a second one changes nothing for the lamps. */
  const attach = (face: Face): void => {
    attached.add(face);
    face.attach();
    if (attached.size === 1) domain.tell({ type: "attached" });
  };
  const detach = (face: Face): void => {
    if (!attached.delete(face)) return;
    face.detach();
    if (attached.size === 0) domain.tell({ type: "detached" });
  };
  const ignoreUsb = onConfigured((configured) => (configured ? attach(usbFace) : detach(usbFace)));

  const wipe = (): void => {
    for (const face of attached) face.detach();
    domain.wipe();
    for (const face of attached) face.attach();
  };
  let cancelHold: () => void = () => undefined;
  const ignoreButton = env.button.onChange((held) => {
    cancelHold();
    if (held) cancelHold = clock.after(WIPE_HOLD_MS, wipe);
  });

  return {
    usb,
    domain,
    onEvent: (listener) => domain.onEvent(listener),
    serve(port) {
      const face = faceOver(port);
      faces.add(face);
      attach(face);
      return () => {
        detach(face);
        face.close();
        faces.delete(face);
      };
    },
    wipe,
    holdings: () => Object.assign({}, eem.holdings(), host.holdings(), ...[...faces].map((face) => face.holdings())),
    stop() {
      ignoreButton();
      ignoreUsb();
      cancelHold();
      attached.clear();
      for (const face of faces) {
        face.detach();
        face.close();
      }
      host.close();
      lamps.stop();
    },
  };
}

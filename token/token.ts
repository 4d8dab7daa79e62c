import { createEndpoint } from "../shared/coap/index.ts";
import { createHost } from "../shared/net/index.ts";
import type { DatagramPort, Peer, Unsubscribe } from "../shared/ports/index.ts";
import { DEFAULT_POLICY } from "../shared/protocol/index.ts";
import type { UsbDevice } from "../shared/usb/index.ts";
import type { Certificate } from "../shared/x509/index.ts";
import { createDriver, type Driver } from "./client/driver.ts";
import { createDomain, type Domain } from "./domain/domain.ts";
import type { TokenEvent } from "./domain/events.ts";
import type { Profile } from "./domain/profile.ts";
import type { TokenEnv } from "./env.ts";
import { runLamps } from "./lamps.ts";
import type { LedEvent } from "./led/event.ts";
import { report } from "./report.ts";
import { openStore } from "./storage/index.ts";
import { createEemFunction } from "./usb/index.ts";

/** How long the button must be held to wipe the token. */
const WIPE_HOLD_MS = 10_000;
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
  readonly attester?: Peer;
  /** Whose server provisions the token; the attester's address unless said otherwise. */
  readonly owner?: Peer;
  /** Roots to keep beside those in the flash. */
  readonly ownerRoot?: Certificate | undefined;
  readonly ekRoots?: readonly Certificate[];
  /** Whether an unknown platform is enrolled although others are known. */
  readonly enrolNew?: boolean;
}

export interface Token {
  readonly usb: UsbDevice;
  readonly domain: Domain;
  onEvent(listener: (event: TokenEvent) => void): Unsubscribe;
  /** Speaks over this port instead of the USB link, as if plugged in; the returned function unplugs. The port is the caller's to close. */
  serve(port: DatagramPort): Unsubscribe;
  wipe(): void;
  /** Power off: timers and lamps stop. What was committed is in the flash. */
  stop(): void;
}

const LED_EVENTS: ReadonlySet<string> = new Set<LedEvent["type"]>([
  "token-provisioned",
  "platform-provisioned",
  "platform-refused",
  "attested",
  "attestation-failed",
  "attested-sessions",
  "attached",
  "detached",
  "wiped",
]);

function isLedEvent(event: { readonly type: string }): event is LedEvent {
  return LED_EVENTS.has(event.type);
}

/** The firmware: wires storage, domain, the API v0 driver, lamps and the USB function. Everything it does happens within a call from outside or a timer. */
export function createToken(env: TokenEnv, config: TokenConfig): Token {
  const { clock, random, log } = env;
  const { attester = ATTESTER_PEER, owner = attester, enrolNew = false } = config;
  const store = openStore(env.flash);
  const domain = createDomain({
    store,
    random,
    profile: config.profile,
    policy: DEFAULT_POLICY,
    calendar: env.calendar,
  });
  if (domain.roots.add(config.ownerRoot, config.ekRoots ?? []) === "storage-full") {
    log.write("error", "The root certificates do not fit the token's storage");
  }

  const lamps = runLamps(config.api, domain.provisioned, clock, env.leds);
  domain.onEvent((event) => {
    report(log, event);
    if (isLedEvent(event)) lamps.tell(event);
  });

  const driverOver = (port: DatagramPort): Driver & { close(): void } => {
    const endpoint = createEndpoint({ port, clock, random, log });
    const driver = createDriver({ endpoint, clock, domain, attester, owner, enrolNew });
    return { ...driver, close: () => endpoint.close() };
  };

  const { usb, link, onConfigured } = createEemFunction({ serial: config.serial ?? "TEST" });
  const host = createHost({ link, mac: TOKEN_MAC, address: TOKEN_ADDRESS, clock, log });
  const usbDriver = driverOver(host.udp(SOURCE_PORT));
  const drivers = new Set([usbDriver]);
  const attached = new Set<Driver>();

  const attach = (driver: Driver): void => {
    attached.add(driver);
    driver.attach();
    domain.tell({ type: "attached" });
  };
  const detach = (driver: Driver): void => {
    if (!attached.delete(driver)) return;
    driver.detach();
    domain.tell({ type: "detached" });
  };
  const ignoreUsb = onConfigured((configured) => (configured ? attach(usbDriver) : detach(usbDriver)));

  const wipe = (): void => {
    for (const driver of attached) driver.detach();
    domain.wipe();
    for (const driver of attached) driver.attach();
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
      const driver = driverOver(port);
      drivers.add(driver);
      attach(driver);
      return () => {
        detach(driver);
        driver.close();
        drivers.delete(driver);
      };
    },
    wipe,
    stop() {
      ignoreButton();
      ignoreUsb();
      cancelHold();
      attached.clear();
      for (const driver of drivers) {
        driver.detach();
        driver.close();
      }
      host.close();
      lamps.stop();
    },
  };
}

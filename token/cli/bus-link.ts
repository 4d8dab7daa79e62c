import { realClock } from "../../hw/clock/real.ts";
import { InterfaceError, setUpInterface } from "../../hw/net/interface.ts";
import { openTap } from "../../hw/net/tap.ts";
import { openUsbipServer } from "../../hw/usb-device/usbip/index.ts";
import { openUsbredirServer } from "../../hw/usb-device/usbredir/server.ts";
import { createHost } from "../../shared/net/index.ts";
import { V1_PORT } from "../../shared/protocol/index.ts";
import { ATTESTER_PEER, TOKEN_ADDRESS, TOKEN_MAC, type Token } from "../token.ts";
import type { Api } from "./arguments.ts";
import { type BusArguments, busidOf, LINK_LOCAL_BITS, type TcpAddress } from "./bus-options.ts";
import type { Link, LinkEnv } from "./link.ts";

/** All tokens as sticks of one USB/IP server. */
export async function openUsbipLink(
  tokens: readonly Token[],
  at: TcpAddress,
  { log, capture }: LinkEnv,
): Promise<Link> {
  const sticks = tokens.map(({ usb }, index) => {
    const busid = busidOf(index);
    return { busid, device: capture?.wrapUsb(usb, busid) ?? usb };
  });
  const server = await openUsbipServer({ ...at, sticks, clock: realClock, log });
  const sockets = sticks.map(({ busid }) => ({ plug: () => server.plug(busid), unplug: () => server.unplug(busid) }));
  for (const socket of sockets) socket.unplug();
  return {
    reach: { type: "usbip", ...server.local, busids: sticks.map(({ busid }) => busid) },
    sockets,
    close: () => server.close(),
  };
}

/** One token as a stick that a virtual machine may have. */
export async function openUsbredirLink(
  { usb }: Token,
  listen: NonNullable<BusArguments["usbredir"]>,
  { log, capture }: LinkEnv,
): Promise<Link> {
  const device = capture?.wrapUsb(usb, "usbredir") ?? usb;
  const server = await openUsbredirServer({ listen, device, clock: realClock, log });
  const { local } = server;
  server.unplug();
  return {
    reach:
      "path" in local
        ? { type: "usbredir", path: local.path }
        : { type: "usbredir", address: local.host, port: local.port },
    sockets: [server],
    close: () => server.close(),
  };
}

/** The token's IP host on a TAP interface, without USB: as the reference's build for PCs. */
export async function openTapLink(token: Token, api: Api, name: string, { log, capture }: LinkEnv): Promise<Link> {
  const tap = await openTap({ name, log });
  const link = capture?.wrapLink(tap, name) ?? tap;
  const address = await setUpInterface(name, { address: ATTESTER_PEER.address, prefixBits: LINK_LOCAL_BITS }).catch(
    async (error: unknown) => {
      if (error instanceof InterfaceError && error.reason === "permission") {
        log.write("warn", error.message); // somebody else may do it, also later
        return ATTESTER_PEER.address;
      }
      await tap.close();
      throw error;
    },
  );
  let stop: () => void = () => undefined;
  const unplug = () => {
    stop();
    stop = () => undefined;
  };
  const plug = () => {
    unplug();
    const ends = { mac: TOKEN_MAC, address: TOKEN_ADDRESS, hearsBroadcasts: false };
    const host = createHost({ link, ...ends, clock: realClock, log });
    const end = token.serve(api === "v0" ? host.udp() : host.udp(V1_PORT));
    tap.setCarrier(true);
    stop = () => {
      tap.setCarrier(false);
      end();
      host.close();
    };
  };
  tap.setCarrier(false);
  return {
    reach: { type: "tap", name, address, token: TOKEN_ADDRESS },
    sockets: [{ plug, unplug }],
    onLost: (listener) => void tap.onGone(() => listener(`The interface ${name} was deleted`)),
    async close() {
      unplug();
      await tap.close();
    },
  };
}

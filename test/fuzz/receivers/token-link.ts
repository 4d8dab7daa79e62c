/** A token at the other end of a stick's USB, and what a computer can do to it beside honest work. */
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { createMemoryUsbHost } from "../../../hw/usb-host/memory.ts";
import { CodecError, decode, encode } from "../../../shared/bytes/index.ts";
import { EemPacket } from "../../../shared/eem/index.ts";
import { createHost } from "../../../shared/net/index.ts";
import type { Peer } from "../../../shared/ports/index.ts";
import { SetupPacket, type UsbDevice } from "../../../shared/usb/index.ts";
import { createToken, TOKEN_ADDRESS, type TokenConfig } from "../../../token/token.ts";
import { EEM_OUT } from "../../../token/usb/index.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { seededRandom } from "../../support/random.ts";
import { COMPUTER } from "./ip-host.ts";
import { forgetHarmless, isError } from "./receiver.ts";

export const COAP_PORT = 5683;

/** Half of the transfers hold the input as a frame with a right CRC. */
function transferOf(input: Uint8Array): Uint8Array {
  if (input.byteLength % 2 === 0 || input.byteLength > EEM_MAX_FRAME) return input;
  return encode(EemPacket, { kind: "data", crc: "real", frame: input });
}
const EEM_MAX_FRAME = 1518;

function control(usb: UsbDevice, input: Uint8Array): void {
  try {
    usb.control(decode(SetupPacket, input.subarray(0, 8)), input.subarray(8));
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
  }
}

/** Token, stick and the computer's network in memory, in virtual time; nothing is plugged in yet. */
export function tokenBehindLink(config: TokenConfig) {
  const [clock, log] = [new VirtualClock(), new TestLog()];
  const button = { onChange: () => () => undefined };
  const env = { clock, random: seededRandom(2), flash: createRamFlash(), leds: { show: () => undefined }, log, button };
  const token = createToken(env, config);
  const events: string[] = [];
  token.onEvent(({ type }) => events.push(type));
  const usb = createMemoryUsbHost(token.usb, { clock });
  const host = createHost({ link: usb.link, clock, ...COMPUTER });
  const port = host.udp(COAP_PORT);
  let peer: Peer = { address: TOKEN_ADDRESS, port: COAP_PORT };
  let heard = 0;
  usb.link.onFrame(() => heard++);
  port.onDatagram((_, from) => {
    peer = from;
  });
  let turn = 0;
  return {
    ...{ clock, log, token, events, usb, port, host },
    errors: () => log.lines.filter(isError),
    /** By bulk transfers, control requests, frames and datagrams in turn; unplugged now and then. True when frames came back. */
    send(input: Uint8Array): boolean {
      heard = 0;
      if (turn % 4 === 0) token.usb.bulkOut(EEM_OUT, transferOf(input));
      else if (turn % 4 === 1) control(token.usb, input);
      else if (turn % 4 === 2) usb.link.send(input);
      else port.send(input, peer);
      if (++turn % 20 === 0) clock.advance(100);
      if (turn % 400 === 0) {
        usb.unplug();
        usb.plug();
      }
      if (turn % 400 === 0) forgetHarmless(log.lines);
      return heard > 0;
    },
  };
}

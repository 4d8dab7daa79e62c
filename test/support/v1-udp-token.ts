/** A token of API v1 in this process, on a UDP port of the loopback, with its storage in memory. */
import { realClock } from "../../hw/clock/real.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import type { Flash, Lamps, Peer } from "../../shared/ports/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import type { TokenEvent } from "../../token/domain/events.ts";
import { profileNamed } from "../../token/domain/profile.ts";
import { createToken } from "../../token/token.ts";
import { TestLog } from "./coap-pair.ts";

export interface UdpToken {
  readonly peer: Peer;
  readonly log: TestLog;
  readonly events: readonly TokenEvent[];
  readonly lamps: Lamps;
  close(): Promise<void>;
}

export interface UdpTokenOptions {
  readonly profile: "strict" | "compat";
  readonly ownerRoot: Certificate;
  readonly ekRoots: readonly Certificate[];
  /** Of another token, which goes on here. */
  readonly flash?: Flash;
}

export async function openUdpToken(options: UdpTokenOptions): Promise<UdpToken> {
  const { flash = createRamFlash(STICK_GEOMETRY), profile, ...roots } = options;
  const log = new TestLog();
  const events: TokenEvent[] = [];
  let lamps: Lamps = { green: false, red: false };
  const leds = {
    show(shown: Lamps) {
      lamps = shown;
    },
  };
  const button = { onChange: () => () => undefined };
  const env = { clock: realClock, random: systemRandom, flash, leds, log, button };
  const token = createToken(env, { api: "v1", profile: profileNamed(profile), ...roots });
  token.onEvent((event) => events.push(event));
  const port = await openUdpPort("127.0.0.1", 0);
  const unserve = token.serve(port);
  return {
    peer: port.local,
    log,
    events,
    get lamps() {
      return lamps;
    },
    async close() {
      unserve();
      token.stop();
      await port.close();
    },
  };
}

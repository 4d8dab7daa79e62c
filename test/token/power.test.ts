import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { createMemoryUsbHost } from "../../hw/usb-host/memory.ts";
import { COMPAT } from "../../token/domain/profile.ts";
import { createToken } from "../../token/token.ts";
import { TestLog } from "../support/coap-pair.ts";
import { seededRandom } from "../support/random.ts";

function scene() {
  const clock = new VirtualClock();
  const lamps: string[] = [];
  const leds = { show: (now: { green: boolean; red: boolean }) => lamps.push(nameLamps(now)) };
  const button = { onChange: () => () => undefined };
  const env = { clock, random: seededRandom(1), flash: createRamFlash(), leds, log: new TestLog(), button };
  const token = createToken(env, { api: "v0", profile: COMPAT });
  return { clock, lamps, token, bus: createMemoryUsbHost(token.usb) };
}

describe("token: powered off, on a bus that goes on", () => {
  it("plugging and unplugging starts no timer, lights no lamp and is no event", () => {
    const { clock, lamps, token, bus } = scene();
    bus.plug();
    clock.advance(1000);
    assert.equal(lamps.at(-1), "red");
    token.stop();
    const [shown, events] = [lamps.length, [] as string[]];
    token.onEvent(({ type }) => events.push(type));
    bus.unplug();
    bus.plug();
    clock.advance(60_000);
    assert.deepEqual(events, []);
    assert.equal(lamps.length, shown);
  });
});

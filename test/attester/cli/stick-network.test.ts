import assert from "node:assert/strict";
import { isForeseen, StickNetwork } from "../../../attester/cli/stick-network.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { chooseStick } from "../../../hw/usb-host/spec.ts";
import { type UsbHost, UsbHostError } from "../../../hw/usb-host/usb-host.ts";
import { type CoapEndpoint, createEndpoint } from "../../../shared/coap/index.ts";
import { V1, V1_PORT, V1_TOKEN_ADDRESS } from "../../../shared/protocol/index.ts";
import { profileNamed } from "../../../token/domain/profile.ts";
import { createToken } from "../../../token/token.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { createFakeUsbHost } from "../../support/fake-usb-host.ts";
import { seededRandom } from "../../support/random.ts";

const TOKEN = { address: V1_TOKEN_ADDRESS, port: V1_PORT };
const POLL_MS = 500;
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function scene(count = 1) {
  const clock = new VirtualClock();
  const log = new TestLog();
  const random = seededRandom(7, "stick-network");
  const button = { onChange: () => () => undefined };
  const leds = { show: () => undefined };
  const sticks = Array.from({ length: count }, (_, i) => {
    const env = { clock, random, log: new TestLog(), leds, button, flash: createRamFlash() };
    const mac = Uint8Array.of(2, 0, 0, 0, 1, i);
    const config = { api: "v1", profile: profileNamed("strict"), serial: `S${i + 1}`, mac } as const;
    return { at: `1-${i + 1}`, device: createToken(env, config).usb };
  });
  const host = createFakeUsbHost(sticks, clock);
  const network = new StickNetwork({ host, choose: (found) => chooseStick(found), clock, random, log });
  const passing = async (ms: number) => {
    await settle();
    clock.advance(ms);
    await settle();
    await settle();
  };
  return { clock, log, random, host, network, passing };
}

/** The version over an endpoint; time passes until it is there. */
async function version(endpoint: CoapEndpoint, clock: VirtualClock): Promise<number> {
  let done = false;
  const asked = endpoint.request(TOKEN, { method: "GET", path: V1.VERSION }).finally(() => {
    done = true;
  });
  while (!done) {
    await settle();
    clock.advance(10);
  }
  return (await asked).code;
}

describe("the network of a stick", () => {
  it("takes the stick from the kernel, carries datagrams, and gives it back", async () => {
    const { clock, host, network, random } = scene();
    await network.plug();
    assert.equal((await host.find())[0]?.state, "claimed");
    assert.deepEqual([network.absence, network.at, network.plugs], [undefined, "1-1", 1]);
    const [one, two] = [network.udp(), network.udp()];
    assert.equal(one.local.address, "169.254.0.8");
    assert.notEqual(one.local.port, two.local.port);
    const endpoints = [one, two].map((port) => createEndpoint({ port, clock, random }));
    for (const endpoint of endpoints) assert.equal(await version(endpoint, clock), 0x45);
    await Promise.all([network.close(), network.close()]);
    assert.equal((await host.find())[0]?.state, "kernel");
  });

  it("waits for a stick that goes and comes, with the same ports", async () => {
    const { clock, host, log, network, random, passing } = scene();
    const port = network.udp();
    const endpoint = createEndpoint({ port, clock, random });
    await network.plug();
    network.keepPlugged();
    assert.equal(await version(endpoint, clock), 0x45);
    let gone = 0;
    network.onGone(() => gone++);
    host.unplug("1-1");
    await passing(POLL_MS);
    assert.deepEqual([gone, network.at, network.absence], [1, undefined, "no Fobnail token is plugged in"]);
    port.send(Uint8Array.of(1), TOKEN); // lost
    await passing(POLL_MS);
    host.plug("1-1");
    await passing(POLL_MS);
    assert.deepEqual([network.absence, network.at, network.plugs], [undefined, "1-1", 2]);
    assert.equal(await version(endpoint, clock), 0x45);
    const said = log.lines.filter((line) => !line.startsWith("debug"));
    assert.deepEqual(said, [
      "warn: The stick 1-1 is gone.",
      "info: Waiting for the stick: no Fobnail token is plugged in",
      "info: The stick 1-1 is there.",
    ]);
    await network.close();
    assert.equal((await host.find())[0]?.state, "kernel");
  });

  it("waits no more once it is closed, and takes no stick that comes too late", async () => {
    const { host, network, passing } = scene();
    host.unplug("1-1");
    await assert.rejects(network.plug(), { reason: "none" });
    network.keepPlugged();
    await passing(POLL_MS);
    const closing = network.close();
    host.plug("1-1");
    await passing(POLL_MS);
    await closing;
    await passing(POLL_MS);
    assert.deepEqual([network.at, (await host.find())[0]?.state], [undefined, "kernel"]);
  });

  it("says that a stick could not be given back, at the end and when it stops playing along", async () => {
    const { clock, random, host, log, passing } = scene();
    const unwilling: UsbHost = {
      ...host,
      async claim(stick) {
        const claimed = await host.claim(stick);
        return {
          ...claimed,
          stick: claimed.stick,
          control: (setup, out) => claimed.control(setup, out),
          bulkOut: async () => "stall",
          bulkIn: async () => "stall",
          onGone: (listener) => claimed.onGone(listener),
          async release() {
            await claimed.release();
            throw new UsbHostError("gone", "The stick 1-1 could not be given back: no driver");
          },
        };
      },
    };
    for (const isGivenUp of [true, false]) {
      const network = new StickNetwork({ host: unwilling, choose: (found) => chooseStick(found), clock, random, log });
      await network.plug();
      for (let i = 0; isGivenUp && i < 50; i++) await passing(100);
      assert.equal(network.at, isGivenUp ? undefined : "1-1");
      await network.close();
      assert.equal(
        log.lines.filter((line) => line.startsWith("warn: The stick 1-1 could not be given back")).length,
        1,
      );
      log.lines.length = 0;
    }
  });

  it("says which sticks there are on one line while it waits", async () => {
    const { network, host, log, passing } = scene(2);
    await assert.rejects(network.plug(), { reason: "several" });
    network.keepPlugged();
    await passing(POLL_MS);
    const line = log.lines.find((text) => text.includes("Waiting")) ?? "";
    assert.match(line, /^info: Waiting for the stick: 2 sticks are plugged in; .*: 1-1 {2}.* S1 .*; 1-2 {2}.* S2 /);
    host.unplug("1-2");
    await passing(POLL_MS);
    assert.equal(network.at, "1-1");
    await network.close();
  });

  it("has so many ports and no more; closed ones are free again", async () => {
    const { network } = scene();
    const ports = Array.from({ length: 1_024 }, () => network.udp());
    assert.equal(new Set(ports.map(({ local }) => local.port)).size, 1_024);
    assert.throws(() => network.udp(), RangeError);
    await ports[0]?.close();
    assert.doesNotThrow(() => network.udp());
    await network.close();
  });

  it("knows what people can put right from bugs", () => {
    assert.equal(isForeseen(new UsbHostError("none", "No")), true);
    assert.equal(isForeseen(new Error("The stick refused")), true);
    assert.equal(isForeseen(new TypeError("x is not a function")), false);
  });
});

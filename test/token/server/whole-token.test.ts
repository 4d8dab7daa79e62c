import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { nameLamps } from "../../../hw/terminal/lamps.ts";
import { type CoapOutcome, codeText, createEndpoint, OptionNumber, optionTexts } from "../../../shared/coap/index.ts";
import { SESSION_MS, V1 } from "../../../shared/protocol/index.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import { createToken } from "../../../token/token.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { DatagramNet } from "../../support/datagram-net.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { seededRandom } from "../../support/random.ts";
import { COMPUTER_ADDRESS, V1_TOKEN } from "../../support/v1-scene.ts";
import { type V1Ask, V1Walk } from "../../support/v1-walk.ts";

/** A token of API v1 behind its ports, and a computer at its other end. */
function bench() {
  const clock = new VirtualClock();
  const net = new DatagramNet();
  const [owner, attester] = [new FakeOwner(), new FakeAttester({ aik: "restricted-rsa" })];
  const lamps: string[] = [];
  const events: string[] = [];
  let hold: (held: boolean) => void = () => undefined;
  const env = {
    clock,
    random: seededRandom(2),
    flash: createRamFlash(),
    leds: { show: (shown: { green: boolean; red: boolean }) => void lamps.push(nameLamps(shown)) },
    log: new TestLog(),
    button: {
      onChange(listener: (held: boolean) => void) {
        hold = listener;
        return () => undefined;
      },
    },
  };
  const roots = { ownerRoot: owner.root.certificate, ekRoots: [attester.vendor.certificate] };
  const token = createToken(env, { api: "v1", profile: STRICT, ...roots, storage: { fileBytes: 10 } });
  token.onEvent(({ type }) => events.push(type));
  const port = net.open(V1_TOKEN.address, V1_TOKEN.port);
  const plug = () => token.serve(port);
  const client = (port: number) => {
    const local = net.open(COMPUTER_ADDRESS, port);
    const endpoint = createEndpoint({ port: local, clock, random: seededRandom(port) });
    const ask: V1Ask = async ({ query, ...request }) => {
      let outcome: CoapOutcome | undefined;
      endpoint.start(V1_TOKEN, { ...request, query: query === undefined ? [] : [query] }, (done) => {
        outcome = done;
      });
      while (outcome === undefined && clock.step(clock.now()));
      if (outcome?.ok !== true) assert.fail(`${request.path}: no answer`);
      const { code, payload, options } = outcome.response;
      return { code: codeText(code), payload, location: optionTexts(options, OptionNumber.LocationPath).at(-1) };
    };
    return { ask, endpoint, walk: new V1Walk(ask, owner, attester) };
  };
  return { clock, net, token, plug, client, lamps, events, hold: (held: boolean) => hold(held) };
}

describe("token: API v1 behind its ports", () => {
  it("provisioned, attested, green; the limits of files are the configuration's", async () => {
    const { plug, client, clock, lamps, events } = bench();
    plug();
    const { walk, ask } = client(1);
    await walk.provisionToken();
    await walk.provisionPlatform();
    await walk.attest();
    clock.advance(1_000);
    assert.equal(lamps.at(-1), "green");
    const all = ["attached", "token-provisioned", "platform-provisioned", "attested", "attested-sessions"];
    assert.deepEqual(events, all);
    await walk.write("a", new Uint8Array(10));
    const body = new Uint8Array(11);
    const query = await walk.grant("PUT", "b", body);
    assert.equal((await ask({ method: "PUT", path: `${V1.STORAGE}/b`, payload: body, query })).code, "5.00");
  });

  it("a wipe ends all sessions: no green stays, and nobody reads on", async () => {
    const { plug, client, clock, lamps, events, hold } = bench();
    plug();
    const { walk, ask } = client(1);
    await walk.provisionToken();
    await walk.provisionPlatform();
    await walk.attest();
    clock.advance(1_000);
    hold(true);
    clock.advance(10_000);
    assert.deepEqual(events.slice(-2), ["attested-sessions", "wiped"]);
    clock.advance(700);
    assert.equal(lamps.at(-1), "red");
    assert.equal((await ask({ method: "GET", path: `${V1.STORAGE}/a` })).code, "4.04");
    await walk.provisionToken();
    await walk.provisionPlatform();
    await walk.attest();
  });

  it("unplugged it is dark at once, and another time plugged in nobody is attested", async () => {
    const { plug, client, lamps } = bench();
    const unplug = plug();
    const { walk, ask } = client(1);
    await walk.provisionToken();
    await walk.provisionPlatform();
    await walk.attest();
    unplug();
    assert.equal(lamps.at(-1), "dark");
    plug();
    assert.notEqual(lamps.at(-1), "green");
    assert.equal((await ask({ method: "GET", path: `${V1.STORAGE}/a` })).code, "4.04");
    await walk.attest();
  });

  it("a second port neither darkens the first nor lights it", async () => {
    const { token, net, plug, client, clock, lamps, events } = bench();
    plug();
    const { walk } = client(1);
    await walk.provisionToken();
    await walk.provisionPlatform();
    await walk.attest();
    clock.advance(1_000);
    const unplug = token.serve(net.open("10.0.0.1", 5683));
    assert.equal(lamps.at(-1), "green");
    unplug();
    assert.equal(lamps.at(-1), "green");
    assert.deepEqual(
      events.filter((type) => type === "attached" || type === "detached"),
      ["attached"],
    );
  });

  it("powered off it is dark, has no timer, and answers nothing", async () => {
    const { plug, client, clock, lamps, token, net } = bench();
    plug();
    const { walk, endpoint } = client(1);
    await walk.provisionToken();
    token.stop();
    assert.equal(lamps.at(-1), "dark");
    endpoint.close();
    const sent = net.sent.length;
    clock.advance(10 * SESSION_MS);
    assert.equal(net.sent.length, sent);
    assert.equal(clock.nextDue(), undefined);
  });
});

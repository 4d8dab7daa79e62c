import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { toHex } from "../../shared/bytes/index.ts";
import { createEndpoint } from "../../shared/coap/index.ts";
import type { Flash, Unsubscribe } from "../../shared/ports/index.ts";
import { COMPAT, STRICT } from "../../token/domain/profile.ts";
import { StorageError } from "../../token/storage/index.ts";
import { createToken, type Token } from "../../token/token.ts";
import { TestLog } from "../support/coap-pair.ts";
import { createCutFlash, PowerCut } from "../support/cut-flash.ts";
import { DatagramNet } from "../support/datagram-net.ts";
import { FakeAttester } from "../support/fake-attester.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { seededRandom } from "../support/random.ts";
import { COMPUTER, TOKEN_PEER } from "../support/v0-scene.ts";

/** A whole token behind its ports; plugged into a computer by UDP. */
class Bench {
  readonly clock = new VirtualClock();
  readonly net = new DatagramNet(this.clock);
  readonly log = new TestLog();
  readonly attester = new FakeAttester();
  readonly owner = new FakeOwner();
  readonly lamps: (readonly [atMs: number, name: string])[] = [];
  readonly events: string[] = [];
  readonly token: Token;
  #hold: (held: boolean) => void = () => undefined;
  #unplug: Unsubscribe = () => undefined;

  constructor(flash: Flash = createRamFlash()) {
    const { clock, net, log, attester, owner } = this;
    const computer = createEndpoint({
      port: net.open(COMPUTER.address, COMPUTER.port),
      clock,
      random: seededRandom(1),
      log,
    });
    computer.serve((request) =>
      ["cert_chain", "csr"].includes(request.path[0] ?? "") ? owner.handler(request) : attester.handler(request),
    );
    const button = {
      onChange: (listener: (held: boolean) => void) => {
        this.#hold = listener;
        return () => undefined;
      },
    };
    const leds = {
      show: (lamps: { green: boolean; red: boolean }) => this.lamps.push([clock.now(), nameLamps(lamps)]),
    };
    this.token = createToken(
      { clock, random: seededRandom(2), flash, leds, log, button },
      { api: "v0", profile: COMPAT, ownerRoot: owner.root.certificate, ekRoots: [attester.vendor.certificate] },
    );
    this.token.onEvent(({ type }) => this.events.push(type));
  }

  plug(): void {
    this.#unplug = this.token.serve(this.net.open(TOKEN_PEER.address, TOKEN_PEER.port));
  }

  unplug(): void {
    this.#unplug();
  }

  hold(ms: number): void {
    this.#hold(true);
    this.clock.advance(ms);
    this.#hold(false);
  }

  /** What the lamps showed from `from` on, as "red 100". */
  timeline(from: number): string {
    const changes = this.lamps.filter(([at]) => at >= from);
    return changes.map(([at, name], i) => `${name} ${(changes[i + 1]?.[0] ?? this.clock.now()) - at}`).join(", ");
  }
}

describe("token: the 2022 walk-through in lamps", () => {
  it("red while not provisioned, one green blink, three green blinks, green for ten seconds, dark", () => {
    const bench = new Bench();
    bench.clock.advance(1000);
    bench.plug();
    assert.deepEqual(bench.lamps, [[0, "dark"], [1000, "red"]]); // biome-ignore format: one list
    bench.clock.advance(20_000);
    assert.deepEqual(bench.events, ["attached", "token-provisioned", "platform-provisioned", "attested"]);
    assert.match(
      bench.timeline(1),
      /green 100, dark 100, green 100, dark 100, green 100, dark 100, green 10000, dark \d+$/,
    );
    assert.ok(
      bench.lamps.every(([, name], i) => name !== bench.lamps[i - 1]?.[1]),
      "never told twice the same",
    );
  });

  it("red for ten seconds for a changed computer, and the reason in the log", () => {
    const bench = new Bench();
    bench.plug();
    bench.clock.advance(20_000);
    bench.unplug();
    bench.attester.pcrs = bench.attester.pcrs.map((value, pcr) => (pcr === 17 ? new Uint8Array(32) : value));
    const from = bench.clock.now();
    bench.token.serve(bench.net.open(TOKEN_PEER.address, TOKEN_PEER.port + 1));
    bench.clock.advance(20_000);
    assert.match(bench.timeline(from), /^red 10000, dark \d+$/);
    assert.ok(
      bench.log.lines.some((line) => line.includes("PCR 17")),
      bench.log.lines.join("\n"),
    );
  });

  it("unplugging ends the attestation at once; the next one begins when plugged in", () => {
    const bench = new Bench();
    bench.plug();
    bench.clock.advance(3000);
    assert.equal(bench.lamps.at(-1)?.[1], "green");
    bench.unplug();
    assert.equal(bench.lamps.at(-1)?.[1], "dark");
    assert.equal(bench.events.at(-1), "detached");
  });

  it("red blinks three times while the platform cannot be provisioned, every five seconds and a bit", () => {
    const bench = new Bench();
    bench.attester.tamper = (path, reply) => (path === "/aik" ? { ...reply, payload: new Uint8Array() } : reply);
    bench.plug();
    bench.clock.advance(12_000);
    const pulses = "red 100, dark 100, red 100, dark 100, red 100";
    assert.match(bench.timeline(1), new RegExp(`${pulses}, dark 4[0-9]{3}, ${pulses}, dark`));
  });

  it("two runs from one seed send the same bytes", () => {
    const run = () => {
      const bench = new Bench();
      bench.plug();
      bench.clock.advance(20_000);
      return bench.net.sent.map(({ datagram }) => toHex(datagram));
    };
    assert.deepEqual(run(), run());
  });
});

describe("token: wipe", () => {
  const provisioned = (flash = createRamFlash()) => {
    const bench = new Bench(flash);
    bench.plug();
    bench.clock.advance(20_000);
    assert.equal(bench.token.domain.platforms.count, 1);
    return bench;
  };

  it("a button held for less than ten seconds does nothing", () => {
    const bench = provisioned();
    bench.hold(9_999);
    bench.clock.advance(60_000);
    assert.ok(bench.token.domain.provisioned);
    assert.ok(!bench.events.includes("wiped"));
  });

  it("ten seconds wipe: three green blinks, then red; nothing of platform, identity or owner is left in the image", () => {
    const flash = createRamFlash();
    const bench = provisioned(flash);
    const image = () => Buffer.from(flash.image());
    const secrets = [
      bench.attester.metadataBytes(),
      bench.attester.rimBytes().subarray(0, 200),
      Buffer.from("PC Engines"),
      Buffer.from("platform/"),
      Buffer.from("identity"),
      Buffer.from("token-certificate"),
      bench.owner.issuing.certificate.der,
    ];
    for (const secret of secrets)
      assert.ok(image().includes(Buffer.from(secret)), "the test must look for what is there");
    bench.net.fate = () => []; // so that it stays as it is
    const from = bench.clock.now();
    bench.hold(12_000);
    assert.equal(bench.timeline(from), "green 100, dark 100, green 100, dark 100, green 100, dark 100, red 1400");
    assert.equal(bench.token.domain.provisioned, false);
    assert.equal(bench.token.domain.platforms.count, 0);
    for (const secret of secrets) assert.ok(!image().includes(Buffer.from(secret)));
    assert.equal(bench.token.domain.roots.ek().length, 1, "whom it trusts is no secret and stays");
  });

  it("a wiped token that is plugged in begins anew, as another token", () => {
    const bench = new Bench();
    bench.plug();
    bench.clock.advance(20_000);
    bench.token.wipe();
    bench.clock.advance(20_000);
    assert.deepEqual(bench.events.slice(-4), ["wiped", "token-provisioned", "platform-provisioned", "attested"]);
  });
});

describe("token: power cuts", () => {
  it("at each flash operation of the walk-through: platforms are whole or absent, and the next start succeeds", () => {
    const whole = createCutFlash(STICK_GEOMETRY);
    const first = new Bench(whole);
    first.plug();
    first.clock.advance(5000);
    assert.equal(first.events.at(-1), "attested");
    const seen = new Set<number>();
    for (let at = 0; at < whole.operations; at++) {
      for (const share of [0.4, 1]) {
        const flash = createCutFlash(STICK_GEOMETRY);
        flash.cutAt(at, share);
        assert.throws(() => {
          const bench = new Bench(flash);
          bench.plug();
          bench.clock.advance(5000);
        }, PowerCut);
        const after = new Bench(createRamFlash(STICK_GEOMETRY, flash.image()));
        seen.add(after.token.domain.platforms.list().length);
        for (const { id } of after.token.domain.platforms.list()) {
          assert.equal(after.token.domain.platforms.find(id)?.reference.length, 2);
        }
        after.plug();
        after.clock.advance(20_000);
        assert.equal(after.events.at(-1), "attested", `cut at operation ${at}, ${share} of it done`);
      }
    }
    assert.deepEqual(seen, new Set([0, 1]));
  });

  it("a restart without a cut attests at once", () => {
    const flash = createRamFlash();
    const first = new Bench(flash);
    first.plug();
    first.clock.advance(20_000);
    first.token.stop();
    const second = new Bench(createRamFlash(STICK_GEOMETRY, flash.image()));
    assert.deepEqual(second.lamps, [[0, "dark"]]);
    second.plug();
    second.clock.advance(2000);
    assert.deepEqual(second.events, ["attached", "attested"]);
  });

  it("a flash that holds something else is refused", () => {
    const foreign = createRamFlash(STICK_GEOMETRY, seededRandom(1).bytes(128 * 1024));
    assert.throws(
      () => new Bench(foreign),
      (error) => error instanceof StorageError && error.reason === "not-a-token",
    );
  });
});

describe("token: powered off", () => {
  it("has its lamps dark and no timer running", () => {
    const bench = new Bench();
    bench.plug();
    bench.clock.advance(500);
    bench.token.stop();
    assert.equal(bench.lamps.at(-1)?.[1], "dark");
    const [sent, shown] = [bench.net.sent.length, bench.lamps.length];
    bench.clock.advance(60_000);
    assert.deepEqual(
      [bench.net.sent.filter(({ from }) => from.port === TOKEN_PEER.port).length > 0, bench.lamps.length],
      [sent > 0, shown],
    );
    assert.equal(bench.net.sent.length, sent);
  });
});

describe("token: a log that throws", () => {
  it("leaves no green without a session", () => {
    const clock = new VirtualClock();
    const lamps: string[] = [];
    let isBroken = false;
    const write = () => {
      if (isBroken) throw new Error("a bug of the log");
    };
    const { domain } = createToken(
      {
        ...{ clock, random: seededRandom(1), flash: createRamFlash(), log: { write } },
        leds: { show: (shown) => lamps.push(nameLamps(shown)) },
        button: { onChange: () => () => undefined },
      },
      { api: "v1", profile: STRICT },
    );
    domain.tell({ type: "attached" });
    domain.tell({ type: "token-provisioned", deviceId: "1" });
    clock.advance(1_000); // its blink is over
    domain.tell({ type: "attested-sessions", count: 1 });
    assert.equal(lamps.at(-1), "green");
    isBroken = true;
    assert.throws(() => domain.tell({ type: "attested-sessions", count: 0 }), { message: "a bug of the log" });
    assert.notEqual(lamps.at(-1), "green");
  });
});

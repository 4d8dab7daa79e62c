import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createMemoryLinkPair } from "../../../hw/net/memory.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import { createHost } from "../../../shared/net/index.ts";
import { SESSION_MS } from "../../../shared/protocol/index.ts";
import { MAX_LINES, Switchboard } from "../../../token/cli/switchboard.ts";
import { DatagramNet } from "../../support/datagram-net.ts";

const DOOR = { address: "127.0.0.1", port: 5683 };
const TOKEN = { address: "169.254.0.1", port: 5683 };

/** A token that answers "PORT:TEXT", the port being the one that it sees. */
function scene(maxLines?: number) {
  const clock = new VirtualClock();
  const net = new DatagramNet();
  const [near, far] = createMemoryLinkPair();
  const mac = (last: number) => Uint8Array.of(2, 0, 0, 0, 0, last);
  const computer = createHost({ link: near, mac: mac(8), address: "169.254.0.8", clock });
  const stick = createHost({ link: far, mac: mac(1), address: TOKEN.address, clock });
  const service = stick.udp(TOKEN.port);
  const text = new TextDecoder();
  service.onDatagram((datagram, from) => service.send(utf8(`${from.port}:${text.decode(datagram)}`), from));
  const outside = net.open(DOOR.address, DOOR.port);
  const board = new Switchboard({ computer, outside, token: TOKEN, clock, ...(maxLines === undefined ? {} : { maxLines }) }); // biome-ignore format: one call
  const heard: string[] = [];
  const program = (port: number) => {
    const socket = net.open("127.0.0.1", port);
    let seenAs = 0;
    socket.onDatagram((datagram, from) => {
      assert.deepEqual(from, DOOR);
      const [inside = "", said = ""] = text.decode(datagram).split(":");
      seenAs = Number(inside);
      heard.push(`${port} ${said}`);
    });
    return {
      /** The port as which the token knows this program now. */
      say(what: string): number {
        socket.send(utf8(what), DOOR);
        return seenAs;
      },
    };
  };
  return { clock, net, board, program, heard, stick, service };
}

describe("fobnail token --net usb: many programs outside, one token inside", () => {
  it("gives each program a port of its own, keeps it, and brings each its answers", () => {
    const { board, program, heard } = scene();
    const [a, b] = [program(1001), program(1002)];
    const [asA, asB] = [a.say("hello"), b.say("good day")];
    assert.notEqual(asA, asB);
    assert.equal(a.say("again"), asA);
    assert.deepEqual(heard, ["1001 hello", "1002 good day", "1001 again"]);
    assert.equal(board.lines, 2);
  });

  it("lets nobody but the token answer", () => {
    const { program, heard, stick } = scene();
    const asA = program(1001).say("hello");
    stick.udp(5684).send(utf8("0:forged"), { address: "169.254.0.8", port: asA });
    assert.deepEqual(heard, ["1001 hello"]);
  });

  it("forgets who is silent for a minute, and nobody else", () => {
    const { clock, board, program } = scene();
    const [a, b] = [program(1001), program(1002)];
    const asB = b.say("hello");
    a.say("hello");
    for (let i = 0; i < 12; i++) {
      clock.advance(10_000);
      assert.equal(b.say("still here"), asB);
    }
    assert.equal(board.lines, 1);
    a.say("back");
    assert.equal(board.lines, 2);
    clock.advance(180_000);
    assert.equal(board.lines, 0);
  });

  it(`has ${MAX_LINES} at most; who spoke only once gives way first, then who spoke least recently`, () => {
    const { board, program } = scene();
    const friend = program(1);
    const asFriend = friend.say("one");
    friend.say("two");
    const strangers = Array.from({ length: 3 * MAX_LINES }, (_, i) => program(1000 + i));
    for (const stranger of strangers) stranger.say("flood");
    assert.equal(board.lines, MAX_LINES);
    assert.equal(friend.say("three"), asFriend, "a flood of strangers cuts no conversation");
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 2 * MAX_LINES; i++) for (const _ of [1, 2]) strangers[i]?.say("flood");
      assert.equal(friend.say("four"), asFriend, "nor does one of strangers who go on");
    }

    const small = scene(2);
    const [a, b, c] = [small.program(1), small.program(2), small.program(3)];
    const asA = a.say("1");
    b.say("1");
    const asB = b.say("2");
    a.say("2");
    c.say("1");
    assert.equal(b.say("3"), asB, "not while they speak");
    small.clock.advance(SESSION_MS);
    a.say("2");
    c.say("1");
    assert.equal(small.board.lines, 2);
    assert.equal(a.say("3"), asA);
    small.clock.advance(SESSION_MS);
    assert.notEqual(b.say("3"), asB, "the least recently used of those that spoke more than once");
  });

  it("closes with all its ports", () => {
    const { board, program, heard, clock } = scene();
    const a = program(1001);
    a.say("hello");
    board.close();
    a.say("anybody?");
    clock.advance(120_000);
    assert.equal(board.lines, 0);
    assert.deepEqual(heard, ["1001 hello"]);
  });
});

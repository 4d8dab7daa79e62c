import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../hw/clock/real.ts";
import { openFileFlash } from "../../hw/flash/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { equal, toHex } from "../../shared/bytes/index.ts";
import { createEndpoint } from "../../shared/coap/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import { TEST_PROGRAMS_FOLDER } from "../support/built.ts";
import { TestLog } from "../support/coap-pair.ts";
import { Processes } from "../support/process.ts";
import { askOver } from "../support/v1-asks.ts";
import { openUdpToken } from "../support/v1-udp-token.ts";
import { V1Walk } from "../support/v1-walk.ts";
import {
  computers,
  idOf,
  owner,
  type Platform,
  type Seen,
  STATES,
  STORY,
  type Visitor,
  type Which,
} from "./kill-story.ts";

/** Steps that are under way side by side. */
const LANES = 2;
const KINDS = ["before", "torn"] as const;
type Kind = (typeof KINDS)[number];
/** Small, so that old pages are erased while the story goes on. */
const GEOMETRY = { pageBytes: 4096, pages: 20 };

describe("a token killed (SIGKILL) at any operation on its flash", function () {
  this.timeout(300_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-kill-"));
  const [ownerRoot, vendorRoot] = [owner.root.certificate, computers.first.vendor.certificate];
  const roots = [join(folder, "owner.der"), join(folder, "vendor.der")] as const;
  /** The flash as it is before a step. */
  const imageBefore = (step: number) => join(folder, `step-${step}.img`);

  before(async () => {
    writeFileSync(roots[0], ownerRoot.der);
    writeFileSync(roots[1], vendorRoot.der);
    const image = join(folder, "whole.img");
    for (const [number, { run }] of STORY.entries()) {
      if (number > 0) copyFileSync(image, imageBefore(number));
      await inProcess(image, run);
    }
    assert.equal(shown(await inProcess(image, look)), shown(STATES.at(-1)));
  });

  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Both computers at the token on a port of the loopback. */
  async function visiting<T>(port: number, use: (visit: Visitor) => Promise<T>): Promise<T> {
    const closing: (() => Promise<void>)[] = [];
    const walks = new Map<Which, V1Walk>();
    try {
      for (const which of ["first", "second"] as const) {
        const socket = await openUdpPort("127.0.0.1", 0);
        const endpoint = createEndpoint({ port: socket, clock: realClock, random: systemRandom, log: new TestLog() });
        closing.push(async () => {
          endpoint.close();
          await socket.close();
        });
        walks.set(which, new V1Walk(askOver(endpoint, { address: "127.0.0.1", port }), owner, computers[which]));
      }
      return await use((which) => walks.get(which) ?? assert.fail(which));
    } finally {
      for (const close of closing) await close();
    }
  }

  /** A life of the token on this image that nobody ends early. */
  async function inProcess<T>(image: string, use: (visit: Visitor) => Promise<T>): Promise<T> {
    const flash = openFileFlash(image, GEOMETRY);
    try {
      const token = await openUdpToken({ profile: "strict", ownerRoot, ekRoots: [vendorRoot], flash });
      try {
        return await visiting(token.peer.port, use);
      } finally {
        await token.close();
      }
    } finally {
      flash.close();
    }
  }

  /** A life in a process of its own that ends at an operation; false when `run` was over before. */
  async function killedWhile(image: string, when: string, run: (visit: Visitor) => Promise<void>): Promise<boolean> {
    const program = join(TEST_PROGRAMS_FOLDER, "support", "killed-token");
    const process = processes.start([image, String(GEOMETRY.pages), ...roots, when], { program });
    const listening = await process.line(/^listening (\d+)$/).catch(() => undefined); // killed before
    const over =
      listening === undefined
        ? false
        : await visiting(Number(listening[1]), (visit) =>
            Promise.race([run(visit).then(() => true), process.ended.then(() => false)]),
          );
    process.typeNoMore();
    assert.equal(await process.ended, over ? 0 : "SIGKILL", process.said());
    return !over;
  }

  async function look(visit: Visitor): Promise<Seen> {
    const seen: Partial<Record<Which, Platform>> = {};
    let listed: Awaited<ReturnType<V1Walk["platforms"]>>;
    try {
      listed = await visit("first").platforms();
    } catch (error) {
      assert.match(String(error), /4\.04/);
      return undefined;
    }
    for (const which of ["first", "second"] as const) {
      const platform = listed.find(({ id }) => equal(id, idOf(which)));
      if (platform === undefined) continue;
      const walk = visit(which);
      await walk.attest(); // so the platform is whole
      const files: Record<string, Uint8Array> = {};
      for (const name of ["disk.key", "large"]) {
        const answer = await walk.file(name);
        if (answer.code === "2.05") files[name] = answer.payload;
        else assert.equal(answer.code, "4.04");
      }
      const sizes = Object.values(files).map((file) => file.byteLength);
      assert.deepEqual(
        [platform.files, platform.bytes],
        [sizes.length, sizes.reduce((sum, size) => sum + size, 0)],
        "what the owner is told",
      );
      seen[which] = { name: platform.name, files };
    }
    assert.equal(Object.keys(seen).length, listed.length);
    return seen;
  }

  /** Comparable, and short in messages. */
  const shown = (seen: Seen) =>
    JSON.stringify(seen && [seen.first, seen.second], (_key, value) =>
      value instanceof Uint8Array ? `${value.byteLength}:${toHex(digest("sha256", value)).slice(0, 8)}` : value,
    );

  /** Kills the token at an operation of a step, starts it again, looks, and does what is left of the step. False behind its last operation. */
  async function killAt(step: number, point: number, kind: Kind): Promise<boolean> {
    const { what, run } = STORY[step] ?? assert.fail();
    const image = join(folder, `${step}-${point}-${kind}.img`);
    if (step > 0) copyFileSync(imageBefore(step), image);
    const killed = await killedWhile(image, `${point}:${kind}`, run);
    const [old, next] = [shown(STATES[step]), shown(STATES[step + 1])];
    const where = `killed at operation ${point} (${kind}) of "${what}"`;
    const seen = shown(await inProcess(image, look));
    if (killed) assert.ok(seen === old || seen === next, `${where}: ${seen}, neither\n${old} nor\n${next}`);
    else assert.equal(seen, next, `${what}, not killed`);
    if (seen === old) {
      await inProcess(image, run);
      assert.equal(shown(await inProcess(image, look)), next, `${where}, then done again`);
    }
    rmSync(image, { force: true });
    return killed;
  }

  for (const kind of KINDS) {
    const how = kind === "before" ? "between any two operations" : "in the middle of any operation";
    it(`${how}: each platform is whole or absent, each file the old or the new one, and the work can go on`, async () => {
      let points = 0;
      const steps = STORY.keys();
      const lane = async () => {
        for (const step of steps) {
          let point = 0;
          while (await killAt(step, point, kind)) point++;
          assert.ok(point > 0, `no operation in "${STORY[step]?.what}"`);
          points += point;
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      console.log(`      ${points} kill points ${how} of ${STORY.length} steps`);
    });
  }
});

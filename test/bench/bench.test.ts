import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { runProgram } from "../../attester/cli/exit.ts";
import { needs } from "../support/programs.ts";
import { type Bench, measure } from "./bench.ts";
import { benchCommand } from "./cli.ts";
import { figuresOf } from "./figures.ts";

async function bench(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const { log, error } = console;
  const lines: string[] = [];
  const note = (...parts: readonly unknown[]) => void lines.push(...parts.join(" ").split("\n"));
  Object.assign(console, { log: note, error: note });
  try {
    return { code: await runProgram(benchCommand(), args), lines };
  } finally {
    Object.assign(console, { log, error });
  }
}

describe("bench", () => {
  it("takes median and 95th percentile by nearest rank", () => {
    const times = Array.from({ length: 100 }, (_, i) => 100 - i);
    assert.deepEqual(figuresOf(times), { count: 100, medianMs: 50, p95Ms: 95 });
    assert.deepEqual(figuresOf([7]), { count: 1, medianMs: 7, p95Ms: 7 });
    assert.throws(() => figuresOf([]), RangeError);
  });

  it("measures as often as told behind a warm-up, and closes also what fails", async () => {
    let [runs, closed] = [0, 0];
    const counted = (fails: boolean): Bench => ({
      name: "test",
      about: "",
      open: async () => ({
        probes: [
          {
            what: "it",
            way: "this",
            async run() {
              runs++;
              if (fails) throw new Error("no echo");
            },
          },
        ],
        close: async () => void closed++,
      }),
    });
    const {
      results: [result],
    } = await measure(counted(false), { iterations: 120, warmUp: 7 });
    assert.deepEqual([runs, closed, result?.count, result?.ratio], [127, 1, 120, 1]);
    await assert.rejects(measure(counted(true), { iterations: 1, warmUp: 0 }), /no echo/);
    assert.equal(closed, 2);
  });

  it("usb compares the ways to the token in one run", async () => {
    const { code, lines } = await bench("usb", "--iterations", "3", "--warm-up", "1", "--json");
    assert.equal(code, 0, lines.join("\n"));
    const results = lines.map((line): Record<string, unknown> => JSON.parse(line));
    assert.deepEqual(
      results.slice(0, -1).map(({ what, way }) => `${String(what)}: ${String(way)}`),
      [
        "ICMP echo, 56 bytes: Ethernet in memory",
        "ICMP echo, 56 bytes: USB in this process",
        "ICMP echo, 56 bytes: USB/IP over loopback",
        "ICMP echo, 1472 bytes: Ethernet in memory",
        "ICMP echo, 1472 bytes: USB in this process",
        "ICMP echo, 1472 bytes: USB/IP over loopback",
        "CoAP GET /api/version: Ethernet in memory",
        "CoAP GET /api/version: USB in this process",
        "CoAP GET /api/version: USB/IP over loopback",
      ],
    );
    for (const result of results.slice(0, -1)) {
      assert.ok(Number(result["medianMs"]) > 0);
      assert.ok(Number(result["p95Ms"]) >= Number(result["medianMs"]));
      assert.ok(Number(result["ratio"]) > 0);
    }
  });

  it("log tells the time of a replay, and the memory of what was decoded", async () => {
    const { code, lines } = await bench("log", "--iterations", "1", "--warm-up", "0", "--json");
    assert.equal(code, 0, lines.join("\n"));
    const results = lines.map((line): Record<string, unknown> => JSON.parse(line));
    assert.deepEqual(
      results.map(({ way, entries }) => way ?? entries),
      [
        "replay, SHA-1",
        "decode",
        "decode and replay, SHA-1",
        "decode and replay, SHA-256 hashed",
        "compare with another order",
        5_000,
        10_000,
        20_000,
      ],
    );
    for (const { entries, decodedBytes } of results.slice(5)) {
      assert.ok(Number(decodedBytes) > 0 && Number(decodedBytes) < 4096 * Number(entries), "memory is linear");
    }
  });

  it("tpm compares the emulator with swtpm, command by command", async function () {
    this.timeout(120_000);
    needs(this, "swtpm");
    const { code, lines } = await bench("tpm", "--iterations", "1", "--warm-up", "0", "--json");
    assert.equal(code, 0, lines.join("\n"));
    const results = lines.map((line): Record<string, unknown> => JSON.parse(line));
    const ways = ["swtpm, UNIX socket", "emulator, UNIX socket", "emulator, this process"];
    for (const command of [
      "CreatePrimary",
      "Create,",
      "ActivateCredential",
      "Quote",
      "Sign",
      "PCR_Extend",
      "PCR_Read",
    ]) {
      const found = results.filter(({ what }) => String(what).startsWith(command));
      assert.deepEqual([...new Set(found.map(({ way }) => way))], ways, command);
    }
    const figures = results.filter(({ figure }) => figure !== undefined);
    assert.equal(figures.length, 8);
    for (const { medianMs, ratio, value } of results) {
      assert.ok(Number(value) > 0 || (Number(medianMs) > 0 && Number(ratio) > 0));
    }
  });

  it("takes fewer turns where once takes long", async () => {
    let runs = 0;
    const probe = { what: "it", way: "this", run: async () => void runs++ };
    const slow: Bench = {
      name: "slow",
      about: "",
      iterations: 3,
      open: async () => ({ probes: [probe], close: async () => undefined }),
    };
    const { results } = await measure(slow, { iterations: 120, warmUp: 7 });
    assert.deepEqual([runs, results[0]?.count], [6, 3]);
  });

  it("runs by npm, the sources without their types", () => {
    const command = ["run", "--silent", "bench", "--", "usb", "--iterations", "1", "--warm-up", "0", "--json"];
    const { status, stdout, stderr } = spawnSync("npm", command, { encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
    for (const line of stdout.trimEnd().split("\n")) assert.equal(JSON.parse(line).bench, "usb");
  });

  it("prints a table, and refuses what it does not know", async () => {
    const { code, lines } = await bench("usb", "--iterations", "1", "--warm-up", "0");
    assert.equal(code, 0);
    assert.match(lines[2] ?? "", /^WHAT +WAY +MEDIAN ms +P95 ms +RATIO$/);
    assert.match(lines[3] ?? "", /^ICMP echo, 56 bytes +Ethernet in memory +\d+\.\d{3} +\d+\.\d{3} +1\.00$/);
    const head = lines.findIndex((line) => line.startsWith("FIGURE"));
    assert.match(lines[head + 1] ?? "", /^ICMP echo through .* <= 0\.2 ms +(not )?reached$/);
    const unknown = await bench("nothing");
    assert.equal(unknown.code, 2);
    assert.match(unknown.lines.join("\n"), /^error: there is no bench nothing; there is usb, log, tpm(, \w+)+$/);
  });
});

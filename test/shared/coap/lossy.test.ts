import assert from "node:assert/strict";
import { Scheduler } from "../../../hw/clock/scheduler.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import {
  type BlockSize,
  CoapError,
  type CoapFailure,
  type CoapReply,
  type CoapRequest,
  Code,
  createEndpoint,
  type Method,
} from "../../../shared/coap/index.ts";
import { CLIENT, SERVER, TestLog } from "../../support/coap-pair.ts";
import { DatagramNet } from "../../support/datagram-net.ts";
import { fuzzInputs } from "../../support/fuzz.ts";
import { seededRandom } from "../../support/random.ts";

const METHODS: readonly Method[] = ["GET", "PUT", "POST", "FETCH", "DELETE"];
const SIZES: readonly (BlockSize | undefined)[] = [16, 64, 256, 1024, undefined];
const REQUESTS = 12;
const LONG_MS = 3_600_000;

interface Weather {
  readonly name: string;
  /** Of 256. */
  readonly drop: number;
  readonly duplicate: number;
  readonly maxDelayMs: number;
  /** Of the confirmable requests, how many have to be answered. */
  readonly confirmedShare: number;
}

const WEATHERS: readonly Weather[] = [
  { name: "a clean link", drop: 0, duplicate: 0, maxDelayMs: 2, confirmedShare: 1 },
  { name: "losses", drop: 40, duplicate: 0, maxDelayMs: 5, confirmedShare: 0.9 },
  { name: "duplicates", drop: 0, duplicate: 120, maxDelayMs: 20, confirmedShare: 1 },
  { name: "everything out of order", drop: 20, duplicate: 60, maxDelayMs: 4_000, confirmedShare: 0.95 },
  { name: "hardly a link", drop: 140, duplicate: 60, maxDelayMs: 500, confirmedShare: 0.05 },
];

interface Result {
  readonly confirmable: boolean;
  readonly end: CoapFailure | "ok";
}

/** One run: what happened to each request, and what did the handler see? */
async function run(seed: number, weather: Weather) {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const net = new DatagramNet(clock);
  const log = new TestLog();
  const chance = seededRandom(seed, "weather");
  const byte = () => chance.bytes(1)[0] ?? 0;
  const delay = () => (byte() * weather.maxDelayMs) / 255;
  net.fate = () => (byte() < weather.drop ? [] : byte() < weather.duplicate ? [delay(), delay()] : [delay()]);
  const nstart = 1 + (seed % 3);
  const server = createEndpoint({
    port: net.open(SERVER.address, SERVER.port),
    clock,
    log,
    random: seededRandom(seed, "server"),
    limits: { blockExponent: seed % 7 },
  });
  const client = createEndpoint({
    port: net.open(CLIENT.address, CLIENT.port),
    clock,
    log,
    random: seededRandom(seed, "client"),
    limits: { nstart },
  });
  const body = (label: string) => seededRandom(seed, label).bytes(Math.floor((byte() * byte()) / 40));
  const runs = new Map<string, number>();
  const wants = new Map<string, Uint8Array>();
  const gives = new Map<string, Uint8Array>();
  const wrong: string[] = [];
  server.serve((request: CoapRequest): CoapReply | Promise<CoapReply> => {
    const id = request.query[0] ?? "";
    runs.set(id, (runs.get(id) ?? 0) + 1);
    if (Buffer.compare(request.payload, wants.get(id) ?? new Uint8Array(0)) !== 0) wrong.push(`${id}: another body`);
    const reply = { code: Code.Content, payload: gives.get(id) ?? new Uint8Array(0) };
    const waitMs = byte() < 128 ? 0 : byte() * 8;
    return waitMs === 0 ? reply : new Promise((resolve) => clock.after(waitMs, () => resolve(reply)));
  });
  const results: Result[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const id = `${i}`;
    const method = METHODS[byte() % METHODS.length] ?? "GET";
    const payload = method === "GET" || method === "DELETE" ? new Uint8Array(0) : body(`up ${i}`);
    wants.set(id, payload);
    gives.set(id, body(`down ${i}`));
    const confirmable = byte() > 40;
    const request = { method, path: "/r", query: [id], payload, confirmable, blockSize: SIZES[byte() % SIZES.length] };
    const settled = (end: Result["end"]) => results.push({ confirmable, end });
    client.request(SERVER, request).then(
      (response) => {
        if (response.code !== Code.Content || Buffer.compare(response.payload, gives.get(id) ?? NONE) !== 0)
          wrong.push(`${id}: another response`);
        settled("ok");
      },
      (error: unknown) => settled(error instanceof CoapError ? error.kind : assert.fail(String(error))),
    );
  }
  await scheduler.until(() => results.length === REQUESTS, LONG_MS);
  await scheduler.advance(LONG_MS);
  return { results, runs, wrong, log, clock, sent: net.sent.length };
}

const NONE = new Uint8Array(0);

describe("CoAP over a bad link", function () {
  this.timeout(60_000);

  for (const weather of WEATHERS) {
    it(`with ${weather.name}: right or a typed failure, and no handler runs twice`, async () => {
      const seeds = Math.max(6, Math.min(60, Math.floor(fuzzInputs / 600)));
      let asked = 0;
      let done = 0;
      for (let seed = 0; seed < seeds; seed++) {
        const { results, runs, wrong, log, clock } = await run(seed, weather);
        assert.equal(results.length, REQUESTS, `seed ${seed}: some request never ended`);
        assert.deepEqual(wrong, [], `seed ${seed}`);
        assert.deepEqual(
          [...runs.values()].filter((times) => times > 1),
          [],
          `seed ${seed}: a handler ran twice`,
        );
        for (const { end } of results) assert.ok(end === "ok" || end === "timeout", `seed ${seed}: ${end}`);
        assert.deepEqual(
          log.lines.filter((line) => !line.startsWith("debug")),
          [],
        );
        assert.equal(clock.nextDue(), undefined, `seed ${seed}: a timer stayed behind`);
        const sure = results.filter(({ confirmable }) => confirmable);
        asked += sure.length;
        done += sure.filter(({ end }) => end === "ok").length;
      }
      assert.ok(done >= weather.confirmedShare * asked, `${done} of ${asked} confirmable requests were answered`);
    });
  }

  it("gives the same datagrams for the same seed", async () => {
    const weather = WEATHERS[3] ?? assert.fail();
    const [one, two] = [await run(5, weather), await run(5, weather)];
    assert.deepEqual(one.results, two.results);
    assert.equal(one.sent, two.sent);
  });
});

/** What reading and replaying a long list of IMA costs. */
import { encode, u32be } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import {
  decodeEventLog,
  diffEvents,
  encodeImaLog,
  type LogEvent,
  replayLog,
  withImaBank,
} from "../../shared/event-log/index.ts";
import { TpmAlg } from "../../shared/tpm/index.ts";
import { imaNg } from "../support/event-logs.ts";
import type { Bench, Note, Probe } from "./bench.ts";
import { usedBytes } from "./memory.ts";

const ENTRIES = 10_000;
const SIZES = [5_000, 10_000, 20_000] as const;

function listOf(count: number): Uint8Array {
  const content = digest("sha256", encode(u32be, count));
  const events = Array.from({ length: count }, (_, i) => imaNg(`/usr/lib/x86_64-linux-gnu/part-${i}.so`, content));
  return encodeImaLog({ format: "ima", algorithms: [], events });
}

/** What a decoded list takes beside the file that it points into. */
function memoryNote(count: number): Note {
  const file = listOf(count);
  const before = usedBytes();
  const { events } = decodeEventLog(file);
  const bytes = usedBytes() - before;
  const what = `${events.length} entries, decoded: ${(bytes / 2 ** 20).toFixed(1)} MiB beside the file's ${(file.byteLength / 2 ** 20).toFixed(1)} MiB`; // biome-ignore format: one sentence
  return { what, entries: events.length, fileBytes: file.byteLength, decodedBytes: bytes };
}

function probe(way: string, run: () => readonly unknown[] | ReadonlyMap<number, unknown>): Probe {
  return {
    what: `IMA, ${ENTRIES} entries`,
    way,
    async run() {
      const result = run();
      if (("size" in result ? result.size : result.length) === 0) throw new Error(`${way}: nothing came of it`);
    },
  };
}

export const log: Bench = {
  name: "log",
  about: "a long IMA list: replay, decoding, comparing; memory of what was decoded",
  iterations: 50,
  async open() {
    const file = listOf(ENTRIES);
    const { events } = decodeEventLog(file);
    const turned: readonly LogEvent[] = [...events.slice(ENTRIES / 2), ...events.slice(0, ENTRIES / 2)];
    const { SHA1, SHA256 } = TpmAlg;
    return {
      probes: [
        probe("replay, SHA-1", () => replayLog(events, SHA1)),
        probe("decode", () => decodeEventLog(file).events),
        probe("decode and replay, SHA-1", () => replayLog(decodeEventLog(file).events, SHA1)),
        probe("decode and replay, SHA-256 hashed", () => replayLog(withImaBank(decodeEventLog(file).events, SHA256, "hashed"), SHA256)), // biome-ignore format: one probe
        probe("compare with another order", () => diffEvents(events, turned, SHA1)),
      ],
      notes() {
        memoryNote(1); // what the first one loads stays
        return SIZES.map(memoryNote);
      },
      close: async () => undefined,
    };
  },
};

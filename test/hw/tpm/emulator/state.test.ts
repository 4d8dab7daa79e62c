import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { createTpmEmulator, openStateDirectory, StateDirectoryError } from "../../../../hw/tpm/emulator/index.ts";
import {
  decodeNvState,
  encodeNvState,
  type NvState,
  newNvState,
  StartKind,
} from "../../../../hw/tpm/emulator/state.ts";
import { createMemoryStateStore, type TpmStateStore } from "../../../../hw/tpm/emulator/state-store.ts";
import { concat } from "../../../../shared/bytes/index.ts";
import { digest } from "../../../../shared/crypto/index.ts";
import { aikRestrictedEcc, commands, ekEcc, TpmRc, TpmRh } from "../../../../shared/tpm/index.ts";
import { deepFolder } from "../../../support/deep-folder.ts";
import { assertStrict, fuzzDecoder } from "../../../support/fuzz.ts";
import { seededRandom } from "../../../support/random.ts";
import { Bench } from "./support.ts";

const NONE = new Uint8Array(0);
const CREATION = { inSensitive: { userAuth: NONE, data: NONE }, outsideInfo: NONE, creationPCR: [] };
const INDEX = { nvIndex: 0x01000001, nameAlg: 0x0b, attributes: 0x02060006, authPolicy: NONE, dataSize: 64 };

/** Behind magic, version and checksum. */
const BODY_AT = 8 + 2 + 32;

/** A TPM with one of everything that a state can hold. */
function used(): Bench {
  const bench = new Bench("state").start();
  bench.must(commands.NV_DefineSpace, [TpmRh.OWNER], { auth: new Uint8Array([1, 2]), publicInfo: INDEX });
  const { handle } = bench.must(commands.CreatePrimary, [TpmRh.ENDORSEMENT], { ...CREATION, inPublic: ekEcc });
  bench.must(commands.EvictControl, [TpmRh.OWNER, handle], { persistentHandle: 0x81000001 });
  bench.must(commands.CreatePrimary, [TpmRh.OWNER], { ...CREATION, inPublic: aikRestrictedEcc });
  bench.clock.advance(5000);
  bench.must(commands.Shutdown, [], { shutdownType: 1 });
  return bench;
}

describe("the emulator's state", () => {
  it("is read as it was written, and nothing else is a state", () => {
    const bytes = used().state.load() ?? assert.fail("nothing was saved");
    const state = decodeNvState(bytes);
    assert.deepEqual(encodeNvState(state), bytes);
    assert.equal(state.indices.size, 1);
    assert.equal(state.persistent.size, 1);
    assert.equal(state.primaries.length, 2);
    assert.notEqual(state.saved, undefined);
    const fresh: NvState = newNvState(seededRandom(1));
    assert.deepEqual(decodeNvState(encodeNvState(fresh)), fresh);
    assertStrict("state", decodeNvState, encodeNvState(fresh));
    fuzzDecoder("TPM state", decodeNvState, [bytes, encodeNvState(fresh)]);
  });

  it("of a version that did not keep the kind of a start is taken for that of a plain one", () => {
    const state = decodeNvState(used().state.load() ?? assert.fail("nothing was saved"));
    const [bytes, without] = [encodeNvState(state), encodeNvState({ ...state, saved: undefined })];
    const form = bytes.findIndex((byte, i) => i >= BODY_AT && byte !== without[i]);
    const start = bytes.byteLength - (without.byteLength - form);
    const body = concat(
      bytes.slice(BODY_AT, form),
      Uint8Array.of(1),
      bytes.slice(form + 1, start),
      bytes.slice(start + 1),
    );
    const old = concat(bytes.slice(0, BODY_AT - 32), digest("sha256", body), body);
    assert.deepEqual([bytes[form], bytes[start]], [2, StartKind.PLAIN]);
    assert.deepEqual(decodeNvState(old), state);
    assert.equal(new Bench(2, createMemoryStateStore(old)).resume().rc, 0);
  });

  it("that is damaged is refused, not replaced", () => {
    const bytes = used().state.load() ?? assert.fail();
    const damaged = bytes.slice();
    damaged[100] = (damaged[100] ?? 0) ^ 1;
    const store = createMemoryStateStore(damaged);
    assert.throws(
      () => createTpmEmulator({ random: seededRandom(1), clock: new VirtualClock(), state: store }),
      StateDirectoryError,
    );
    assert.deepEqual(store.load(), damaged);
  });

  it("stays what it was when it cannot be written; the TPM says so and stops until the next power cycle", () => {
    const memory = createMemoryStateStore();
    let broken = false;
    const store: TpmStateStore = {
      ...memory,
      save(state) {
        if (broken) throw new Error("disk full");
        memory.save(state);
      },
    };
    const bench = new Bench(1, store).start();
    const before = store.load();
    broken = true;
    const define = () => bench.run(commands.NV_DefineSpace, [TpmRh.OWNER], { auth: NONE, publicInfo: INDEX }).rc;
    assert.equal(define(), TpmRc.FAILURE);
    assert.equal(bench.run(commands.GetRandom, [], { bytesRequested: 1 }).rc, TpmRc.FAILURE);
    assert.deepEqual(store.load(), before);
    assert.match(bench.errors.join(), /could not be written.*disk full/);
    broken = false;
    bench.start();
    assert.equal(define(), 0, "what was not saved did not happen");
  });

  it("is not written for commands that change nothing", () => {
    let writes = 0;
    const memory = createMemoryStateStore();
    const bench = new Bench(1, {
      ...memory,
      save: (state) => {
        writes++;
        memory.save(state);
      },
    }).start();
    const before = writes;
    bench.must(commands.GetRandom, [], { bytesRequested: 8 });
    bench.must(commands.PCR_Extend, [16], { digests: [] });
    bench.must(commands.ReadClock, [], {});
    assert.equal(writes, before);
  });
});

describe("a TPM state directory", () => {
  let directory = "";

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), "fobnail-tpm-")), "state");
  });

  afterEach(() => rmSync(join(directory, ".."), { recursive: true, force: true }));

  it("is for its owner's eyes", () => {
    const store = openStateDirectory(directory);
    store.save(new Uint8Array([1]));
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    for (const file of readdirSync(directory)) assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file);
    assert.deepEqual(store.load(), new Uint8Array([1]));
    store.close();
    assert.deepEqual(readdirSync(directory), ["tpm-state"], "nothing else is left");
  });

  it("belongs to one at a time", () => {
    const store = openStateDirectory(directory);
    assert.throws(
      () => openStateDirectory(directory),
      (error) => error instanceof StateDirectoryError && /is in use by process \d+\.$/.test(error.message),
    );
    store.close();
    openStateDirectory(directory).close();
  });

  it("is taken over from a process that died", () => {
    openStateDirectory(directory).close();
    writeFileSync(join(directory, "lock"), "4194305 1"); // beyond the largest pid of Linux
    openStateDirectory(directory).close();
    writeFileSync(join(directory, "lock"), `${process.pid} 1`); // the pid was used again
    openStateDirectory(directory).close();
    writeFileSync(join(directory, "lock"), ""); // killed while it made the lock, long ago
    utimesSync(join(directory, "lock"), 0, 0);
    openStateDirectory(directory).close();
  });

  it("that cannot be made is an error with a sentence", () => {
    writeFileSync(join(directory, "..", "file"), "");
    assert.throws(() => openStateDirectory(join(directory, "..", "file", "below")), StateDirectoryError);
  });

  it("that the file system does not let be written is an error with its reason, and is let go", () => {
    const deep = deepFolder(join(directory, ".."), "tpm-volatile".length);
    const open = (at: string) =>
      createTpmEmulator({
        ...{ random: seededRandom(1), clock: new VirtualClock(), state: openStateDirectory(at) },
      });
    assert.throws(
      () => open(deep),
      (error) =>
        error instanceof StateDirectoryError && /tpm-state cannot be written: ENAMETOOLONG\.$/.test(error.message),
    );
    assert.deepEqual(readdirSync(deep), []);
    const tpm = open(directory);
    mkdirSync(join(directory, "tpm-volatile"));
    assert.throws(
      () => tpm.board.forgetVolatile(),
      (error) => error instanceof StateDirectoryError && /tpm-volatile cannot be removed: /.test(error.message),
    );
  });

  it("ignores half-written new states, and loses those of programs that ended", () => {
    openStateDirectory(directory).close();
    for (const name of ["state", "volatile"]) writeFileSync(join(directory, `.tpm-${name}.01234567.new`), "half");
    const store = openStateDirectory(directory);
    assert.deepEqual(readdirSync(directory), ["lock"]);
    store.save(new Uint8Array([1, 2, 3]));
    writeFileSync(join(directory, ".tpm-state.01234567.new"), "half");
    assert.deepEqual(store.load(), new Uint8Array([1, 2, 3]));
    store.save(new Uint8Array([4]));
    assert.deepEqual(new Uint8Array(readFileSync(join(directory, "tpm-state"))), new Uint8Array([4]));
    store.close();
  });
});

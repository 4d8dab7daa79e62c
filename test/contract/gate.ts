import assert from "node:assert/strict";
import { createMemoryKexec } from "../../attester/cli/twin/kexec.ts";
import { bootLogs, measurementsOf, sampleLaunch } from "../../attester/dlme/index.ts";
import {
  type AttestOptions,
  type GateOptions,
  type GatePassed,
  type GateRefusal,
  type GateTarget,
  gateDigest,
  gateEvents,
  LAUNCH_WAY,
  logBehindGate,
  PLAIN_WAY,
  passGate,
  watchQuotes,
} from "../../attester/flows/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { toHex, utf8 } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import { decodeTcgLog, replayLog, stepOf } from "../../shared/event-log/index.ts";
import type { KexecTarget, TpmTransport } from "../../shared/ports/index.ts";
import { hashNameOf, replay, TpmAlg, TpmCc, TpmError, TpmPlatformError, TpmRc } from "../../shared/tpm/index.ts";
import { type Backend, V1AttesterScene } from "../attester/flows/v1-attester-scene.ts";

const { kernel, initrd } = sampleLaunch({ kernel: "target", initrd: "target" });
const NEXT: KexecTarget = { kernel, initrd, commandLine: "root=/dev/sda2" };
const TIMEOUT_MS = 60_000;
const WATCHED = [7, 14, 17, 18, 19];

/** Answers in the place of the TPM; undefined leaves the command to it. */
type Stand = (commandCode: number) => Uint8Array | undefined;

const SUCCESS = Uint8Array.of(0x80, 0x02, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0); // without parameters, one password session
const FAILURE = Uint8Array.of(0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01);

/** The gate over one kind of TPM: `launch` with the chipset's side of it, `plain` at locality 0 alone. */
export function gateContract(
  name: string,
  kind: "launch" | "plain",
  open: (context: Mocha.Context) => Promise<Backend>,
): void {
  const way = kind === "launch" ? LAUNCH_WAY : PLAIN_WAY;
  describe(`gate on ${name}, ${kind} way`, function () {
    this.timeout(60_000);
    let scene: V1AttesterScene;
    let stand: Stand = () => undefined;
    let started: KexecTarget[] = [];
    let kexec: ReturnType<typeof createMemoryKexec>;

    before(async function () {
      const backend = await open(this);
      const transport: TpmTransport = {
        close: () => backend.transport.close(),
        send: async (command, signal) => stand(codeOf(command)) ?? backend.transport.send(command, signal),
      };
      scene = await V1AttesterScene.open("strict", { ...backend, transport });
      const { attester, endpoint } = scene.program();
      assert.ok((await scene.run(attester.provision())).ok);
      endpoint.close();
    });
    beforeEach(async () => {
      stand = () => undefined;
      started = [];
      kexec = createMemoryKexec(async (target) => void started.push(target));
      await scene.boot();
    });
    after(() => scene?.close());

    const gate = async (given: Partial<GateOptions> = {}): Promise<GatePassed | GateRefusal> => {
      const { tpm, quoted } = watchQuotes(scene.tpm);
      const { attester, wire, endpoint } = scene.program({ tpm });
      const { clock, log, chipset } = scene;
      try {
        return await scene.run(
          passGate({
            ...{ attester, wire, clock, log, tpm, quoted, kexec, cap: true },
            platform: kind === "launch" ? chipset : undefined,
            ...{ timeoutMs: TIMEOUT_MS, signal: new AbortController().signal, target: { kexec: NEXT } },
            leave: async () => endpoint.close(),
            ...given,
          }),
        );
      } finally {
        endpoint.close();
      }
    };
    const attest = async () => {
      const { attester, endpoint } = scene.program();
      const outcome = await scene.run(attester.attest());
      endpoint.close();
      return outcome;
    };
    const pcrs = async () => {
      const banks = await scene.run(scene.tpm.activeBanks());
      const mask = WATCHED.reduce((bits, pcr) => bits | (1 << pcr), 0);
      const read = await scene.run(scene.tpm.readPcrs(banks.map(({ hash }) => ({ hash, pcrSelect: mask }))));
      return read.flatMap(({ hash, values }) => values.map((value, i) => ({ hash, pcr: WATCHED[i] ?? -1, value })));
    };
    const shown = (read: Awaited<ReturnType<typeof pcrs>>) =>
      read.map(({ hash, pcr, value }) => `${hash} ${pcr} ${toHex(value)}`);
    /** It stays shut for this reason, nothing is loaded, and unless it is said otherwise no PCR was touched. */
    const staysShut = async (given: Partial<GateOptions>, reason: GateRefusal["reason"], { touched = false } = {}) => {
      const before = shown(await pcrs());
      const outcome = await gate(given);
      assert.ok(!outcome.ok);
      assert.equal(outcome.reason, reason, outcome.detail);
      stand = () => undefined;
      assert.equal((await kexec.jump()).ok, false, "nothing is loaded");
      assert.deepEqual(started, []);
      if (!touched) assert.deepEqual(shown(await pcrs()), before);
      return outcome;
    };

    it("opens on green, with exactly the target and the caps in the PCRs of every bank", async () => {
      const before = await pcrs();
      const outcome = await gate();
      assert.ok(outcome.ok && outcome.capped !== undefined, JSON.stringify(outcome));
      assert.deepEqual(outcome.capped.way, way);
      const target = [kernel, initrd ?? assert.fail(), utf8(NEXT.commandLine)];
      const after = await pcrs();
      for (const [i, { hash, pcr, value }] of after.entries()) {
        const was = before[i]?.value ?? assert.fail();
        const data = pcr === way.targetPcr ? target : way.capPcrs.includes(pcr) ? [utf8("fobnail gate: passed")] : [];
        const digests = data.map((bytes) => digest(hashNameOf(hash) ?? assert.fail(), bytes)); // biome-ignore format: one call
        assert.equal(toHex(value), toHex(replay(hash, digests, was)), `bank ${hash}, PCR ${pcr}`);
      }
      assert.ok(new Set(after.map(({ hash }) => hash)).size > 1, "several banks");
      assert.ok((await kexec.jump()).ok);
      assert.deepEqual(started, [NEXT]);
    });

    it("tells in the log what it extended: the log replays to the TPM", async () => {
      const outcome = await gate();
      assert.ok(outcome.ok && outcome.capped !== undefined);
      const measurements = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });
      const logs = bootLogs(measurements, outcome.capped.banks);
      const log = logs[kind === "launch" ? 1 : 0] ?? assert.fail();
      const { events } = decodeTcgLog(logBehindGate(log, outcome.capped));
      for (const { hash, pcr, value } of await pcrs()) {
        if (pcr !== way.targetPcr && !way.capPcrs.includes(pcr)) continue;
        assert.equal(
          toHex(replayLog(events, hash).get(pcr) ?? assert.fail()),
          toHex(value),
          `bank ${hash}, PCR ${pcr}`,
        );
      }
      const added = events.slice(log.events.length);
      assert.deepEqual(added.map(stepOf), ["target", "target", "target", ...way.capPcrs.map(() => "cap")]);
      assert.throws(() => logBehindGate({ ...log, algorithms: [] }, outcome.capped ?? assert.fail()), RangeError);
    });

    it("leaves nobody behind it who could attest: the same key's quote is red, until the next boot", async () => {
      assert.ok((await gate()).ok);
      assert.equal(scene.attested, 0, "the session of the small OS is over");
      const outcome = await attest();
      assert.ok(!outcome.ok && outcome.reason !== "token-silent" && "pcrs" in outcome);
      assert.deepEqual(outcome.pcrs, way.capPcrs);
      assert.ok(!(await gate()).ok, "nor is the gate passed twice");
      await scene.boot();
      assert.ok((await attest()).ok);
    });

    it("leaves the TPM at locality 0", async () => {
      assert.ok((await gate()).ok);
      await assert.rejects(
        scene.run(scene.tpm.extend(17, [{ hash: TpmAlg.SHA256, digest: new Uint8Array(32) }])),
        (error: unknown) => error instanceof TpmError && error.base === TpmRc.LOCALITY,
      );
    });

    it("measures a command as it measures a kernel, and nothing where nothing is named", async () => {
      const command = "exec switch_root /new /sbin/init";
      const targetOf = async (target: GateTarget) => {
        await scene.boot();
        const outcome = await gate({ target });
        assert.ok(outcome.ok);
        return (await pcrs()).filter(({ pcr }) => pcr === way.targetPcr);
      };
      for (const { hash, value } of await targetOf({ command })) {
        const digests = gateEvents(way, { command }).filter(({ step }) => step === "target");
        assert.deepEqual(
          digests.map(({ event }) => event),
          [`Measured target command into PCR${way.targetPcr}`],
        );
        assert.equal(
          toHex(value),
          toHex(
            replay(
              hash,
              digests.map((event) => gateDigest(event, hash)),
            ),
          ),
        );
      }
      for (const { value } of await targetOf({})) assert.ok(value.every((byte) => byte === 0));
    });

    it("without the cap, for a mere command, leaves everything as it is", async () => {
      const before = shown(await pcrs());
      assert.deepEqual(await gate({ cap: false, target: { command: "true" } }), { ok: true });
      assert.deepEqual(shown(await pcrs()), before);
      assert.ok((await attest()).ok);
      await assert.rejects(gate({ cap: false }), RangeError, "a kernel is never started without it");
    });

    it("stays shut on red, for the reason of the verdict", async () => {
      await scene.boot({ kernel: "evil" });
      const verdict = await attest();
      assert.ok(!verdict.ok && verdict.pcrs?.includes(17));
      await staysShut({}, verdict.reason);
    });

    it("stays shut for the reason of the verdict when the token goes before it explains it, and asks once", async () => {
      await scene.boot({ kernel: "evil" });
      scene.asked.length = 0;
      const isEvidence = (line: string) => /^POST .*attest\/\d+$/.test(line);
      scene.lie = ({ method, path }) => {
        if (isEvidence(`${method} ${path}`)) void scene.unplug();
        return undefined;
      };
      await staysShut({}, "not-trusted");
      assert.equal(scene.asked.filter(isEvidence).length, 1);
      scene.lie = () => undefined;
      scene.plugIn();
    });

    it("stays shut for the reason of the verdict when its time ends while it is explained, and is red when it is interrupted then", async () => {
      await scene.boot({ kernel: "evil" });
      const attester = {
        attest({ onRefused }: AttestOptions = {}) {
          clock.after(1_000, () => onRefused?.({ ok: false, reason: "not-trusted", detail: "it is red" }));
          return new Promise<never>(() => undefined);
        },
      };
      const { clock } = scene;
      const reds: number[] = [];
      const onRed = () => reds.push(clock.now());
      const from = clock.now();
      assert.equal((await staysShut({ attester, onRed, timeoutMs: 2_000 }, "not-trusted")).detail, "it is red");
      assert.ok(reds.every((at) => at - from < 2_000));
      const end = new AbortController();
      clock.after(1_500, () => end.abort());
      await staysShut({ attester, onRed, signal: end.signal }, "interrupted");
      assert.equal(reds.length, 2);
      await staysShut({ attester, onRed, timeoutMs: 500 }, "timeout");
      await scene.advance(2_000);
      assert.equal(reds.length, 2, "what comes after the end is nobody's verdict");
    });

    it("waits for a token that is not there yet, and not longer than it may", async () => {
      await scene.unplug();
      const from = scene.clock.now();
      const outcome = await staysShut({}, "token-silent");
      assert.equal(scene.clock.now() - from, TIMEOUT_MS);
      assert.match(outcome.detail, /within 60 s$/);
      scene.clock.after(20_000, () => scene.plugIn());
      assert.ok((await gate()).ok);
    });

    it("stays shut when the token goes in the middle, and when it takes too long", async () => {
      scene.lie = (request) => {
        if (request.method === "POST") void scene.unplug();
        return undefined;
      };
      await staysShut({ timeoutMs: 300_000 }, "token-silent");
      scene.lie = () => undefined;
      scene.plugIn();
      const never = { attest: () => new Promise<never>(() => undefined) };
      assert.match((await staysShut({ attester: never }, "timeout")).detail, /no verdict within 60 s/);
    });

    it("stays shut when the target does not load", async () => {
      const target = { kexec: { ...NEXT, kernel: new Uint8Array(4096) } };
      assert.match((await staysShut({ target }, "target-refused")).detail, /kexec did not load/);
    });

    it("stays shut when the TPM refuses the cap, or only says that it took it", async () => {
      stand = (code) => (code === TpmCc.PCR_Extend ? FAILURE : undefined);
      assert.match((await staysShut({}, "cap-failed")).detail, /the PCRs are not capped: TPM2_PCR_Extend/);
      let left = 0;
      stand = (code) => (code === TpmCc.PCR_Extend && left++ === 1 ? SUCCESS : undefined);
      const outcome = await staysShut({}, "cap-failed", { touched: true });
      assert.match(outcome.detail, /PCR \d+ of bank sha1 does not hold what was extended/);
    });

    if (kind === "launch") {
      it("stays shut when the chipset refuses the locality", async () => {
        const { chipset } = scene;
        const setLocality = async (locality: number) => {
          if (locality !== 0) throw new TpmPlatformError("swtpm refused SET_LOCALITY (0x3)");
          await chipset.setLocality(locality);
        };
        const outcome = await staysShut({ platform: { ...chipset, setLocality } }, "cap-failed");
        assert.equal(outcome.detail, "the PCRs are not capped: swtpm refused SET_LOCALITY (0x3)");
      });
    }

    it("stays shut when the token does not look at the PCRs that are capped", async () => {
      const quoted = () => [{ hash: TpmAlg.SHA256, pcrSelect: 0x7f }];
      assert.match((await staysShut({ quoted }, "cap-not-quoted")).detail, /did not ask for PCR/);
    });

    it("stays shut, and extends nothing, when the event log has no place for what it would extend", async () => {
      const [log = assert.fail()] = bootLogs(measurementsOf({ firmware: APU2.firmware }), [TpmAlg.SHA256]);
      const { detail } = await staysShut({ eventLog: { ...log, algorithms: [] } }, "log-failed");
      assert.equal(detail, "the event log cannot take the gate's events: the log has none of the TPM's banks");
      assert.ok((await gate({ eventLog: log })).ok);
    });

    it("stays shut when it is interrupted, before the verdict and after the cap", async () => {
      const early = AbortSignal.abort();
      await staysShut({ signal: early }, "interrupted");
      const late = new AbortController();
      await staysShut({ signal: late.signal, onGreen: () => late.abort() }, "interrupted");
      const last = new AbortController();
      stand = (code) => {
        if (code === TpmCc.PCR_Extend) last.abort();
        return undefined;
      };
      await staysShut({ signal: last.signal }, "interrupted", { touched: true });
    });
  });
}

function codeOf(command: Uint8Array): number {
  return new DataView(command.buffer, command.byteOffset).getUint32(6);
}

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { needs } from "../support/programs.ts";
import { type Swtpm, startSwtpm } from "../support/swtpm.ts";
import { type Moment, UdpGate } from "../support/udp-gate.ts";
import { Cast, SEVEN_REQUESTS, type Token } from "./cast.ts";

/** So far into its work the attester dies: with a TPM command under way. */
const INTO_WORK_MS = 3;
/** A TPM that lost power vouches for its clock again when the clock crosses its next step of 4096 ms. */
const CLOCK_STEP_MS = 4_096;
const LANES = 2;
/** The requests before this one provision the platform. */
const FIRST_OF_ATTESTATION = 6;
/** Nobody answers at UDP's discard port. */
const NOBODY = "127.0.0.1:9";

const APU2 = [
  "MAC:  0: D:B9:53:D2:50",
  "SMBIOSv2",
  "Manufacturer >PC Engines<",
  "Product Name >apu2<",
  "Serial Number >1373268<",
];

/** What the published walk-through prints. */
const WALK_THROUGH = [
  "Creating CoAP server endpoint using UDP.",
  "Registering CoAP resources.",
  "Entering main loop.",
  ...SEVEN_REQUESTS.flatMap((path) => [`Received message: ${path}`, ...(path === "metadata" ? APU2 : [])]),
];

interface Case {
  readonly title: string;
  readonly victim: "attester" | "token";
  readonly moment: Moment & { readonly request: number };
}

const CASES: readonly Case[] = [
  ...SEVEN_REQUESTS.map((path, index): Case => {
    const moment = { request: index + 1, when: "asked" } as const;
    return { title: `the attester killed while it answers request ${index + 1}, ${path}`, victim: "attester", moment };
  }),
  {
    title: "the attester killed between the blocks of its answer to request 5, rim",
    victim: "attester",
    moment: { request: 5, when: { block: 4 } },
  },
  ...SEVEN_REQUESTS.map((path, index): Case => {
    const moment = { request: index + 1, when: "answered" } as const;
    return { title: `the token killed as the answer to request ${index + 1}, ${path}, comes`, victim: "token", moment };
  }),
];

/** TPMs of one kind, one for each lane, manufactured. */
interface Backend {
  readonly programs: readonly string[];
  /** What --tpm says. */
  make(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

describe("API v0 between processes", function () {
  this.timeout(90_000);
  const cast = new Cast(mkdtempSync(join(tmpdir(), "fobnail-e2e-")));
  const gates: UdpGate[] = [];
  /** The state of a token with an owner, without a platform. */
  const provisioned = cast.path("provisioned-token");

  const openGate = async (port?: number): Promise<UdpGate> => {
    const gate = await UdpGate.open();
    gates.push(gate);
    gate.passTo(port);
    return gate;
  };

  before(async () => {
    await cast.command("owner", "init", cast.path("owner"), "--key", "ecc");
  });

  after(async () => {
    await cast.processes.killAll();
    await Promise.all(gates.map((gate) => gate.close()));
    rmSync(cast.folder, { recursive: true, force: true });
  });

  describe("a token and its owner recover from", () => {
    it("the owner killed at /cert_chain, and at /csr", async () => {
      const gate = await openGate();
      const more = ["--owner", gate.address, "--unplugged"];
      const token = cast.token({ state: provisioned, attester: NOBODY, more });
      const id = await token.deviceId();
      for (const request of ["cert_chain", "csr"]) {
        const owner = await cast.owner(id);
        gate.passTo(owner.port);
        const killed = gate.at({ request, when: "asked" }, () => {
          gate.passTo(undefined);
          void owner.program.kill();
        });
        if (request === "cert_chain") token.program.type("u");
        await killed;
        assert.equal(await owner.program.ended, "SIGKILL");
      }
      const owner = await cast.owner(id);
      gate.passTo(owner.port);
      await token.event("token-provisioned");
      await token.quit();
      assert.equal(await owner.program.kill("SIGTERM"), 0);
      assert.match(await cast.command("owner", "list", cast.path("owner")), new RegExp(`^${id} `, "m"));
    });

    it("the token killed at /cert_chain, and at /csr", async () => {
      const gate = await openGate();
      const state = cast.path("killed-token");
      const more = ["--owner", gate.address, "--unplugged"];
      const start = () => cast.token({ state, attester: NOBODY, more });
      let token = start();
      const id = await token.deviceId();
      const owner = await cast.owner(id);
      gate.passTo(owner.port);
      for (const request of ["cert_chain", "csr"]) {
        const killed = gate.at({ request, when: "answered" }, () => void token.program.kill());
        token.program.type("u");
        await killed;
        assert.equal(await token.program.ended, "SIGKILL");
        token = start();
        assert.equal(await token.deviceId(), id, "the same token");
      }
      token.program.type("u");
      // The certificate may have been stored in the last moment of the killed token.
      const stored = token.program.lines.some((line) => line.includes(`${id}, provisioned`));
      if (!stored) await token.event("token-provisioned");
      await token.quit();
      assert.equal(await owner.program.kill("SIGTERM"), 0);
    });
  });

  const exchangeOver = (name: string, backend: Backend) =>
    describe(`with ${name}`, () => {
      let tpms: readonly string[] = [];
      const ekRoot = ["--ek-root", cast.path(name, "vendor-root.pem")];
      const outcomes = new Map<Case, Promise<void>>();

      const tokenWithOwner = (what: string): string => {
        const state = cast.path(name, what);
        cpSync(provisioned, state, { recursive: true });
        return state;
      };

      /** A TPM that lost power may spoil the verdict for some seconds: the token says so, and trying again is the user's choice. */
      const green = async (token: Token): Promise<void> => {
        const deadline = performance.now() + 2 * CLOCK_STEP_MS;
        let verdict = await token.verdict();
        while (verdict.reason === "tpm-clock-unsafe" && performance.now() < deadline) {
          await wait(CLOCK_STEP_MS / 8);
          await token.replug();
          verdict = await token.verdict();
        }
        assert.equal(verdict.trusted, true, token.program.said());
        await token.lamps(true, false);
      };

      const killAttester = async (tpm: string, { moment }: Case, state: string): Promise<void> => {
        const first = await cast.attester(tpm);
        const gate = await openGate(first.port);
        const killed = gate.at(moment, () => {
          gate.passTo(undefined);
          setTimeout(() => first.program.kill(), INTO_WORK_MS);
        });
        const token = cast.token({ state, attester: gate.address, more: ekRoot });
        await killed;
        assert.equal(await first.program.ended, "SIGKILL");
        assert.deepEqual(gate.asked, SEVEN_REQUESTS.slice(0, moment.request));
        const attesting = moment.request >= FIRST_OF_ATTESTATION;
        if (attesting) {
          assert.equal((await token.verdict()).reason, "attester-silent");
          await token.lamps(false, true);
        }
        const second = await cast.attester(tpm);
        gate.passTo(second.port);
        if (attesting) await token.replug();
        else await token.event("platform-provisioned");
        await green(token);
        assert.equal(token.count("platform-provisioned"), 1);
        await token.quit();
        assert.equal(await second.program.kill("SIGTERM"), 0, second.program.said());
      };

      /** Started again, the token goes on from what it had stored, without anybody's help. */
      const killToken = async (tpm: string, { moment }: Case, state: string): Promise<void> => {
        const attester = await cast.attester(tpm);
        const gate = await openGate(attester.port);
        const how = { state, attester: gate.address, more: ekRoot };
        const first = cast.token(how);
        await gate.at(moment, () => void first.program.kill());
        assert.equal(await first.program.ended, "SIGKILL");
        assert.deepEqual(gate.asked.slice(0, moment.request), SEVEN_REQUESTS.slice(0, moment.request));
        const second = cast.token(how);
        await green(second);
        const enrolled = [first, second].map((token) => token.count("platform-provisioned"));
        if (moment.request < FIRST_OF_ATTESTATION - 1) assert.deepEqual(enrolled, [0, 1]);
        // What was stored last may not have been told any more; it is not asked for again.
        else if (moment.request >= FIRST_OF_ATTESTATION) assert.equal(enrolled[1], 0);
        await second.quit();
        assert.equal(await attester.program.kill("SIGTERM"), 0, attester.program.said());
      };

      /** Two cases at a time, each on its lane's TPM; the tests wait for them one by one. */
      const startCases = () => {
        const lanes = Array.from({ length: LANES }, () => Promise.resolve());
        for (const [index, wanted] of CASES.entries()) {
          const lane = index % LANES;
          const run = wanted.victim === "attester" ? killAttester : killToken;
          const state = tokenWithOwner(`token-${index}`);
          const outcome = (lanes[lane] ?? Promise.resolve()).then(() => run(tpms[lane] ?? "", wanted, state));
          lanes[lane] = outcome.catch(() => undefined); // told by its own test
          outcomes.set(wanted, outcome);
        }
      };

      before(async function () {
        needs(this, ...backend.programs);
        mkdirSync(cast.path(name));
        tpms = await backend.make();
      });

      after(() => backend.stop());

      it("goes from owner to green, and prints the walk-through", async () => {
        const attester = await cast.attester(tpms[0] ?? "");
        const gate = await openGate();
        const more = ["--owner", gate.address, "--unplugged", ...ekRoot];
        const token = cast.token({ state: cast.path(name, "green"), attester: `127.0.0.1:${attester.port}`, more });
        const owner = await cast.owner(await token.deviceId());
        gate.passTo(owner.port);
        token.program.type("u");
        await token.event("token-provisioned");
        await token.event("platform-provisioned");
        assert.equal((await token.verdict()).trusted, true);
        await token.lamps(true, false);
        await token.quit();
        assert.equal(await attester.program.kill("SIGTERM"), 0);
        assert.equal(await owner.program.kill("SIGINT"), 0);
        const { lines } = attester.program;
        const said = lines.slice(lines.indexOf("Creating CoAP server endpoint using UDP."));
        assert.deepEqual(
          said.filter((line) => !line.startsWith("debug: ")),
          WALK_THROUGH,
        );
      });

      it("goes over the emulated stick's own link to green", async () => {
        const attester = await cast.attester(tpms[0] ?? "");
        const more = ["--net", "usb", ...ekRoot];
        const state = tokenWithOwner("usb");
        const token = cast.token({ state, attester: `127.0.0.1:${attester.port}`, more });
        await token.event("platform-provisioned");
        assert.equal((await token.verdict()).trusted, true);
        await token.lamps(true, false);
        await token.quit();
        assert.equal(await attester.program.kill("SIGTERM"), 0);
      });

      describe("recovers from", () => {
        before(startCases);

        for (const wanted of CASES) {
          it(wanted.title, () => outcomes.get(wanted));
        }
      });
    });

  const manufacture = (name: string, tpm: string): Promise<string> =>
    cast.command("tpm", "manufacture", "--tpm", tpm, "--out", cast.path(name));

  const emulator: Backend = {
    programs: [],
    async make() {
      const folders = [cast.path("emulator", "tpm-0"), cast.path("emulator", "tpm-1")] as const;
      await manufacture("emulator", `emulator:${folders[0]}`);
      cpSync(folders[0], folders[1], { recursive: true });
      return folders.map((folder) => `emulator:${folder}`);
    },
    stop: () => Promise.resolve(),
  };

  const started: Swtpm[] = [];
  const swtpm: Backend = {
    programs: ["swtpm"],
    async make() {
      const folders = [cast.path("swtpm", "tpm-0"), cast.path("swtpm", "tpm-1")] as const;
      mkdirSync(folders[0]);
      const first = await startSwtpm({ directory: folders[0] });
      await manufacture("swtpm", first.spec);
      await first.stop();
      cpSync(folders[0], folders[1], { recursive: true, filter: (source) => !source.endsWith(".sock") });
      started.push(...(await Promise.all(folders.map((directory) => startSwtpm({ directory })))));
      return started.map(({ spec }) => spec);
    },
    async stop() {
      await Promise.all(started.map(({ stop }) => stop()));
    },
  };

  exchangeOver("emulator", emulator);
  exchangeOver("swtpm", swtpm);
});

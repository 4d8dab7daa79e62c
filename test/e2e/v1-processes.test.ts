import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs } from "../support/programs.ts";
import { type Swtpm, startSwtpm } from "../support/swtpm.ts";
import { UdpGate } from "../support/udp-gate.ts";
import { Cast, Token } from "./cast.ts";

/** Tokens, gates and TPMs that are at work side by side: mostly they wait. */
const LANES = 3;

/** What the attester asks, in order, when it meets a token that does not know it; ids are left out. */
const REQUESTS = [
  "api/version",
  "api/v1/nonce",
  "api/v1/attest",
  "api/v1/admin/provision/ek",
  "api/v1/admin/provision/aik",
  "api/v1/admin/provision",
  "api/v1/nonce",
  "api/v1/admin/provision/{id}/meta",
  "api/v1/nonce",
  "api/v1/admin/provision/{id}/rim",
  "api/v1/admin/provision/{id}/log", // with nothing, to see whether the token takes logs
  "api/v1/nonce",
  "api/v1/admin/provision/{id}/log",
  "api/v1/admin/provision/{id}",
  "api/v1/nonce",
  "api/v1/attest",
  "api/v1/attest/{id}/log",
  "api/v1/attest/{id}/log",
  "api/v1/attest/{id}",
  "api/v1/storage/fs/disk.key",
  "api/v1/nonce",
  "api/v1/storage/grant",
  "api/v1/storage/fs/disk.key",
  "api/v1/nonce",
  "api/v1/storage/grant",
  "api/v1/storage/fs/disk.key",
];
const OWNER_REQUESTS = ["api/version", "api/v1/admin/token_provision", "api/v1/admin/provision_complete"];

/** The request, from 1, whose answer says that the file is stored. */
const STORED = 23;
const isNonce = (path: string) => path === "api/v1/nonce";
const withoutId = (path: string) => path.replace(/\/\d+(?=\/|$)/, "/{id}");

interface Case {
  readonly victim: "attester" | "token";
  /** From 1. */
  readonly request: number;
}

function casesOf(victim: Case["victim"]): readonly Case[] {
  return REQUESTS.flatMap((path, index) => (isNonce(path) ? [] : [{ victim, request: index + 1 }]));
}

const titleOf = ({ victim, request }: Case) =>
  victim === "attester"
    ? `the attester killed as the answer to request ${request}, ${REQUESTS[request - 1]}, comes`
    : `the token killed as request ${request}, ${REQUESTS[request - 1]}, comes`;

/** TPMs of one kind, one for each lane, manufactured. */
interface Backend {
  readonly key: "rsa" | "ecc";
  readonly victims: readonly Case["victim"][];
  readonly programs: readonly string[];
  make(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

describe("API v1 between processes", function () {
  this.timeout(120_000);
  const cast = new Cast(mkdtempSync(join(tmpdir(), "fobnail-e2e-v1-")));
  const gates: UdpGate[] = [];
  const key = cast.path("disk.key");
  /** The state of a token with an owner, without a platform. */
  const provisioned = cast.path("provisioned-token");

  const openGate = async (): Promise<UdpGate> => {
    const gate = await UdpGate.open();
    gates.push(gate);
    return gate;
  };

  const startToken = async (state: string, more: readonly string[] = []) => {
    const where = ["--net", "udp", "--port", "0", "--state", state, "--owner-root", cast.path("owner", "root.pem")];
    const token = new Token(cast.processes.start(["token", "--json", ...where, ...more]));
    const [, id = "", not] = await token.program.line(/Device id ([0-9A-F]{1,16}), (not )?provisioned/);
    const { port } = await token.event("listening");
    return { token, port: Number(port), id, provisioned: not === undefined };
  };

  const ownerProvisions = (gate: UdpGate) => {
    const files = [cast.path("owner", "chain.pem"), cast.path("owner", "key.pem")];
    return cast.processes.start(["owner", ...files, "--token", gate.address, "--json"], { stdin: "closed" });
  };

  const records = async () => {
    const listed = await cast.command("owner", "list", cast.path("owner"), "--json");
    return listed.split("\n").filter((line) => line !== "");
  };

  before(async () => {
    writeFileSync(key, "the key of a disk\n");
    await cast.command("owner", "init", cast.path("owner"), "--key", "ecc");
    const { token, port } = await startToken(provisioned);
    const gate = await openGate();
    gate.passTo(port);
    assert.equal(await ownerProvisions(gate).ended, 0);
    await token.event("token-provisioned");
    assert.deepEqual(gate.asked, OWNER_REQUESTS);
    await token.quit();
  });

  after(async () => {
    await cast.processes.killAll();
    await Promise.all(gates.map((gate) => gate.close()));
    rmSync(cast.folder, { recursive: true, force: true });
  });

  describe("a token and its owner recover from", () => {
    const cases = ["api/v1/admin/token_provision", "api/v1/admin/provision_complete"].flatMap((request) =>
      (["owner", "token"] as const).flatMap((victim) =>
        (["asked", "answered"] as const).map((when) => ({ request, victim, when })),
      ),
    );

    for (const { request, victim, when } of cases) {
      it(`the ${victim} killed when ${request} is ${when}`, async () => {
        const state = cast.path([victim, when, request.slice("api/v1/admin/".length)].join("-"));
        const first = await startToken(state);
        const gate = await openGate();
        gate.passTo(first.port);
        const killed = gate.at({ request, when }, () => {
          void (victim === "owner" ? owner : first.token.program).kill();
        });
        const owner = ownerProvisions(gate);
        await killed;
        assert.equal(await (victim === "owner" ? owner : first.token.program).ended, "SIGKILL");
        let { token } = first;
        if (victim === "token") {
          const second = await startToken(state);
          assert.equal(second.id, first.id, "the same token");
          token = second.token;
          gate.passTo(second.port);
        }
        await owner.ended;
        // Whoever was killed last may have done it without having said so: then the token says that it has an owner.
        const again = ownerProvisions(gate);
        if ((await again.ended) !== 0) assert.match(again.said(), /4\.03/);
        assert.ok(
          (await records()).some((line) => line.includes(first.id)),
          "each certificate is in the record",
        );
        await token.quit();
        const last = await startToken(state);
        assert.ok(last.provisioned);
        await last.token.quit();
      });
    }
  });

  const exchangeOver = (name: string, backend: Backend) =>
    describe(`with ${name}, ${backend.key}`, () => {
      let tpms: readonly string[] = [];
      const folder = `${name}-${backend.key}`;
      const outcomes = new Map<Case, Promise<void>>();
      const cases = backend.victims.flatMap(casesOf);

      const tokenWithOwner = (what: string): string => {
        const state = cast.path(folder, what);
        cpSync(provisioned, state, { recursive: true });
        return state;
      };
      const startHere = (state: string) => startToken(state, ["--ek-root", cast.path(folder, "vendor-root.pem")]);

      const attester = (gate: UdpGate, tpm: string, ...commands: readonly string[]) => {
        const who = ["--tpm", tpm, "--platform", "apu2", "--launch", "--no-aia", "--key", backend.key];
        return cast.processes.start(["attester", "--token", gate.address, ...who, ...commands], { stdin: "closed" });
      };
      const allOfIt = ["--provision", "-w", `${key}:disk.key`, "-r", "disk.key:-"];
      const gotKey = (said: readonly string[]) => said.includes(readFileSync(key, "utf8").trim());

      /** After the first attester or token was killed: the same command once more, or only reading when all was stored. */
      const secondTime = async (token: Token, gate: UdpGate, tpm: string, { victim, request }: Case): Promise<void> => {
        const stored = victim === "attester" && request >= STORED;
        const again = attester(gate, tpm, ...(stored ? ["-r", "disk.key:-"] : allOfIt));
        assert.equal(await again.ended, 0, again.said());
        assert.ok(gotKey(again.lines), again.said());
        await token.event("attested");
        await token.lamps(true, false);
      };

      const killAttester = async (tpm: string, wanted: Case, state: string): Promise<void> => {
        const { token, port } = await startHere(state);
        const gate = await openGate();
        gate.passTo(port);
        const killed = gate.at({ request: wanted.request, when: "answered" }, () => void first.kill());
        const first = attester(gate, tpm, ...allOfIt);
        await killed;
        assert.equal(await first.ended, "SIGKILL");
        assert.deepEqual(gate.asked.slice(0, wanted.request).map(withoutId), REQUESTS.slice(0, wanted.request));
        await secondTime(token, gate, tpm, wanted);
        assert.equal(token.count("platform-provisioned"), 1);
        await token.quit();
      };

      const killToken = async (tpm: string, wanted: Case, state: string): Promise<void> => {
        const first = await startHere(state);
        const gate = await openGate();
        gate.passTo(first.port);
        const killed = gate.at({ request: wanted.request, when: "asked" }, () => void first.token.program.kill());
        const client = attester(gate, tpm, ...allOfIt);
        await killed;
        assert.equal(await first.token.program.ended, "SIGKILL");
        const second = await startHere(state);
        gate.passTo(second.port);
        await client.ended; // its session is gone with the token; that it ends is enough
        await secondTime(second.token, gate, tpm, wanted);
        const enrolled = [first, second].map(({ token }) => token.count("platform-provisioned"));
        assert.ok(enrolled[0] === 0 || enrolled[1] === 0, "a platform that was stored is not enrolled again");
        await second.token.quit();
      };

      /** The tests wait for these one by one. */
      const startCases = () => {
        const lanes = Array.from({ length: LANES }, () => Promise.resolve());
        for (const [index, wanted] of cases.entries()) {
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
        mkdirSync(cast.path(folder));
        tpms = await backend.make();
      });

      after(() => backend.stop());

      it("goes from an owner to a disk key in the token, and the key comes back", async () => {
        const gate = await openGate();
        for (const tpm of tpms) {
          const { token, port } = await startHere(tokenWithOwner(`whole-${tpms.indexOf(tpm)}`));
          gate.passTo(port);
          const before = gate.asked.length;
          const first = attester(gate, tpm, ...allOfIt);
          assert.equal(await first.ended, 0, first.said());
          assert.ok(gotKey(first.lines));
          await token.event("platform-provisioned");
          await token.event("attested");
          await token.lamps(true, false);
          // The first time a TPM has no key yet, and nobody is asked whether it is known.
          const asked = gate.asked.slice(before).map(withoutId);
          assert.deepEqual(asked, [...REQUESTS.slice(0, 1), ...REQUESTS.slice(3)]);
          await token.event("attested-sessions"); // the attester is gone: 3 s later its session is
          await token.lamps(false, false);
          await token.quit();
        }
      });

      it("goes over the emulated stick's own link", async () => {
        const state = tokenWithOwner("usb");
        const how = ["--net", "usb", "--port", "0", "--json", "--ek-root", cast.path(folder, "vendor-root.pem")];
        const token = new Token(cast.processes.start(["token", "--state", state, ...how]));
        const { port } = await token.event("listening");
        const gate = await openGate();
        gate.passTo(Number(port));
        const client = attester(gate, tpms[0] ?? "", ...allOfIt);
        assert.equal(await client.ended, 0, client.said());
        assert.ok(gotKey(client.lines));
        await token.event("attested");
        await token.quit();
      });

      describe("recovers from", () => {
        before(startCases);

        for (const wanted of cases) {
          it(titleOf(wanted), () => outcomes.get(wanted));
        }
      });
    });

  const laneFolders = (folder: string, { length }: readonly Case["victim"][]) =>
    Array.from({ length: length === 0 ? 1 : LANES }, (_, lane) => cast.path(folder, `tpm-${lane}`));
  const manufacture = (folder: string, tpm: string) =>
    cast.command("tpm", "manufacture", "--tpm", tpm, "--out", cast.path(folder));

  const emulator = (kind: "rsa" | "ecc", ...victims: readonly Case["victim"][]): Backend => ({
    key: kind,
    victims,
    programs: [],
    async make() {
      const folders = laneFolders(`emulator-${kind}`, victims);
      const [made = "", ...others] = folders;
      await manufacture(`emulator-${kind}`, `emulator:${made}`);
      for (const other of others) cpSync(made, other, { recursive: true });
      return folders.map((folder) => `emulator:${folder}`);
    },
    stop: () => Promise.resolve(),
  });

  const swtpm = (kind: "rsa" | "ecc", ...victims: readonly Case["victim"][]): Backend => {
    const started: Swtpm[] = [];
    return {
      key: kind,
      victims,
      programs: ["swtpm"],
      async make() {
        const folders = laneFolders(`swtpm-${kind}`, victims);
        const [made = "", ...others] = folders;
        mkdirSync(made);
        const first = await startSwtpm({ directory: made });
        await manufacture(`swtpm-${kind}`, first.spec);
        await first.stop();
        const filter = (source: string) => !source.endsWith(".sock");
        for (const other of others) cpSync(made, other, { recursive: true, filter });
        started.push(...(await Promise.all(folders.map((directory) => startSwtpm({ directory })))));
        return started.map(({ spec }) => spec);
      },
      async stop() {
        await Promise.all(started.map(({ stop }) => stop()));
      },
    };
  };

  exchangeOver("emulator", emulator("rsa", "attester"));
  exchangeOver("emulator", emulator("ecc", "token"));
  exchangeOver("swtpm", swtpm("rsa", "attester"));
  exchangeOver("swtpm", swtpm("ecc"));
});

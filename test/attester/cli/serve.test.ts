import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createTpmClient } from "../../../attester/tpm/index.ts";
import { realClock } from "../../../hw/clock/real.ts";
import { openUdpPort } from "../../../hw/net/udp.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { createTpmEmulator, openStateDirectory } from "../../../hw/tpm/emulator/index.ts";
import { manufactureTpm } from "../../../hw/tpm/manufacture.ts";
import { openTpm } from "../../../hw/tpm/open.ts";
import { decode } from "../../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { type CoapEndpoint, Code, createEndpoint } from "../../../shared/coap/index.ts";
import { CertChain, Evidence, QuoteRequest } from "../../../shared/protocol/index.ts";
import { TpmsAttest } from "../../../shared/tpm/index.ts";
import { startProgram } from "../../support/program.ts";
import { needs } from "../../support/programs.ts";
import { startSwtpm } from "../../support/swtpm.ts";
import { runHere } from "./run-here.ts";

const PROGRAM = "attester/cli/main.ts";
const LISTENING = /Listening on 127\.0\.0\.1:(\d+)/;
const env = { random: systemRandom, clock: realClock };

describe("fobnail-attester serve", function () {
  this.timeout(40_000);
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-attester-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const manufacture = async (spec: string) => {
    const tpm = await openTpm(spec, env);
    const client = createTpmClient(tpm.transport, { ...env, log: { write: () => undefined } });
    await client.startUp({ platform: tpm.platform, own: true });
    const today = Date.UTC(2026, 10, 21);
    const made = await client.turn((runner) => manufactureTpm(runner, { random: systemRandom, today }));
    assert.ok(made.ok);
    await client.shutDown();
    await tpm.close();
  };

  const serving = async (...args: readonly string[]) => {
    const program = startProgram(PROGRAM, ["serve", "--api", "v0", "--port", "0", "--verbose", ...args]);
    const [, port] = await program.until(LISTENING);
    return { program, peer: { address: "127.0.0.1", port: Number(port) } };
  };

  const withClient = async (use: (client: CoapEndpoint) => Promise<void>) => {
    const port = await openUdpPort("127.0.0.1", 0);
    const client = createEndpoint({ port, ...env });
    try {
      await use(client);
    } finally {
      client.close();
      await port.close();
    }
  };

  const quote = encodeCbor(QuoteRequest, { nonce: new Uint8Array(32), banks: [{ algo_id: 11, pcrs: 0x0006_00ff }] });

  describe("with the emulator in a directory", () => {
    let spec = "";
    before(async () => {
      spec = `emulator:${join(folder, "tpm")}`;
      await manufacture(spec);
    });

    it("prints the walk-through's lines, serves, and ends with 0 and TPM2_Shutdown on Ctrl-C", async () => {
      const { program, peer } = await serving("--tpm", spec, "--platform", "apu2");
      await withClient(async (client) => {
        const { payload } = await client.request(peer, { method: "FETCH", path: "/ek" });
        assert.equal(decodeCbor(CertChain, payload).certs.length, 2);
        assert.equal((await client.request(peer, { method: "FETCH", path: "/metadata" })).code, Code.Content);
      });
      assert.equal(await program.end("SIGINT"), 0);
      const lines = program
        .output()
        .split("\n")
        .filter((line) => line !== "" && !/^debug|^Creating (an EK|the ref)/.test(line));
      assert.deepEqual(lines, [
        "Creating CoAP server endpoint using UDP.",
        "Registering CoAP resources.",
        "Entering main loop.",
        "Received message: ek",
        "Received message: metadata",
        "MAC:  0: D:B9:53:D2:50",
        "SMBIOSv2",
        "Manufacturer >PC Engines<",
        "Product Name >apu2<",
        "Serial Number >1373268<",
      ]);
      const state = openStateDirectory(join(folder, "tpm"));
      const tpm = createTpmEmulator({ ...env, state });
      const client = createTpmClient(tpm.transport, { ...env, log: { write: () => undefined } });
      await client.startUp({ platform: tpm.platform, own: true });
      const { clockInfo } = await client.readClock();
      assert.equal(clockInfo.safe, 1, "it was shut down in order");
      await client.shutDown();
      await tpm.transport.close();
    });

    it("recovers after it was killed: same keys, and says that the clock is not safe yet", async () => {
      const first = await serving("--tpm", spec, "--platform", "apu2");
      let aik: Uint8Array | undefined;
      await withClient(async (client) => {
        aik = (await client.request(first.peer, { method: "FETCH", path: "/aik" })).payload;
      });
      await first.program.end("SIGKILL");
      const { program, peer } = await serving("--tpm", spec, "--platform", "apu2");
      await withClient(async (client) => {
        assert.deepEqual((await client.request(peer, { method: "FETCH", path: "/aik" })).payload, aik);
        const answer = await client.request(peer, { method: "POST", path: "/quote", payload: quote });
        const { data } = decodeCbor(Evidence, answer.payload);
        const attest = decode(TpmsAttest, data);
        assert.equal(attest.clockInfo.safe, 0);
      });
      await program.until(/warning: The TPM lost power without TPM2_Shutdown/);
      assert.equal(await program.end("SIGTERM"), 0);
    });

    it("simulates a launch on demand, so that PCR 17 and 18 hold one", async () => {
      const { program, peer } = await serving("--tpm", spec, "--platform", "apu2", "--profile", "strict", "--launch");
      await withClient(async (client) => {
        const aik = await client.request(peer, { method: "FETCH", path: "/aik" });
        assert.equal(aik.payload.byteLength, 282);
        const rim = await client.request(peer, { method: "FETCH", path: "/rim" });
        assert.equal(rim.code, Code.Content);
      });
      assert.match(program.output(), /Simulated a dynamic launch/);
      assert.equal(await program.end("SIGINT"), 0);
    });

    it("speaks JSON for programs", async () => {
      const program = startProgram(PROGRAM, ["serve", "--tpm", spec, "--platform", "apu2", "--port", "0", "--json"]);
      await program.until(/Entering main loop/);
      assert.equal(await program.end("SIGINT"), 0);
      const lines = program
        .output()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.ok(lines.some(({ level, msg }) => level === "info" && msg === "Entering main loop."));
    });

    it("answers libcoap's client", async function () {
      needs(this, "coap-client-notls");
      const { program, peer } = await serving("--tpm", spec, "--platform", "apu2");
      for (const [path, size] of [
        ["aik", "280"],
        ["ek", "\\d{4}"],
      ] as const) {
        const file = join(folder, path);
        const url = `coap://127.0.0.1:${peer.port}/${path}`;
        await promisify(execFile)("coap-client-notls", ["-m", "fetch", "-B", "10", "-b", "512", "-o", file, url]);
        assert.match(String(readFileSync(file).byteLength), new RegExp(`^${size}$`));
      }
      assert.equal(await program.end("SIGINT"), 0);
    });

    it("wants another program's port left alone, and says so", async () => {
      const socket = createSocket("udp4").bind(0, "127.0.0.1");
      await once(socket, "listening");
      const { port } = socket.address();
      const { code, output } = await runHere(["serve", "--tpm", spec, "--platform", "apu2", "--port", String(port)]);
      socket.close();
      assert.equal(code, 3);
      assert.match(output, new RegExp(`^error: UDP port ${port} of 127.0.0.1 is taken by another program`));
    });
  });

  it("serves over swtpm, started or not, and gives it TPM2_Shutdown", async function () {
    needs(this, "swtpm");
    const swtpm = await startSwtpm();
    try {
      await manufacture(swtpm.spec);
      const args = ["--tpm", swtpm.spec, "--platform", "apu2", "--profile", "strict", "--key", "ecc"];
      const { program, peer } = await serving(...args);
      await withClient(async (client) => {
        const answer = await client.request(peer, { method: "POST", path: "/quote", payload: quote });
        assert.equal(decodeCbor(Evidence, answer.payload).signature.byteLength, 64);
      });
      assert.equal(await program.end("SIGINT"), 0);
      const again = await serving(...args);
      await swtpm.kill();
      await withClient(async (client) => {
        const { code } = await client.request(again.peer, { method: "FETCH", path: "/rim" });
        assert.equal(code, Code.ServiceUnavailable);
      });
      assert.equal(await again.program.end("SIGINT"), 0);
      assert.match(again.program.output(), /warning: The TPM did not get TPM2_Shutdown/);
    } finally {
      await swtpm.stop();
    }
  });

  it("ends with the same codes as a program of its own", async () => {
    const program = startProgram(PROGRAM, ["serve", "--port", "x"]);
    assert.equal(await program.ended, 2);
    assert.match(program.output(), /A whole number from 0 to 65535 belongs here/);
  });

  describe("used wrongly", () => {
    const file = (name: string, text: string) => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    };
    const good = ["serve", "--tpm", "emulator", "--platform", "apu2", "--port", "0"];
    for (const [what, args, code, sentence] of [
      ["an unknown command behind serve", () => ["serve", "now"], 2, /too many arguments/],
      ["an unknown command", () => ["sreve"], 2, /unknown command 'sreve'/],
      ["an unknown option", () => ["serve", "--tmp", "x"], 2, /unknown option '--tmp'/],
      ["an API it does not speak", () => ["serve", "--api", "v7"], 2, /Allowed choices are v0/],
      ["a port that is none", () => ["serve", "--port", "70000"], 2, /A whole number from 0 to 65535 belongs here/],
      ["an address that is none", () => ["serve", "--bind", "localhost"], 2, /An IPv4 address such as 127\.0\.0\.1/],
      [
        "a TPM that is none",
        () => ["serve", "--tpm", "chip", "--platform", "apu2", "--port", "0"],
        2,
        /^error: --tpm chip: not known/,
      ],
      ["compat with ECC", () => [...good, "--key", "ecc"], 2, /--key ecc needs --profile strict/],
      [
        "a TPM that is not there",
        () => ["serve", "--tpm", "device:/nonexistent", "--platform", "apu2", "--port", "0"],
        3,
        /^error: TPM at \/nonexistent/,
      ],
      ["a TPM without certificate", () => good, 1, /^error: The TPM has no EK certificate for RSA 2048/],
      ["a profile that is not there", () => [...good, "--platform", "nope.yaml"], 2, /^error: nope\.yaml is not there/],
      [
        "a profile with mistakes",
        () => [...good, "--platform", file("p.yaml", "mac: 1\n")],
        2,
        /p\.yaml: mac: mac must be a text[\s\S]*p\.yaml: manufacturer is missing/,
      ],
      [
        "a chain that is none",
        () => [...good, "--ek-chain", file("chain.pem", "hello")],
        2,
        /^error: .*chain\.pem holds no certificate/,
      ],
      [
        "a bind address of another machine",
        () => [...good, "--bind", "192.0.2.1"],
        3,
        /^error: UDP port 0 of 192\.0\.2\.1 cannot be had/,
      ],
      [
        "a launch on a TPM whose chipset nobody plays",
        () => [...good, "--launch", "--tpm", "SWTPM"],
        2,
        /^error: --launch needs a TPM whose chipset/,
      ],
    ] as const) {
      it(`says a sentence and ends with ${code}: ${what}`, async function () {
        let given: readonly string[] = args();
        const swtpm = given.includes("SWTPM") ? await bareSwtpm(this) : undefined;
        if (swtpm !== undefined) given = given.map((arg) => (arg === "SWTPM" ? swtpm.spec : arg));
        const { code: got, output } = await runHere(given);
        await swtpm?.stop();
        assert.match(output, sentence);
        assert.doesNotMatch(output, /\n {4}at /, "no stack");
        assert.equal(got, code);
      });
    }

    /** swtpm without the control channel in its spec. */
    async function bareSwtpm(context: Mocha.Context) {
      needs(context, "swtpm");
      const swtpm = await startSwtpm({ arguments: ["--flags", "not-need-init,startup-clear"] });
      return { spec: swtpm.spec.replace(/,ctrl=.*/, ""), stop: () => swtpm.stop() };
    }
  });

  it("helps with examples", async () => {
    const { code, output } = await runHere(["serve", "--help"]);
    assert.equal(code, 0);
    for (const option of [
      "--api",
      "--tpm",
      "--platform",
      "--port",
      "--bind",
      "--profile",
      "--key",
      "--ek-chain",
      "--launch",
    ]) {
      assert.ok(output.includes(option), option);
    }
    assert.match(output, /Examples:[\s\S]*fobnail-attester serve --api v0[\s\S]*Exit codes: 0 done/);
  });
});

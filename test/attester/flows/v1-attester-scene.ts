/** A computer with a TPM, and a token of API v1 that its owner has provisioned, on a net in memory in virtual time. */
import assert from "node:assert/strict";
import { bootMeasured, measurementsOf, memoryEventLogs, sampleLaunch } from "../../../attester/dlme/index.ts";
import {
  createTokenWire,
  createV1Attester,
  type TokenWire,
  type V1Attester,
  type V1AttesterOptions,
  type WireEndpoint,
} from "../../../attester/flows/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { createTpmClient, type TpmClient } from "../../../attester/tpm/index.ts";
import { Scheduler } from "../../../hw/clock/scheduler.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../../hw/flash/index.ts";
import { manufactureTpm } from "../../../hw/tpm/manufacture.ts";
import {
  type ClientRequest,
  type CoapEndpoint,
  type CoapResponse,
  createEndpoint,
} from "../../../shared/coap/index.ts";
import type { TcgLog } from "../../../shared/event-log/index.ts";
import type {
  DatagramPort,
  EventLogs,
  Peer,
  TpmPlatform,
  TpmTransport,
  Unsubscribe,
} from "../../../shared/ports/index.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import type { TokenEvent } from "../../../token/domain/events.ts";
import { profileNamed } from "../../../token/domain/profile.ts";
import { createToken, type Token } from "../../../token/token.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { DatagramNet } from "../../support/datagram-net.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { seededRandom } from "../../support/random.ts";
import { askOver } from "../../support/v1-asks.ts";
import { V1Walk } from "../../support/v1-walk.ts";

export const TOKEN: Peer = { address: "169.254.0.1", port: 5683 };
const COMPUTER = "169.254.0.8";
const TODAY = Date.UTC(2026, 10, 21);
const LIMIT_MS = 600_000;

export interface Backend {
  readonly transport: TpmTransport;
  readonly platform: TpmPlatform;
  stop(): Promise<void>;
}

/** What a liar says in the place of the token; undefined leaves its answer. */
export type Lie = (request: ClientRequest, answer: CoapResponse) => CoapResponse | undefined;

export interface Program {
  readonly attester: V1Attester;
  readonly wire: TokenWire;
  readonly endpoint: CoapEndpoint;
}

export class V1AttesterScene {
  readonly clock = new VirtualClock();
  readonly #scheduler = new Scheduler(this.clock);
  readonly net = new DatagramNet(this.clock);
  readonly log = new TestLog();
  readonly owner = new FakeOwner();
  readonly events: TokenEvent[] = [];
  readonly tpm: TpmClient;
  /** Of the last boot. */
  readonly eventLogs: EventLogs = memoryEventLogs(() => this.#logs);
  #logs: readonly TcgLog[] = [];
  readonly #backend: Backend;
  readonly #profile: "strict" | "compat";
  readonly #flash = createRamFlash(STICK_GEOMETRY);
  #ekRoots: readonly Certificate[] = [];
  #token: Token | undefined;
  #port: DatagramPort | undefined;
  #unplug: Unsubscribe = () => undefined;
  #nextPort = 40_000;
  /** What was asked, as "POST /api/v1/attest". */
  readonly asked: string[] = [];
  lie: Lie = () => undefined;

  private constructor(profile: "strict" | "compat", backend: Backend) {
    this.#profile = profile;
    this.#backend = backend;
    this.net.fate = () => [1];
    const transport = this.#scheduler.trackTransport(backend.transport);
    this.tpm = createTpmClient(transport, { random: seededRandom(5, "attester"), log: this.log, clock: this.clock });
  }

  /** The TPM gets certificates and the computer is booted with a launch; the token has an owner unless told otherwise. */
  static async open(
    profile: "strict" | "compat",
    backend: Backend,
    { owned = true, manufacture = true } = {},
  ): Promise<V1AttesterScene> {
    const scene = new V1AttesterScene(profile, backend);
    await scene.tpm.startUp({ platform: scene.#platform, own: true });
    if (manufacture) {
      const made = await scene.tpm.turn((runner) =>
        manufactureTpm(runner, { random: seededRandom(6, "vendor"), today: TODAY }),
      );
      assert.ok(made.ok);
      scene.#ekRoots = [made.root];
    }
    await scene.boot();
    scene.plugIn();
    if (owned) await scene.provisionToken();
    return scene;
  }

  /** The chipset's side of the TPM. */
  get chipset(): TpmPlatform {
    return this.#platform;
  }

  get #platform(): TpmPlatform {
    return this.#scheduler.trackPlatform(this.#backend.platform);
  }

  /** Off and on. `launch: false` leaves PCR 17 and 18 as a reset does. */
  async boot({
    launch = true,
    ...files
  }: { launch?: boolean } & Parameters<typeof sampleLaunch>[0] = {}): Promise<void> {
    const { firmware = [] } = APU2;
    const measurements = measurementsOf(launch ? { firmware, launch: sampleLaunch(files) } : { firmware });
    const booted = await bootMeasured(this.tpm, this.#platform, measurements, "orderly");
    assert.ok(booted.ok);
    this.#logs = booted.logs;
  }

  plugIn(): void {
    const { clock, log } = this;
    const env = {
      ...{ clock, log, flash: this.#flash, random: seededRandom(7, `token ${clock.now()}`) },
      leds: { show: () => undefined },
      button: { onChange: () => () => undefined },
    };
    const token = createToken(env, {
      ...{ api: "v1", profile: profileNamed(this.#profile) },
      ...{ ownerRoot: this.owner.root.certificate, ekRoots: this.#ekRoots },
    });
    token.onEvent((event) => this.events.push(event));
    this.#port = this.net.open(TOKEN.address, TOKEN.port);
    this.#unplug = token.serve(this.#port);
    this.#token = token;
  }

  /** Power off with it. */
  async unplug(): Promise<void> {
    this.#unplug();
    this.#token?.stop();
    await this.#port?.close();
  }

  async provisionToken(): Promise<void> {
    const { endpoint } = this.#connect();
    await this.run(new V1Walk(askOver(endpoint, TOKEN), this.owner, NOBODY).provisionToken());
    endpoint.close();
  }

  /** A program with a port, and so a session, of its own. */
  program(options: Partial<V1AttesterOptions> = {}): Program {
    const { endpoint, wire } = this.#connect();
    const { tpm, log, clock } = this;
    const attester = createV1Attester({ wire, tpm, platform: APU2, key: "rsa", log, clock, ...options });
    return { attester, wire, endpoint };
  }

  #connect() {
    const port = this.net.open(COMPUTER, this.#nextPort++);
    const random = seededRandom(8, `port ${port.local.port}`);
    const endpoint = createEndpoint({ port, clock: this.clock, random, log: this.log });
    const lying: WireEndpoint = {
      request: async (to, request) => {
        this.asked.push(
          `${request.method} ${typeof request.path === "string" ? request.path : request.path.join("/")}`,
        );
        const answer = await endpoint.request(to, request);
        return this.lie(request, answer) ?? answer;
      },
      ping: (to, how) => endpoint.ping(to, how),
    };
    return { endpoint, wire: createTokenWire({ endpoint: lying, token: TOKEN, log: this.log }) };
  }

  /** Lets time pass until the work is done, and not longer. */
  async run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const noted = work.finally(() => {
      done = true;
    });
    noted.catch(() => undefined); // the caller gets it
    assert.ok(await this.#scheduler.until(() => done, LIMIT_MS), "it hangs");
    return noted;
  }

  advance(ms: number): Promise<void> {
    return this.#scheduler.advance(ms);
  }

  get token(): Token {
    return this.#token ?? assert.fail("no token");
  }

  /** How many sessions are attested, as the lamps learn it. */
  get attested(): number {
    const last = this.events.findLast((event) => event.type === "attested-sessions");
    return last?.type === "attested-sessions" ? last.count : 0;
  }

  /** The log from now on. */
  takeLog(): readonly string[] {
    return this.log.lines.splice(0);
  }

  async close(): Promise<void> {
    await this.unplug();
    await this.#backend.stop();
    assert.deepEqual(
      this.log.lines.filter((line) => line.startsWith("error")),
      [],
    );
  }
}

const NOBODY = new Proxy({} as ConstructorParameters<typeof V1Walk>[2], {
  get: (_target, name) => assert.fail(`the owner needs no ${String(name)}`),
});

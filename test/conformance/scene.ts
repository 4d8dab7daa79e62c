import { seededRandom } from "../../hw/random/seeded.ts";
import { toHex } from "../../shared/bytes/index.ts";
import { encodeCbor } from "../../shared/cbor/index.ts";
import { codeOf } from "../../shared/coap/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import { PlatformRemove, SESSION_MS, V1 } from "../../shared/protocol/index.ts";
import type { Issuer } from "../../shared/x509/index.ts";
import { FakeAttester, type FakeAttesterOptions } from "../support/fake-attester.ts";
import { expectFacts } from "./answer.ts";
import { Client } from "./client.ts";
import { asOwner } from "./flows.ts";
import { Gate } from "./gate.ts";
import type { Keys } from "./keys.ts";
import { type Machine, softwareMachine } from "./machine.ts";
import { inOtherBytes, type Platform, platformOf } from "./platform.ts";
import { RawPeer } from "./raw-peer.ts";
import type { ProfileName } from "./row.ts";
import type { LampChange, Stage, Target } from "./target/target.ts";
import { NotHere } from "./unmet.ts";

let made = 0;

/** What a row has to work with: a token, peers of it, platforms, the owner's keys, time. */
export class Scene {
  readonly profile: ProfileName;
  readonly keys: Keys;
  readonly random: Random;
  /** A peer. */
  readonly me: Client;
  readonly #target: Target;
  readonly #stage: Stage;
  readonly #open: (() => Promise<void>)[] = [];
  readonly #platforms: Platform[] = [];

  private constructor(target: Target, stage: Stage, random: Random, me: Client) {
    this.#target = target;
    this.#stage = stage;
    this.profile = target.profile;
    this.keys = target.keys;
    this.random = random;
    this.me = me;
    this.#open.push(() => me.close());
  }

  static async on(target: Target, stage: Stage, random: Random): Promise<Scene> {
    const wire = new Gate(await stage.openPort(), stage.time.clock);
    return new Scene(target, stage, random, new Client(wire, stage.token, stage.time, random));
  }

  /** What differs between the profiles. */
  readonly by = <const S, const C>(strict: S, compat: C): S | C => (this.profile === "strict" ? strict : compat);

  /** Another peer. */
  readonly peer = async (): Promise<Client> => {
    const client = new Client(await this.#gate(), this.#stage.token, this.#stage.time, this.random);
    this.#open.push(() => client.close());
    return client;
  };

  /** Another peer, written out message by message. */
  readonly raw = async (): Promise<RawPeer> => {
    const wire = await this.#gate();
    this.#open.push(() => wire.close());
    return new RawPeer(wire, this.#stage.token, this.#stage.time);
  };

  /** Messages written out, from the port of a client: in its session. */
  readonly rawOf = (client: Client): RawPeer => new RawPeer(client.wire, this.#stage.token, this.#stage.time);

  async #gate(): Promise<Gate> {
    return new Gate(await this.#stage.openPort(), this.#stage.time.clock);
  }

  get machine(): Machine {
    return this.#target.machine;
  }

  /** A TPM that is one. */
  get tpm(): Machine {
    if (this.#target.tpm === undefined) throw new NotHere("there is no TPM");
    return this.#target.tpm;
  }

  get vendor(): Issuer {
    if (this.keys.vendor === undefined) throw new NotHere("the keys of the TPM's vendor are not the suite's");
    return this.keys.vendor;
  }

  /** A TPM in software of any kind, vouched for by the suite's vendor; the profile's AIK unless said otherwise. */
  readonly software = (options: FakeAttesterOptions = {}): FakeAttester => {
    const aik = this.by("restricted-ecc", "reference");
    return new FakeAttester({ aik, vendor: this.vendor, ...options });
  };

  readonly softwareMachine = (options: FakeAttesterOptions = {}): Machine => softwareMachine(this.software(options));

  /** A platform that no token knows yet. */
  readonly platform = async (machine: Machine = this.machine): Promise<Platform> => {
    const mark = toHex(this.random.bytes(4));
    return this.#toBeRemoved(await platformOf(machine, `${mark}-${made++}`));
  };

  /** A platform that says the same of itself in other bytes. */
  readonly inOtherBytes = (platform: Platform): Platform =>
    this.#toBeRemoved({ ...platform, metadata: inOtherBytes(platform.metadata) });

  #toBeRemoved(platform: Platform): Platform {
    this.#platforms.push(platform);
    return platform;
  }

  /** The platform that the token knows. */
  get enrolled(): Platform {
    return this.#stage.enrolled;
  }

  readonly wait = (ms: number): Promise<void> => this.#stage.time.wait(ms);

  readonly restart = async (): Promise<void> => {
    if (this.#stage.restart === undefined) throw new NotHere("the token's power is not at hand");
    await this.#stage.restart();
  };

  get #lamps(): readonly LampChange[] {
    if (this.#stage.lamps === undefined) throw new NotHere("the lamps cannot be seen");
    return this.#stage.lamps;
  }

  /** What the lamps show now: "G", "R", "GR" or "-". */
  get lamps(): string {
    return nameOf(this.#lamps.at(-1));
  }

  /** What the lamps show from now on for so long: "G100 -100" is green for 100 ms, then dark for 100. */
  readonly timeline = async (ms: number): Promise<string> => {
    const { clock } = this.#stage.time;
    const [from, before] = [clock.now(), this.#lamps.length];
    let shown = this.lamps;
    await this.wait(ms);
    const changes = this.#lamps.slice(before).map((change) => ({ at: change.at, lamps: nameOf(change) }));
    const parts: string[] = [];
    let at = from;
    for (const change of [...changes, { at: from + ms, lamps: "" }]) {
      if (change.at > at) parts.push(`${shown}${change.at - at}`);
      [at, shown] = [change.at, change.lamps];
    }
    return parts.join(" ");
  };

  /** Watches the lamps for as long as `wanted` says. */
  readonly expectLamps = async (what: string, wanted: string): Promise<void> => {
    const ms = wanted.split(" ").reduce((sum, part) => sum + Number(part.replace(/^\D+/, "")), 0);
    expectFacts(`lamps: ${what}`, await this.timeline(ms), wanted);
  };

  /** Nothing of the row stays open, and on a token that stays no platform of it. */
  async close(): Promise<void> {
    for (const close of this.#open.splice(0).reverse()) await close();
    if (this.#target.stays) await this.#removePlatforms();
  }

  async #removePlatforms(): Promise<void> {
    const peer = await this.peer();
    const full = codeOf("5.03");
    if ((await peer.get(V1.NONCE)).code === full) await this.wait(SESSION_MS); // attested sessions of the row fill the token
    for (const { metadata } of [...this.#platforms, this.#stage.enrolled]) {
      if (metadata.byteLength === 0) continue;
      const body = encodeCbor(PlatformRemove, { id: digest("sha256", metadata) });
      const request = { method: "POST", path: `${V1.PLATFORMS}/remove`, body } as const;
      await asOwner(peer, this.keys.owner.issuing, this.random, request); // 4.04 for those that were refused
    }
    await peer.close();
  }
}

function nameOf(change: LampChange | undefined): string {
  const { green = false, red = false } = change?.lamps ?? {};
  return `${green ? "G" : ""}${red ? "R" : ""}` || "-";
}

export const sceneRandom = (seed: string): Random => seededRandom(seed, "conformance");

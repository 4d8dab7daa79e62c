/** The owner's program and a token of API v1 on a net in memory, under a virtual clock. */
import assert from "node:assert/strict";
import { createTokenWire, type TokenWire } from "../../../attester/flows/token-wire.ts";
import {
  admitAll,
  createOwner,
  initOwner,
  memoryRecord,
  type Owner,
  type OwnerEnv,
  type OwnerKeyKind,
  type OwnerMaterial,
  readMaterial,
} from "../../../attester/owner/index.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import { type CoapEndpoint, type CoapHandler, createEndpoint } from "../../../shared/coap/index.ts";
import type { Peer } from "../../../shared/ports/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import { createDomain, type Domain } from "../../../token/domain/domain.ts";
import type { TokenEvent } from "../../../token/domain/events.ts";
import { profileNamed } from "../../../token/domain/profile.ts";
import type { Store } from "../../../token/domain/store.ts";
import { createServer } from "../../../token/server/index.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { DatagramNet } from "../../support/datagram-net.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

export const TODAY = Date.UTC(2026, 5, 1, 12);
const TOKEN: Peer = { address: "169.254.0.1", port: 5683 };
const HOST = "169.254.0.8";
/** Of virtual time: nothing that is waited for takes longer. */
const PATIENCE_MS = 300_000;

const materials = new Map<string, OwnerMaterial>();
/** An owner of its own for each name and kind of key; RSA keys take time. */
export function materialOf(key: OwnerKeyKind, name = "Test"): OwnerMaterial {
  const known = materials.get(`${key}:${name}`);
  if (known !== undefined) return known;
  const files = initOwner({ name, key }, seededRandom(7, `${key}:${name}`), { today: () => TODAY });
  const file = (wanted: string) => utf8(files.find((one) => one.name === wanted)?.text ?? assert.fail(wanted));
  const outcome = readMaterial(file("chain.pem"), file("key.pem"), TODAY);
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.problem);
  materials.set(`${key}:${name}`, outcome.material);
  return outcome.material;
}

export interface TokenWish {
  readonly ownerRoot: Certificate;
  readonly ekRoots?: readonly Certificate[];
  readonly profile?: "strict" | "compat";
  /** That of an earlier token: it was switched off and on. */
  readonly store?: Store;
}

export interface RunningToken {
  readonly domain: Domain;
  readonly store: Store;
  readonly events: readonly TokenEvent[];
  readonly sessions: { readonly open: number };
  /** Power off. */
  stop(): void;
}

export class OwnerScene {
  readonly clock = new VirtualClock();
  readonly net = new DatagramNet(this.clock);
  readonly log = new TestLog();
  #hosts = 40_000;

  constructor() {
    this.net.fate = () => [1];
  }

  token({ ownerRoot, ekRoots = [], profile = "strict", store = memoryStore() }: TokenWish): RunningToken {
    const { clock, log } = this;
    const random = seededRandom(11, "token");
    const domain = createDomain({ store, random, profile: profileNamed(profile), policy: DEFAULT_POLICY });
    domain.roots.add(ownerRoot, ekRoots);
    const events: TokenEvent[] = [];
    domain.onEvent((event) => void events.push(event));
    const server = createServer({ domain, clock, random, log });
    const port = this.net.open(TOKEN.address, TOKEN.port);
    const unserve = server.serve(port);
    const stop = () => {
      unserve();
      void port.close();
    };
    return { domain, store, events, sessions: server.sessions, stop };
  }

  /** In the place of a token: whatever the handler answers. */
  impostor(handler: CoapHandler): void {
    const { clock, log } = this;
    const port = this.net.open(TOKEN.address, TOKEN.port);
    createEndpoint({ port, clock, random: seededRandom(12), log }).serve(handler);
  }

  /** A port of the host, which is a session of its own. */
  endpoint(): CoapEndpoint {
    const port = this.net.open(HOST, this.#hosts++);
    return createEndpoint({ port, clock: this.clock, random: seededRandom(13, String(this.#hosts)), log: this.log });
  }

  wire(endpoint = this.endpoint()): TokenWire {
    return createTokenWire({ endpoint, token: TOKEN, log: this.log });
  }

  get tokenPeer(): Peer {
    return TOKEN;
  }

  owner(more: Partial<OwnerEnv> = {}): Owner {
    return createOwner({
      material: materialOf("ecc"),
      random: seededRandom(8),
      calendar: { today: () => TODAY },
      record: memoryRecord(),
      admission: admitAll,
      log: this.log,
      ...more,
    });
  }

  /** Lets time go by until `work` is done. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const done = () => {
      over = true;
    };
    work.then(done, done);
    const until = this.clock.now() + PATIENCE_MS;
    while (!over) {
      for (let i = 0; i < 50 && !over; i++) await Promise.resolve();
      if (!over && !this.clock.step(until)) throw new Error(`nothing came of it: ${this.log.lines.join("\n")}`);
    }
    return work;
  }
}

import { VirtualClock } from "../../hw/clock/virtual.ts";
import { type CoapHandler, createEndpoint } from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { DEFAULT_POLICY } from "../../shared/protocol/index.ts";
import { createDriver, type Driver } from "../../token/client/driver.ts";
import { createDomain, type Domain, type EnrolmentRule } from "../../token/domain/domain.ts";
import type { TokenEvent } from "../../token/domain/events.ts";
import { COMPAT, type Profile } from "../../token/domain/profile.ts";
import type { Store } from "../../token/domain/store.ts";
import { TestLog } from "./coap-pair.ts";
import { DatagramNet } from "./datagram-net.ts";
import { FakeAttester, type FakeAttesterOptions } from "./fake-attester.ts";
import { FakeOwner } from "./fake-owner.ts";
import { memoryStore } from "./memory-store.ts";
import { seededRandom } from "./random.ts";

export const TOKEN_PEER: Peer = { address: "169.254.0.1", port: 49_152 };
export const COMPUTER: Peer = { address: "169.254.0.8", port: 5683 };

export interface SceneOptions extends FakeAttesterOptions {
  readonly profile?: Profile;
  readonly store?: Store;
  readonly enrolNew?: boolean;
  readonly enrols?: EnrolmentRule;
}

/**
 * The API v0 driver on its domain, against a fake computer that serves owner and attester on one port. `offline` takes the computer off
 * the net. Datagrams arrive a millisecond after they were sent.
 */
export class V0Scene {
  readonly clock = new VirtualClock();
  readonly net = new DatagramNet(this.clock);
  readonly log = new TestLog();
  readonly attester: FakeAttester;
  readonly owner = new FakeOwner();
  readonly domain: Domain;
  readonly driver: Driver;
  readonly events: (readonly [atMs: number, event: TokenEvent])[] = [];
  offline = false;

  constructor(options: SceneOptions = {}) {
    const { clock, log, net } = this;
    const random = seededRandom(11, "token");
    this.attester = new FakeAttester(options);
    net.fate = () => [1];
    this.domain = createDomain({
      store: options.store ?? memoryStore(),
      random,
      profile: options.profile ?? COMPAT,
      policy: DEFAULT_POLICY,
      enrols: options.enrols,
    });
    this.domain.roots.add(this.owner.root.certificate, [this.attester.vendor.certificate]);
    this.domain.onEvent((event) => this.events.push([clock.now(), event]));
    const port = net.open(TOKEN_PEER.address, TOKEN_PEER.port);
    const endpoint = createEndpoint({ port, clock, random, log });
    const peers = { attester: COMPUTER, owner: COMPUTER };
    this.driver = createDriver({ endpoint, clock, domain: this.domain, enrolNew: options.enrolNew ?? false, ...peers });
    const computer = createEndpoint({
      port: net.open(COMPUTER.address, COMPUTER.port),
      clock,
      random: seededRandom(12, "computer"),
      log,
    });
    computer.serve(this.#serve);
    net.fate = () => (this.offline ? [] : [1]);
  }

  readonly #serve: CoapHandler = (request) =>
    ["cert_chain", "csr"].includes(request.path[0] ?? "")
      ? this.owner.handler(request)
      : this.attester.handler(request);

  get asked(): readonly string[] {
    return [...this.owner.asked, ...this.attester.asked];
  }

  /** The events as words: `attested`, `attestation-failed pcr-mismatch`. */
  get story(): readonly string[] {
    return this.events.map(([, event]) => {
      if (event.type === "attestation-failed") return `${event.type} ${event.verdict.reason}`;
      return "reason" in event ? `${event.type} ${event.reason}` : event.type;
    });
  }

  /** Plugs in, waits, and gives what happened since. */
  run(ms = 4000): readonly string[] {
    const before = this.events.length;
    this.driver.attach();
    this.clock.advance(ms);
    return this.story.slice(before);
  }

  /** Unplugs and plugs in again. */
  replug(ms = 4000): readonly string[] {
    this.driver.detach();
    return this.run(ms);
  }
}

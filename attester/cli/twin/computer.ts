import { type CoapEndpoint, type CoapHandler, createEndpoint } from "../../../shared/coap/index.ts";
import { createHost, type Host } from "../../../shared/net/index.ts";
import type { DatagramPort, FrameLink, Log } from "../../../shared/ports/index.ts";
import { ATTESTER_PEER } from "../../../token/token.ts";
import { createV0Server } from "../../flows/index.ts";
import { admitAll, createOwner, createOwnerV0, memoryRecord } from "../../owner/index.ts";
import type { AttesterPlatform } from "../../platform/index.ts";
import type { TpmClient } from "../../tpm/index.ts";
import type { TwinLine, TwinOptions } from "./options.ts";

const MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x08);
/** In v0 owner and attester would take turns on one port; here the owner has one of its own. */
export const OWNER_PORT = 5684;

interface Service {
  readonly endpoint: CoapEndpoint;
  readonly port: DatagramPort;
}

/** The computer at the other end of the stick's link: an IP host on which the attester and the owner's server run. */
export class Computer {
  readonly #options: TwinOptions;
  readonly #tpm: TpmClient;
  readonly #logOf: (from: TwinLine["from"]) => Log;
  #host: Host;
  #owner: Service | undefined;
  #attester: Service | undefined;
  #attesterAs: AttesterPlatform | undefined;

  constructor(options: TwinOptions, tpm: TpmClient, link: FrameLink, logOf: (from: TwinLine["from"]) => Log) {
    this.#options = options;
    this.#tpm = tpm;
    this.#logOf = logOf;
    this.#host = this.#hostOn(link);
  }

  /** The other end is another stick now; whatever ran goes on. */
  async moveTo(link: FrameLink): Promise<void> {
    const [ownerRuns, attesterAs] = [this.#owner !== undefined, this.#attesterAs];
    await this.close();
    this.#host = this.#hostOn(link);
    if (ownerRuns) this.startOwner();
    if (attesterAs !== undefined) await this.startAttester(attesterAs);
  }

  startOwner(): void {
    if (this.#owner !== undefined) return;
    const { random, calendar, owner: material } = this.#options;
    const log = this.#logOf("owner");
    const ownRandom = random("owner");
    const admission = admitAll; // who plugs the token into the twin is its owner
    const owner = createOwner({ material, random: ownRandom, calendar, record: memoryRecord(), admission, log });
    this.#owner = this.#serve(OWNER_PORT, "owner", createOwnerV0(owner));
  }

  async stopOwner(): Promise<void> {
    await stop(this.#owner);
    this.#owner = undefined;
  }

  async startAttester(platform: AttesterPlatform): Promise<void> {
    if (this.#attester !== undefined) return;
    const { profile, key, intercept = (handler) => handler } = this.#options;
    const log = this.#logOf("attester");
    const server = await createV0Server({ tpm: this.#tpm, platform, profile, key, log });
    this.#attesterAs = platform;
    this.#attester = this.#serve(ATTESTER_PEER.port, "attester", intercept(server.handler));
  }

  async stopAttester(): Promise<void> {
    await stop(this.#attester);
    this.#attester = undefined;
    this.#attesterAs = undefined;
  }

  async close(): Promise<void> {
    await this.stopAttester();
    await this.stopOwner();
    this.#host.close();
  }

  #hostOn(link: FrameLink): Host {
    const { clock } = this.#options.pace;
    return createHost({ link, mac: MAC, address: ATTESTER_PEER.address, clock, log: this.#logOf("computer") });
  }

  #serve(portNumber: number, name: "owner" | "attester", handler: CoapHandler): Service {
    const { pace, random } = this.#options;
    const port = this.#host.udp(portNumber);
    const endpoint = createEndpoint({ port, clock: pace.clock, random: random(name), log: this.#logOf(name) });
    endpoint.serve(handler);
    return { endpoint, port };
  }
}

async function stop(service: Service | undefined): Promise<void> {
  service?.endpoint.close();
  await service?.port.close();
}

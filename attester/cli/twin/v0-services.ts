import { type CoapEndpoint, type CoapHandler, createEndpoint } from "../../../shared/coap/index.ts";
import type { Host } from "../../../shared/net/index.ts";
import type { DatagramPort } from "../../../shared/ports/index.ts";
import { ATTESTER_PEER } from "../../../token/token.ts";
import { createV0Server } from "../../flows/index.ts";
import { admitAll, createOwner, createOwnerV0, memoryRecord } from "../../owner/index.ts";
import type { AttesterPlatform } from "../../platform/index.ts";
import type { TpmClient } from "../../tpm/index.ts";
import type { LogOf, TwinOptions } from "./options.ts";

/** In v0 owner and attester would take turns on one port; here the owner has one of its own. */
export const OWNER_PORT = 5684;

interface Service {
  readonly endpoint: CoapEndpoint;
  readonly port: DatagramPort;
}

/** What runs on the computer with API v0: the attester's and the owner's servers, which the token asks. */
export class V0Services {
  readonly #options: TwinOptions;
  readonly #tpm: TpmClient;
  readonly #host: Host;
  readonly #logOf: LogOf;
  #owner: Service | undefined;
  #attester: Service | undefined;

  constructor(options: TwinOptions, tpm: TpmClient, host: Host, logOf: LogOf) {
    this.#options = options;
    this.#tpm = tpm;
    this.#host = host;
    this.#logOf = logOf;
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
    const owner = this.#owner;
    this.#owner = undefined;
    await stop(owner);
  }

  async startAttester(platform: AttesterPlatform): Promise<void> {
    if (this.#attester !== undefined) return;
    const { profile, key, intercept = (handler) => handler } = this.#options;
    const log = this.#logOf("attester");
    const server = await createV0Server({ tpm: this.#tpm, platform, profile, key, log });
    this.#attester = this.#serve(ATTESTER_PEER.port, "attester", intercept(server.handler));
  }

  async stopAttester(): Promise<void> {
    const attester = this.#attester;
    this.#attester = undefined;
    await stop(attester);
  }

  async close(): Promise<void> {
    await this.stopAttester();
    await this.stopOwner();
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

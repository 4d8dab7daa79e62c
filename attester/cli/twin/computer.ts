import { createHost, type Host } from "../../../shared/net/index.ts";
import type { FrameLink } from "../../../shared/ports/index.ts";
import { ATTESTER_PEER } from "../../../token/token.ts";
import type { LogOf, TwinOptions } from "./options.ts";
import { type Machine, Programs } from "./programs.ts";
import { V0Services } from "./v0-services.ts";

const MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x08);

/** The computer at the other end of the stick's link: an IP host, and what runs on it. */
export class Computer {
  readonly v0: V0Services;
  readonly v1: Programs;
  readonly #host: Host;

  constructor(options: TwinOptions, machine: Machine, link: FrameLink, logOf: LogOf) {
    const { clock } = options.pace;
    this.#host = createHost({ link, mac: MAC, address: ATTESTER_PEER.address, clock, log: logOf("computer") });
    this.v0 = new V0Services(options, machine.tpm, this.#host, logOf);
    this.v1 = new Programs(options, machine, this.#host, logOf);
  }

  async close(): Promise<void> {
    await this.v0.close();
    await this.v1.killAll();
    this.#host.close();
  }
}

import {
  type ClientRequest,
  Code,
  encodeMessage,
  MessageType,
  OptionNumber,
  textOption,
} from "../../../shared/coap/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import type { Host } from "../../../shared/net/index.ts";
import type { EventLogs, KexecTarget } from "../../../shared/ports/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import {
  type AttestOutcome,
  createV1Attester,
  encodeMetadata,
  type GatePassed,
  type GateRefusal,
  passGate,
  type V1Attester,
  watchQuotes,
  watchToken,
} from "../../flows/index.ts";
import {
  type AdministrationOptions,
  admitAll,
  createOwner,
  memoryRecord,
  type Owner,
  onlyToken,
  type ProvisionedToken,
  provisionToken,
  removePlatform,
  renamePlatform,
  type ShownPlatform,
} from "../../owner/index.ts";
import type { AttesterPlatform } from "../../platform/index.ts";
import type { AikKind, TpmClient } from "../../tpm/index.ts";
import { createMemoryKexec } from "./kexec.ts";
import type { LogOf, TwinOptions } from "./options.ts";
import { type Overheard, overheardPort } from "./overhearing.ts";
import { bareFileRequest, Program, TOKEN_PEER, type Told } from "./program.ts";

const OWNER = "owner";
const GATE_TIMEOUT_MS = 60_000;
const FLOOD_MESSAGE_IDS = 0x10000;

/** What the programs of the computer find there. */
export interface Machine {
  readonly tpm: TpmClient;
  /** The logs of this boot, and of the one before. */
  readonly own: EventLogs;
  readonly former: EventLogs;
}

export interface AttesterManner {
  /** Which AIKs are offered; the attester's own choice when absent. */
  readonly offers?: readonly AikKind[] | undefined;
  /** Which event logs it sends; this boot's when absent. */
  readonly logs?: "none" | "former" | undefined;
}

/** The host programs of API v1 on the computer. Each name is a process: its port, and so its session, is there until it is killed. */
export class Programs {
  readonly #options: TwinOptions;
  readonly #machine: Machine;
  readonly #tpm: TpmClient;
  readonly #host: Host;
  readonly #logOf: LogOf;
  readonly #owner: Owner;
  readonly #issued = memoryRecord();
  readonly #running = new Map<string, Program>();
  /** Programs that used the TPM. The others send bare requests. */
  readonly #attesters = new Map<Program, V1Attester>();
  readonly #overheard = new Map<Overheard, ClientRequest>();
  #floodMessageId = 0;

  constructor(options: TwinOptions, machine: Machine, host: Host, logOf: LogOf) {
    this.#options = options;
    this.#machine = machine;
    this.#tpm = machine.tpm;
    this.#host = host;
    this.#logOf = logOf;
    const { random, calendar, owner: material } = options;
    const record = this.#issued;
    const log = logOf(OWNER);
    const admission = admitAll; // who plugs the token into the twin is its owner
    this.#owner = createOwner({ material, random: random(OWNER), calendar, record, admission, log });
  }

  provisionToken(): Promise<Told<ProvisionedToken>> {
    return this.#asOwner((program) => program.ask((wire) => provisionToken({ wire, owner: this.#owner })));
  }

  renamePlatform(platform: AttesterPlatform, name: string): Promise<Told<unknown>> {
    return this.#administer((options) => renamePlatform(shownAs(platform), name, options));
  }

  removePlatform(platform: AttesterPlatform): Promise<Told<unknown>> {
    return this.#administer((options) => removePlatform(shownAs(platform), options));
  }

  provisionPlatform(by: string, platform: AttesterPlatform, manner: AttesterManner): Promise<Told<unknown>> {
    const attester = this.#attester(by, platform, manner);
    return this.#program(by).ask(() => attester.provision());
  }

  attest(by: string, platform: AttesterPlatform, manner: AttesterManner): Promise<Told<unknown>> {
    const attester = this.#attester(by, platform, manner);
    return this.#program(by).ask(() => attester.attest());
  }

  /** The boot gate; behind it the target runs in the place of all programs. The TPM is not reset, and keeps what was measured. */
  async gate(by: string, platform: AttesterPlatform, target: KexecTarget): Promise<GatePassed | GateRefusal> {
    const { pace, key, tpm: made } = this.#options;
    const { wire } = this.#program(by);
    const { tpm, quoted } = watchQuotes(this.#tpm);
    const [log, clock] = [this.#logOf(by), pace.clock];
    const kexec = createMemoryKexec(() => this.killAll());
    const passed = await passGate({
      ...{ wire, tpm, quoted, kexec, clock, log, cap: true, target: { kexec: target } },
      attester: createV1Attester({ wire, tpm, platform, key, log, clock, eventLogs: this.#machine.own }),
      platform: pace.scheduler?.trackPlatform(made.platform) ?? made.platform,
      timeoutMs: GATE_TIMEOUT_MS,
      signal: new AbortController().signal,
      leave: () => this.kill(by),
    });
    const jumped = passed.ok ? await kexec.jump() : undefined;
    if (jumped?.ok === false) throw new Error(jumped.detail);
    return passed;
  }

  /** Attests every `intervalMs` and keeps the session, until the program is killed. Resolves with the first verdict. */
  watch(by: string, platform: AttesterPlatform, intervalMs: number): Promise<AttestOutcome> {
    const [program, attester] = [this.#program(by), this.#attester(by, platform, {})];
    const end = new AbortController();
    program.atEnd(() => end.abort());
    const { wire } = program;
    const { clock } = this.#options.pace;
    return new Promise((resolve, reject) => {
      const options = { attester, wire, clock, intervalMs, onChange: resolve, signal: end.signal };
      watchToken(options).catch(reject);
    });
  }

  async read(by: string, name: string): Promise<Told<Uint8Array>> {
    const program = this.#program(by);
    const attester = this.#attesters.get(program);
    if (attester === undefined) return program.bare(bareFileRequest("GET", name));
    const told = await program.ask(() => attester.read(name));
    return told.ok ? { ok: true, value: told.value.data } : told;
  }

  write(by: string, name: string, data: Uint8Array): Promise<Told<unknown>> {
    const program = this.#program(by);
    const attester = this.#attesters.get(program);
    if (attester === undefined) return program.bare(bareFileRequest("PUT", name, data));
    return program.ask(() => attester.write(name, data));
  }

  remove(by: string, name: string): Promise<Told<unknown>> {
    const program = this.#program(by);
    const attester = this.#attesters.get(program);
    if (attester === undefined) return program.bare(bareFileRequest("DELETE", name));
    return program.ask(() => attester.remove(name));
  }

  /** The last request with a grant, or signed one, that any program sent, once more, by this one. Undefined when there was none. */
  async replay(by: string, what: Overheard = "granted"): Promise<Told<unknown> | undefined> {
    const request = this.#overheard.get(what);
    return request && this.#program(by).bare(request);
  }

  /** So many ports each ask for a nonce, and are closed: sessions of nobody. */
  async flood(count: number): Promise<void> {
    const options = V1.NONCE.slice(1)
      .split("/")
      .map((segment) => textOption(OptionNumber.UriPath, segment));
    for (let i = 0; i < count; i++) {
      const messageId = this.#floodMessageId++ % FLOOD_MESSAGE_IDS;
      const [code, coapToken, payload] = [Code.Get, new Uint8Array(), new Uint8Array()];
      const port = this.#host.udp();
      port.send(encodeMessage({ type: MessageType.Con, code, messageId, coapToken, options, payload }), TOKEN_PEER);
      await port.close();
    }
  }

  async kill(name: string): Promise<void> {
    const program = this.#running.get(name);
    if (program === undefined) return;
    this.#running.delete(name);
    this.#attesters.delete(program);
    await program.end();
  }

  async killAll(): Promise<void> {
    for (const name of [...this.#running.keys()]) await this.kill(name);
  }

  /** `from` is killed, and `by` sends from its port at once: a local process without access to the TPM. */
  async takePort(by: string, from: string): Promise<void> {
    const port = this.#running.get(from)?.port.local.port;
    await this.kill(from);
    await this.kill(by);
    this.#start(by, port);
  }

  /** The owner's program runs for one errand. */
  async #asOwner<T>(errand: (program: Program) => Promise<T>): Promise<T> {
    try {
      return await errand(this.#program(OWNER));
    } finally {
      await this.kill(OWNER);
    }
  }

  #administer<T>(errand: (options: AdministrationOptions) => Promise<T>): Promise<Told<unknown>> {
    const { owner, random } = this.#options;
    const { key, scheme } = owner;
    const token = onlyToken(this.#issued);
    return this.#asOwner((program) =>
      program.ask((wire) => errand({ wire, key, scheme, random: random(OWNER), token })),
    );
  }

  #program(name: string): Program {
    return this.#running.get(name) ?? this.#start(name);
  }

  #start(name: string, portNumber?: number): Program {
    const { pace, random, onRequest } = this.#options;
    const port = overheardPort(this.#host.udp(portNumber), (what, request) => {
      this.#overheard.set(what, request);
    });
    const log = this.#logOf(name);
    const program = new Program({ name, port, clock: pace.clock, random: random(name), log, onRequest });
    this.#running.set(name, program);
    return program;
  }

  #attester(by: string, platform: AttesterPlatform, { offers, logs }: AttesterManner): V1Attester {
    const program = this.#program(by);
    const known = this.#attesters.get(program);
    if (known !== undefined && offers === undefined && logs === undefined) return known;
    const { pace, key } = this.#options;
    const { wire } = program;
    const log = this.#logOf(by);
    const { own, former } = this.#machine;
    const tpm = this.#tpm;
    const eventLogs = logs === "none" ? undefined : logs === "former" ? former : own;
    const attester = createV1Attester({ wire, tpm, platform, key, offers, log, clock: pace.clock, eventLogs });
    this.#attesters.set(program, attester);
    return attester;
  }
}

function shownAs(platform: AttesterPlatform): ShownPlatform {
  return { ...platform, idBytes: platformId(platform) };
}

/** SHA-256 over the metadata. */
export function platformId(platform: AttesterPlatform): Uint8Array {
  return digest("sha256", encodeMetadata(platform));
}

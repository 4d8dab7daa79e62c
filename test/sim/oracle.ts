import type { Twin } from "../../attester/cli/twin/twin.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { toHex, utf8 } from "../../shared/bytes/index.ts";
import type { Clock } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../../token/domain/events.ts";
import type { Token } from "../../token/token.ts";
import type { Findings } from "./findings.ts";
import type { StickMemory } from "./memory.ts";
import { Peers } from "./peers.ts";

/** One blink is lit so long: docs/blink-codes.md. */
const BLINK_MS = 100;
/** Behind tag and size of a command, and of TPM2_Quote: Part 2, 6.5.2. */
const COMMAND_CODE_AT = 6;
const QUOTE = 0x158;

export interface OracleOptions {
  readonly computer: string;
  /** Of this computer, and of all computers of the world. */
  readonly platform: string;
  readonly platforms: readonly string[];
  /** The stick's. */
  readonly clock: Clock;
  readonly findings: Findings;
}

/** What must hold at every step about one computer and the stick in its port. */
export class Oracle {
  readonly peers: Peers;
  /** Whether the computer is as its owner wants it. */
  isGood = false;
  /** Without power a stick computes on into nothing: nobody learns of it. */
  hasPower = true;
  /** Good verdicts so far. */
  trusted = 0;
  readonly #options: OracleOptions;
  readonly #quotes: { readonly command: Buffer; readonly isGood: boolean }[] = [];
  /** The frame within which evidence was trusted last. */
  #trustedAt: number | undefined;
  #memory: StickMemory | undefined;
  /** By the stick's clock. A blink may look as the lamps before the last session ended, when its clock jumps to it. */
  #lampsSince: number;
  #noSessionSince: number;

  constructor(options: OracleOptions) {
    this.#options = options;
    this.peers = new Peers(options.clock);
    this.#lampsSince = options.clock.now();
    this.#noSessionSince = this.#lampsSince;
  }

  fail(what: string): void {
    this.#options.findings.fail(what);
  }

  lampsChanged(): void {
    this.#lampsSince = this.#options.clock.now();
  }

  /** Another life of a stick: what it must have kept; its rooms are listened to from now on. */
  watch({ domain }: Token, memory: StickMemory): void {
    this.#memory = memory;
    this.peers.forget();
    if (memory.provisioned && !domain.provisioned) this.fail("a token forgot that it is provisioned");
    for (const id of memory.enrolled) {
      if (domain.platforms.find(id) === undefined) this.fail("an enrolled platform is gone");
    }
    this.#checkStore(domain);
    this.#watchVerdicts(domain);
    this.#watchChanges(domain, memory);
    domain.onEvent((event) => {
      if (this.hasPower) this.#happened(event, domain);
    });
  }

  #watchVerdicts(domain: Token["domain"]): void {
    const { appraise, checkMetadata, checkReferenceValues } = domain;
    domain.appraise = (evidence, platform, nonce, log) => {
      const appraisal = appraise(evidence, platform, nonce, log);
      if (appraisal.start !== undefined) this.peers.shown(appraisal.start);
      if (appraisal.ok) this.#trusts(nonce, platform.summary.id);
      return appraisal;
    };
    domain.checkMetadata = (object, aik, nonce) => {
      const outcome = checkMetadata(object, aik, nonce);
      if (outcome.ok && nonce !== undefined) this.#accepts(nonce);
      return outcome;
    };
    domain.checkReferenceValues = (object, aik, nonce) => {
      const outcome = checkReferenceValues(object, aik, nonce);
      if (outcome.ok && nonce !== undefined) this.#accepts(nonce);
      return outcome;
    };
  }

  /** What may be in the flash from when on. Without power nothing gets there any more. */
  #watchChanges(domain: Token["domain"], memory: StickMemory): void {
    const { wipe, removePlatform, renamePlatform } = domain;
    domain.wipe = () => {
      memory.mayLoseAll();
      wipe.call(domain);
    };
    domain.removePlatform = (id) => {
      memory.mayLose(id);
      return removePlatform.call(domain, id);
    };
    domain.renamePlatform = (id, name) => {
      memory.nameOf(id).began(utf8(name));
      const outcome = renamePlatform(id, name);
      if (outcome === "done" && this.hasPower) memory.nameOf(id).ended(utf8(name));
      this.#checkStore(domain);
      return outcome;
    };
  }

  /** After everything that is due at an instant. */
  step({ lamps, sessions, plugged }: Twin): void {
    if (!this.hasPower) return;
    if (!plugged && (lamps.green || lamps.red)) this.fail(`unplugged, and ${nameLamps(lamps)}`);
    if (!plugged) return;
    const litMs = this.#options.clock.now() - Math.max(this.#lampsSince, this.#noSessionSince);
    if (sessions > 0 && !lamps.green)
      this.fail(`${sessions} attested sessions live, and the lamps are ${nameLamps(lamps)}`);
    if (sessions === 0 && lamps.green && litMs > BLINK_MS)
      this.fail(`green for ${litMs} ms without an attested session`);
    const { attested } = this.peers;
    if (sessions > attested) this.fail(`the token counts ${sessions} attested sessions, ${attested} can live`);
  }

  #happened(event: TokenEvent, domain: Token["domain"]): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    switch (event.type) {
      case "detached":
        this.peers.forget();
        break;
      case "attested":
        this.trusted += 1;
        if (this.#trustedAt !== this.peers.heardFrames)
          this.fail("attested, and no evidence was trusted within this frame");
        this.peers.judged(true);
        break;
      case "attestation-failed":
        this.peers.judged(false);
        break;
      case "attested-sessions":
        if (event.count === 0) this.#noSessionSince = this.#options.clock.now();
        break;
      case "token-provisioned":
        memory.provisioned = true;
        this.#checkStore(domain);
        break;
      case "platform-provisioned":
        memory.enrolled.add(event.platform.id);
        this.#checkStore(domain);
        break;
      case "platform-removed":
        memory.lost(event.platform.id);
        break;
      case "wiped":
        this.peers.forget();
        memory.lostAll();
        break;
    }
  }

  /** The TPM got a command. */
  commanded(command: Uint8Array): void {
    const { buffer, byteOffset, byteLength } = command;
    if (byteLength < COMMAND_CODE_AT + 4) return;
    if (new DataView(buffer, byteOffset).getUint32(COMMAND_CODE_AT) !== QUOTE) return;
    this.#quotes.push({ command: Buffer.from(command), isGood: this.isGood });
  }

  /** Only what this TPM quoted for this nonce, on the computer as it was enrolled, is trusted, and as that computer. */
  #trusts(nonce: Uint8Array, platform: string): void {
    this.#trustedAt = this.peers.heardFrames;
    this.#accepts(nonce);
    const quote = this.#quotes.find(({ command }) => command.indexOf(nonce) >= 0);
    if (quote === undefined) this.fail("trusted, and the TPM quoted nothing for that nonce");
    else if (!quote.isGood) this.fail("trusted, when the computer was another");
    if (platform !== this.#options.platform) this.fail("trusted as another computer");
  }

  /** One request may use its nonce for several checks; no other request may. */
  #accepts(nonce: Uint8Array): void {
    const { computer, findings } = this.#options;
    if (this.hasPower) findings.accepted(`nonce ${toHex(nonce)}`, `${computer}, frame ${this.peers.heardFrames}`);
  }

  #checkStore(domain: Token["domain"]): void {
    const problem = this.#memory?.problemOf(domain, this.#options.platforms);
    if (problem !== undefined) this.fail(problem);
  }
}

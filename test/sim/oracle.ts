import { platformId } from "../../attester/cli/twin/programs.ts";
import type { Twin } from "../../attester/cli/twin/twin.ts";
import type { AttesterPlatform } from "../../attester/platform/index.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { toHex } from "../../shared/bytes/index.ts";
import type { Clock } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../../token/domain/events.ts";
import type { Token } from "../../token/token.ts";
import { FILE_NAME, FileModel } from "./file.ts";
import { Peers } from "./peers.ts";

/** One blink is lit so long: docs/blink-codes.md. */
const BLINK_MS = 100;
/** Behind tag and size of a command, and of TPM2_Quote: Part 2, 6.5.2. */
const COMMAND_CODE_AT = 6;
const QUOTE = 0x158;

/** What must hold at every step. The first thing that does not is kept. */
export class Oracle {
  readonly file = new FileModel();
  readonly peers: Peers;
  violation: string | undefined;
  /** Whether the computer is as its owner wants it. */
  isGood = false;
  /** Without power a stick computes on into nothing: nobody learns of it. */
  hasPower = true;
  /** Good verdicts so far. */
  trusted = 0;
  readonly #clock: Clock;
  readonly #platform: string;
  /** Nonces that were accepted, with the frame in which. */
  readonly #nonces = new Map<string, number>();
  readonly #quotes: { readonly command: Buffer; readonly isGood: boolean }[] = [];
  /** What the token told to have, and so must have after every loss of power. */
  readonly #told = { provisioned: false, enrolled: false };

  constructor(clock: Clock, platform: AttesterPlatform) {
    this.#clock = clock;
    this.peers = new Peers(clock);
    this.#platform = toHex(platformId(platform));
  }

  fail(what: string): void {
    this.violation ??= what;
  }

  /** Another life of the stick: what it must have kept; its rooms are listened to from now on. */
  watch({ domain }: Token): void {
    this.peers.forget();
    if (this.#told.provisioned && !domain.provisioned) this.fail("a token forgot that it is provisioned");
    if (this.#told.enrolled && domain.platforms.count === 0) this.fail("an enrolled platform is gone");
    this.#checkStore(domain);
    const { appraise, checkMetadata, checkReferenceValues, wipe } = domain;
    domain.appraise = (evidence, platform, nonce, log) => {
      const appraisal = appraise(evidence, platform, nonce, log);
      if (appraisal.ok) this.#trusts(nonce);
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
    domain.wipe = () => {
      Object.assign(this.#told, { provisioned: false, enrolled: false });
      this.file.mayBeGone();
      wipe.call(domain);
    };
    domain.onEvent((event) => {
      if (this.hasPower) this.#happened(event, domain);
    });
  }

  /** After everything that is due at an instant. */
  step(twin: Twin, timers: number, maxTimers: number): void {
    if (timers > maxTimers) this.fail(`${timers} timers wait, ${maxTimers} at most are expected`);
    if (!this.hasPower) return;
    const { lamps, sessions, plugged } = twin;
    if (!plugged && (lamps.green || lamps.red)) this.fail(`unplugged, and ${nameLamps(lamps)}`);
    if (!plugged) return;
    const litMs = this.#clock.now() - twin.lampsSince;
    if (sessions > 0 && !lamps.green)
      this.fail(`${sessions} attested sessions live, and the lamps are ${nameLamps(lamps)}`);
    if (sessions === 0 && lamps.green && litMs > BLINK_MS)
      this.fail(`green for ${litMs} ms without an attested session`);
    const { attested } = this.peers;
    if (sessions > attested) this.fail(`the token counts ${sessions} attested sessions, ${attested} can live`);
  }

  #happened(event: TokenEvent, domain: Token["domain"]): void {
    switch (event.type) {
      case "detached":
        this.peers.forget();
        break;
      case "attested":
        this.trusted += 1;
        this.peers.judged(true);
        break;
      case "attestation-failed":
        this.peers.judged(false);
        break;
      case "token-provisioned":
        this.#told.provisioned = true;
        this.#checkStore(domain);
        break;
      case "platform-provisioned":
        this.#told.enrolled = true;
        this.#checkStore(domain);
        break;
      case "wiped":
        this.peers.forget();
        this.file.isGone();
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

  /** Only what was quoted for this nonce, on the computer as it was enrolled, is trusted. */
  #trusts(nonce: Uint8Array): void {
    this.#accepts(nonce);
    const quote = this.#quotes.find(({ command }) => command.indexOf(nonce) >= 0);
    if (quote === undefined) this.fail("trusted, and the TPM quoted nothing for that nonce");
    else if (!quote.isGood) this.fail("trusted, when the computer was another");
  }

  /** One request may use its nonce for several checks; no other request may. */
  #accepts(nonce: Uint8Array): void {
    if (!this.hasPower) return;
    const name = toHex(nonce);
    const frame = this.#nonces.get(name);
    if (frame !== undefined && frame !== this.peers.heardFrames) this.fail(`nonce ${name} was accepted twice`);
    this.#nonces.set(name, this.peers.heardFrames);
  }

  /** All or nothing: what is listed can be read, and is what somebody stored. */
  #checkStore(domain: Token["domain"]): void {
    try {
      if (domain.provisioned && domain.issuingKey() === undefined) this.fail("half provisioned");
      for (const { summary } of domain.listPlatforms()) {
        if (summary.id !== this.#platform) this.fail(`a platform ${summary.id} that nobody enrolled`);
        if (domain.platforms.find(summary.id) === undefined) this.fail("a platform is half stored");
      }
      const content = domain.files.read(this.#platform, FILE_NAME);
      if (!this.file.allows(content))
        this.fail(`${FILE_NAME} is ${content?.byteLength ?? "no"} bytes that nobody wrote`);
    } catch (error) {
      this.fail(`the store cannot be read: ${String(error)}`);
    }
  }
}

import { equal, toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import type { Random } from "../../../shared/ports/index.ts";
import { appraisalRefusals } from "../../../token/domain/reasons.ts";
import { APU2 } from "../../platform/index.ts";
import type { Pace } from "../twin/pace.ts";
import type { Told } from "../twin/program.ts";
import { type BootManner, Twin } from "../twin/twin.ts";
import { type Cast, type Ending, goodFiles, ORDERLY, targetFiles } from "./options.ts";
import type { Stage } from "./stage.ts";
import { TAMPERINGS, type Tampering } from "./tampering.ts";

const LIMIT_MS = 30_000;
/** Between two acts, so that they can be read. */
const BREATH_MS = 1_000;
/** How long a lamp is looked at. */
const LOOK_MS = 1_500;
/** Within it a session ends whose program is gone. */
const SESSION_END_MS = 3_500;
const DARK_MS = 400;
const RED_END_MS = 6_000;

const ATTESTER = "attester";
const THIEF = "thief";
const TARGET = "target";
const FILE = "disk.key";
/** As LUKS takes it from a key file. */
const KEY_BYTES = 64;

/** API v1: the computer asks. A disk key that only the recorded boot gets. */
export class V1Story {
  readonly #stage: Stage;
  readonly #pace: Pace;
  readonly #random: Random;
  readonly #twin: Twin;
  readonly #verdicts: boolean[] = [];

  constructor({ pace, source, stage, onFrame, made, owner }: Cast) {
    this.#stage = stage;
    this.#pace = pace;
    this.#random = source.random("disk key");
    this.#twin = new Twin({
      api: "v1",
      pace,
      calendar: source.calendar,
      random: (part) => source.random(`v1 ${part}`),
      tpm: made,
      ekRoot: made.ekRoot,
      profile: "strict",
      key: "rsa",
      platform: APU2,
      owner,
      onLog: (line) => stage.log(line),
      onLamps: (lamps) => stage.lamps(pace.clock.now(), lamps),
      onFrame,
    });
  }

  async play(): Promise<Ending> {
    const key = this.#random.bytes(KEY_BYTES);
    try {
      for (const act of [
        () => this.#ownerProvisionsToken(),
        () => this.#platformIsProvisioned(),
        () => this.#keyIsWritten(key),
        () => this.#keyIsReadBack(key),
        () => this.#tamperedBoots(),
        () => this.#thief(),
        () => this.#gate(),
      ]) {
        await this.#pace.advance(BREATH_MS);
        await act();
      }
    } finally {
      await this.#twin.close();
    }
    const good = this.#verdicts.every((asExpected) => asExpected);
    return { good, sentence: good ? VERDICTS : "API v1: not as expected." };
  }

  async #ownerProvisionsToken(): Promise<void> {
    const { programs } = this.#twin;
    this.#stage.act(
      "API v1: the computer asks. The owner provisions a blank token",
      "In this generation the token is the server. A fresh stick is plugged in; the owner's program brings it chain and certificate.",
    );
    await this.#twin.boot(goodFiles, ORDERLY);
    this.#twin.plug();
    await this.#pace.advance(BREATH_MS);
    const told = await this.#told(programs.provisionToken());
    if (told.ok) this.#stage.fact("device id", told.value.deviceId);
    this.#judge(told.ok, told.ok ? "the token is provisioned; one green blink" : told.sentence);
  }

  async #platformIsProvisioned(): Promise<void> {
    const { programs, platform } = this.#twin;
    this.#stage.act(
      "The attester provisions the platform",
      "fobnail-attester provision: EK certificate, a restricted AIK that signs nothing which looks like a quote, metadata, reference values, and the log of what was measured.",
    );
    const told = await this.#told(programs.provisionPlatform(ATTESTER, platform, {}));
    this.#judge(told.ok, told.ok ? "the platform is recorded; three green blinks" : told.sentence);
  }

  async #keyIsWritten(key: Uint8Array): Promise<void> {
    this.#stage.act(
      "Attestation, and a disk key for the token to keep",
      `fobnail-attester -w key:${FILE}: attests, and stores the key of an encrypted disk. Each access to a file needs a grant that the AIK has signed.`,
    );
    await this.#attestedGreen("the machine booted what was recorded");
    this.#stage.fact("disk key", `${key.byteLength} random bytes, SHA-256 ${fingerprint(key)}`);
    const told = await this.#told(this.#twin.programs.write(ATTESTER, FILE, key));
    this.#judge(told.ok, told.ok ? `the token keeps ${FILE}` : told.sentence);
    await this.#pace.advance(LOOK_MS);
  }

  async #keyIsReadBack(key: Uint8Array): Promise<void> {
    this.#stage.act(
      "Reboot",
      `The attester is gone, so three seconds later its session is over. The new boot attests and opens the disk: fobnail-attester -r ${FILE}:- | cryptsetup open`,
    );
    await this.#reboot(goodFiles);
    await this.#attestedGreen("the same boot again");
    const told = await this.#told(this.#twin.programs.read(ATTESTER, FILE));
    const isSame = told.ok && equal(told.value, key);
    if (told.ok)
      this.#stage.fact("disk key", `${told.value.byteLength} bytes read, SHA-256 ${fingerprint(told.value)}`);
    this.#judge(isSame, isSame ? "the same bytes: the disk opens" : told.ok ? "other bytes" : told.sentence);
    await this.#pace.advance(BREATH_MS);
  }

  async #tamperedBoots(): Promise<void> {
    this.#stage.act(
      "Five tampered boots",
      "Each has the same TPM and the same keys, and an attester that hides nothing: it sends the log of its boot. What was measured before it ran it cannot take back, and the token names it.",
    );
    for (const tampering of TAMPERINGS) await this.#tamperedBoot(tampering);
    await this.#getsNothing(ATTESTER, NOT_ATTESTED, "the tampered boot");
    await this.#pace.until(() => !this.#twin.lamps.red, RED_END_MS);
  }

  async #tamperedBoot({ what, files, manner, reason, pcrs }: Tampering): Promise<void> {
    await this.#reboot(files, manner);
    this.#twin.forgetEvents();
    const { programs, platform } = this.#twin;
    await this.#told(programs.attest(ATTESTER, platform, {}));
    const { verdict, lamps } = this.#twin;
    const isRed = verdict?.trusted === false && lamps.red;
    const isNamed = isRed && verdict.reason === reason && verdict.pcrs?.join() === pcrs.join();
    const said = isRed ? appraisalRefusals[verdict.reason] : "not red";
    this.#judge(isNamed, isNamed ? `${what}: red, ${said}` : `${what}: ${said}`);
  }

  async #thief(): Promise<void> {
    this.#stage.act(
      "A thief on the same computer",
      "The good boot is attested. Then another process kills the attester and goes on from its port: for the token it is the attested session, and the lamp stays green.",
    );
    await this.#twin.boot(goodFiles, ORDERLY);
    await this.#attestedGreen("the machine booted what was recorded");
    await this.#told(this.#twin.programs.read(ATTESTER, FILE)); // with a grant, which somebody overhears
    await this.#twin.programs.takePort(THIEF, ATTESTER);
    await this.#getsNothing(THIEF, NO_GRANT, "the thief");
    const again = await this.#told(this.#twin.programs.replay(THIEF).then((told) => told ?? NOTHING_OVERHEARD));
    const refused = !again.ok && again.answer === NO_GRANT;
    this.#judge(
      refused,
      refused ? `nor with the grant that the attester used (${NO_GRANT})` : "the used grant served twice",
    );
    await this.#pace.advance(LOOK_MS);
    await this.#twin.programs.killAll();
    await this.#pace.until(() => !this.#twin.lamps.green, SESSION_END_MS);
  }

  async #gate(): Promise<void> {
    this.#stage.act(
      "The gate: kexec of the target",
      "fobnail-attester gate --kexec: what booted was a small system that attests; on green it starts the real one. It measures that into PCR 19 and caps PCR 17 and 18 first: the target has the same TPM and the same keys, and is somebody else.",
    );
    await this.#twin.boot(goodFiles, ORDERLY);
    this.#twin.forgetEvents();
    const { programs, platform } = this.#twin;
    const passed = await this.#twin.finish(programs.gate(ATTESTER, platform, targetFiles), LIMIT_MS);
    const isOpen = passed?.ok === true && this.#twin.verdict?.trusted === true && this.#twin.sessions === 0;
    const why = passed?.ok === false ? passed.detail : "no verdict";
    this.#judge(isOpen, isOpen ? "green, PCRs capped, the session over: the target runs" : `it stays shut: ${why}`);
    this.#twin.forgetEvents();
    await this.#told(programs.attest(TARGET, platform, {}));
    const { verdict, lamps } = this.#twin;
    const pcrs = verdict?.trusted === false ? verdict.pcrs?.join() : undefined;
    const isRed = pcrs === "17,18" && lamps.red;
    this.#judge(isRed, isRed ? "red: behind the gate PCR 17 and 18 are not what was recorded" : "not red");
    await this.#getsNothing(TARGET, NOT_ATTESTED, "the target");
    await this.#pace.until(() => !this.#twin.lamps.red, RED_END_MS);
  }

  /** Off and on with these files; whoever ran is gone, and with it its session. */
  async #reboot(files: typeof goodFiles, manner: BootManner = ORDERLY): Promise<void> {
    await this.#twin.shutdown();
    await this.#pace.until(() => this.#twin.sessions === 0, SESSION_END_MS);
    await this.#pace.advance(DARK_MS);
    await this.#twin.boot(files, manner);
  }

  async #attestedGreen(sentence: string): Promise<void> {
    const { programs, platform } = this.#twin;
    this.#twin.forgetEvents();
    const told = await this.#told(programs.attest(ATTESTER, platform, {}));
    const isGreen = told.ok && this.#twin.verdict?.trusted === true && this.#twin.lamps.green;
    this.#judge(isGreen, isGreen ? `green: ${sentence}` : `not green: ${told.ok ? "no verdict" : told.sentence}`);
  }

  async #getsNothing(by: string, answer: string, who: string): Promise<void> {
    const told = await this.#told(this.#twin.programs.read(by, FILE));
    const isNothing = !told.ok && told.answer === answer;
    const got = told.ok ? "the key" : `another answer: ${told.sentence}`;
    this.#judge(isNothing, isNothing ? `${who} gets nothing (${answer})` : `${who} gets ${got}`);
  }

  async #told<T>(work: Promise<Told<T>>): Promise<Told<T>> {
    return (await this.#twin.finish(work, LIMIT_MS)) ?? { ok: false, answer: "none", sentence: "it did not end" };
  }

  #judge(asExpected: boolean, sentence: string): void {
    this.#verdicts.push(asExpected);
    this.#stage.outcome(asExpected, sentence);
  }
}

const SHOWN_DIGITS = 16;

function fingerprint(bytes: Uint8Array): string {
  return `${toHex(digest("sha256", bytes)).slice(0, SHOWN_DIGITS)}…`;
}

const NOT_ATTESTED = "4.04";
const NO_GRANT = "4.01";
const NOTHING_OVERHEARD: Told<unknown> = { ok: false, answer: "none", sentence: "no grant was used" };
const VERDICTS =
  "API v1: the disk key came back after a good boot; five tampered boots were red, each for its own reason, and got nothing, nor did a thief on the port of an attested session, nor what the gate started.";

import { toHex } from "../../../shared/bytes/index.ts";
import { decodeCbor } from "../../../shared/cbor/index.ts";
import type { CoapHandler } from "../../../shared/coap/index.ts";
import { NonceRequest, QuoteRequest } from "../../../shared/protocol/index.ts";
import { explainRc, type PcrBank } from "../../../shared/tpm/index.ts";
import { appraisalRefusals } from "../../../token/domain/reasons.ts";
import { APU2 } from "../../platform/index.ts";
import type { Pace } from "../twin/pace.ts";
import { Twin } from "../twin/twin.ts";
import { forgingAttester, readPolicyPcrs, tryForgery } from "./forge.ts";
import { type Cast, type Ending, goodFiles, ORDERLY, tamperedFiles } from "./options.ts";
import type { Stage } from "./stage.ts";

const LIMIT_MS = 30_000;
/** Between two acts, so that they can be read. */
const BREATH_MS = 1_500;
/** How long a lamp is looked at before the next act; the very last one until it goes dark. */
const LOOK_MS = 3_000;
const LAST_LOOK_MS = 11_000;
const SHOWN_BYTES = 4;

/** API v0: the token asks. The walk-through, and what an unrestricted key would let root forge. */
export class V0Story {
  readonly #stage: Stage;
  readonly #pace: Pace;
  readonly #twin: Twin;
  readonly #verdicts: boolean[] = [];
  readonly #isLast: boolean;
  #rootUser: ((honest: CoapHandler) => CoapHandler) | undefined;
  /** The token goes on by itself; the computer keeps these answers back until their act begins. */
  readonly #platformAct = curtain();
  readonly #attestationAct = curtain();

  constructor({ pace, source, stage, onFrame, made, owner, api }: Cast) {
    this.#isLast = api === "v0";
    this.#stage = stage;
    this.#pace = pace;
    this.#twin = new Twin({
      api: "v0",
      pace,
      calendar: source.calendar,
      random: (part) => source.random(part),
      tpm: made,
      ekRoot: made.ekRoot,
      profile: "compat",
      key: "rsa",
      platform: APU2,
      owner,
      onLog: (line) => stage.log(line),
      onLamps: (lamps) => stage.lamps(pace.clock.now(), lamps),
      intercept: (honest) => this.#watched(honest),
      onFrame,
    });
  }

  async play(): Promise<Ending> {
    try {
      for (const act of [
        () => this.#measuredBoot(),
        () => this.#ownerProvisionsToken(),
        () => this.#tokenProvisionsPlatform(),
        () => this.#firstAttestation(),
      ]) {
        await this.#pace.advance(BREATH_MS);
        await act();
      }
      const recorded = await readPolicyPcrs(this.#twin.tpm);
      await this.#changedKernel();
      await this.#goodKernelAgain();
      await this.#forgery(recorded);
    } finally {
      await this.#twin.close();
    }
    const good = this.#verdicts.every((asExpected) => asExpected);
    return { good, sentence: good ? VERDICTS : "API v0: not as expected." };
  }

  async #measuredBoot(): Promise<void> {
    this.#stage.act(
      "The computer boots, and measures itself",
      "The firmware fills PCR 0 to 7; then SKINIT resets PCR 17 to 22 and measures the loader, which measures the small OS of the attester.",
    );
    await this.#twin.boot(goodFiles, ORDERLY);
    const [bank] = await readPolicyPcrs(this.#twin.tpm);
    const [loaderAndKernel, parameters] = bank?.values.slice(-2).map((value) => toHex(value).slice(0, 16)) ?? [];
    this.#stage.fact("PCR 17", `${loaderAndKernel}… loader, kernel, initrd`);
    this.#stage.fact("PCR 18", `${parameters}… boot parameters, command line`);
  }

  async #ownerProvisionsToken(): Promise<void> {
    this.#stage.act(
      "The owner provisions the token",
      "The stick is plugged in, blank. It checks the owner's chain, asks for a certificate for its own key and keeps both.",
    );
    await this.#twin.stopOwner(); // so that the blank token's red lamp is seen
    this.#twin.plug();
    await this.#pace.advance(BREATH_MS);
    this.#twin.startOwner();
    const done = await this.#seen("token-provisioned");
    const event = this.#twin.events.find(({ type }) => type === "token-provisioned");
    if (event?.type === "token-provisioned") this.#stage.fact("device id", event.deviceId);
    this.#judge(done, done ? "the token is provisioned" : "the token was not provisioned");
  }

  async #tokenProvisionsPlatform(): Promise<void> {
    this.#stage.act(
      "The token provisions the platform",
      "It checks the TPM's EK certificate, makes a credential that only that TPM can open, and keeps the attestation key (AIK), metadata and reference values.",
    );
    this.#platformAct.rise();
    const done = await this.#seen("platform-provisioned");
    this.#judge(done, done ? "the platform is recorded; three green blinks" : "the platform was not recorded");
  }

  async #firstAttestation(): Promise<void> {
    this.#stage.act("Attestation", "The token sends a fresh nonce; the TPM signs it together with its PCRs.");
    this.#attestationAct.rise();
    await this.#pace.until(() => this.#twin.verdict !== undefined, LIMIT_MS);
    await this.#expectGreen("the machine booted what was recorded");
  }

  async #changedKernel(): Promise<void> {
    this.#stage.act(
      "Somebody changes the kernel",
      "The computer is booted with another kernel. Nothing lies about it: the measurement is made before the kernel runs.",
    );
    await this.#twin.boot(tamperedFiles, ORDERLY);
    await this.#replug();
    const { verdict } = this.#twin;
    const named = verdict?.trusted === false ? verdict.pcrs : undefined;
    const isRed = verdict?.trusted === false && verdict.reason === "pcr-mismatch" && named?.join() === "17";
    await this.#pace.until(() => this.#twin.lamps.red, 1000);
    this.#judge(
      isRed && this.#twin.lamps.red,
      `red: ${appraisalRefusals["pcr-mismatch"]}; PCR ${named?.join(", ") ?? "unknown"} differs`,
    );
    await this.#pace.advance(LOOK_MS);
  }

  async #goodKernelAgain(): Promise<void> {
    this.#stage.act("The good kernel again", "The recorded kernel is back, so the PCRs are, too.");
    await this.#twin.boot(goodFiles, ORDERLY);
    await this.#replug();
    await this.#expectGreen("the machine booted what was recorded");
  }

  async #forgery(recorded: readonly PcrBank[]): Promise<void> {
    const { tpm } = this.#twin;
    this.#stage.act(
      "What the reference's key would let a root user forge",
      "The kernel is changed again. But the reference's AIK is not restricted: root writes a quote by hand, with the PCRs of the good boot, and has the TPM sign it like any data.",
    );
    const ek = await tpm.ensureEk("rsa");
    this.#rootUser = forgingAttester(tpm, await tpm.ensureAik("reference", ek), recorded);
    await this.#twin.boot(tamperedFiles, ORDERLY);
    await this.#replug();
    await this.#pace.until(() => this.#twin.lamps.green, 1000);
    const fooled = this.#twin.verdict?.trusted === true && this.#twin.lamps.green;
    this.#judge(fooled, fooled ? "green, and wrong: profile compat believes it" : "the forgery did not work");
    const rc = await tryForgery(tpm, await tpm.ensureAik("restricted-rsa", ek), recorded);
    const refused = rc === TICKET_REFUSED;
    const said = rc === undefined ? "it signed" : `0x${rc.toString(16)}, ${explainRc(rc).name}`;
    this.#judge(refused, `with the restricted key that profile strict demands the TPM refuses to sign it: ${said}`);
    await this.#pace.advance(this.#isLast ? LAST_LOOK_MS : LOOK_MS);
  }

  async #expectGreen(sentence: string): Promise<void> {
    await this.#pace.until(() => this.#twin.lamps.green && this.#twin.verdict !== undefined, LOOK_MS);
    const { verdict, lamps } = this.#twin;
    const why = verdict?.trusted === false ? appraisalRefusals[verdict.reason] : "no verdict";
    const isGreen = verdict?.trusted === true && lamps.green;
    this.#judge(isGreen, isGreen ? `green: ${sentence}` : `not green: ${why}`);
    await this.#pace.advance(LOOK_MS);
  }

  async #replug(): Promise<void> {
    this.#twin.unplug();
    await this.#pace.advance(200);
    this.#twin.forgetEvents();
    this.#twin.plug();
    await this.#pace.until(() => this.#twin.verdict !== undefined, LIMIT_MS);
  }

  #seen(type: "token-provisioned" | "platform-provisioned"): Promise<boolean> {
    return this.#pace.until(() => this.#twin.events.some((event) => event.type === type), LIMIT_MS);
  }

  #judge(asExpected: boolean, sentence: string): void {
    this.#verdicts.push(asExpected);
    this.#stage.outcome(asExpected, sentence);
  }

  /** Keeps answers back until their act, shows the nonces, which differ from run to run, and lets the root user in when it is his act. */
  #watched(honest: CoapHandler): CoapHandler {
    return async (request) => {
      const path = request.path.join("/");
      if (path === "ek") await this.#platformAct.risen;
      if (request.payload.byteLength > 0 && path === "metadata") await this.#attestationAct.risen;
      if (request.payload.byteLength > 0 && (path === "metadata" || path === "quote")) {
        const { nonce } = decodeCbor<{ readonly nonce: Uint8Array }>(
          path === "quote" ? QuoteRequest : NonceRequest,
          request.payload,
        );
        this.#stage.fact("nonce", `${toHex(nonce.subarray(0, SHOWN_BYTES))}… for /${path}`);
      }
      return (this.#rootUser?.(honest) ?? honest)(request);
    };
  }
}

function curtain(): { readonly risen: Promise<void>; rise(): void } {
  let rise: () => void = () => undefined;
  const risen = new Promise<void>((resolve) => {
    rise = resolve;
  });
  return { risen, rise: () => rise() };
}

/** TPM_RC_TICKET on parameter 3 of TPM2_Sign: data that looks like the TPM's own. */
const TICKET_REFUSED = 0x3e0;
const VERDICTS =
  "API v0: green for the recorded boot, red for the changed kernel (PCR 17), green again; the forgery fools compat and fails against strict.";

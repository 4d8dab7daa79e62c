import { seededRandom } from "../../../hw/random/seeded.ts";
import { equal, utf8 } from "../../../shared/bytes/index.ts";
import type { AikKind } from "../../tpm/index.ts";
import type { Told } from "../twin/program.ts";
import type { AttesterManner } from "../twin/programs.ts";
import type { Twin } from "../twin/twin.ts";
import { type CarriersOf, commonCarriers, plugIn, StepFailure } from "./carry.ts";
import { platformOf } from "./platform.ts";
import type { Scenario, StepValue } from "./schema.ts";

const LIMIT_MS = 10 * 60_000;
const SHOWN_CHARACTERS = 60;

async function finished<T>(twin: Twin, work: Promise<T>): Promise<T> {
  const result = await twin.finish(
    work.then((value) => ({ value })),
    LIMIT_MS,
  );
  if (result === undefined) throw new StepFailure(`did not end within ${LIMIT_MS / 1000} s; ${twin.describe()}`);
  return result.value;
}

/** Waits for a program; what the token answered must be what the step expects: success where it does not say. */
async function told<T>(twin: Twin, answer: string | undefined, work: Promise<Told<T>>): Promise<T | undefined> {
  const outcome = await finished(twin, work);
  if (outcome.ok) {
    if (answer === undefined) return outcome.value;
    throw new StepFailure(`answer ${answer} expected, but it was done; ${twin.describe()}`);
  }
  if (outcome.answer === answer) return undefined;
  const expected = answer === undefined ? "success" : `answer ${answer}`;
  throw new StepFailure(`${expected} expected, ${outcome.answer} seen: ${outcome.sentence}; ${twin.describe()}`);
}

/** What a step writes: a text, or so many bytes, the same at every run. */
function fileContent({ text, bytes = 0 }: { readonly text?: string | undefined; readonly bytes?: number | undefined }) {
  return text === undefined ? seededRandom(bytes, "file").bytes(bytes) : utf8(text);
}

function shown(content: Uint8Array): string {
  const text = new TextDecoder().decode(content);
  return JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text);
}

const OFFERS: Readonly<Record<"reference" | "restricted", Readonly<Record<"rsa" | "ecc", AikKind>>>> = {
  reference: { rsa: "reference", ecc: "reference" },
  restricted: { rsa: "restricted-rsa", ecc: "restricted-ecc" },
};

function mannerOf({ aik, logs }: Pick<StepValue<"attest", "v1">, "aik" | "logs">, { key }: Scenario): AttesterManner {
  return { logs, ...(aik !== undefined && { offers: [OFFERS[aik][key]] }) };
}

/** The computer asks: each step runs a host program. */
export const v1Carriers: CarriersOf<"v1"> = {
  ...commonCarriers,
  async provision(twin, { what, by = "attester", answer, ...manner }, scenario) {
    await plugIn(twin);
    if (what === "token") await told(twin, answer, twin.programs.provisionToken());
    else {
      await told(twin, answer, twin.programs.provisionPlatform(by, twin.platform, mannerOf(manner, scenario)));
    }
  },
  async attest(twin, { by, answer, ...manner }, scenario) {
    twin.forgetEvents();
    await plugIn(twin);
    const outcome = await finished(twin, twin.programs.attest(by, twin.platform, mannerOf(manner, scenario)));
    if (answer !== undefined) await told(twin, answer, Promise.resolve(outcome));
  },
  async watch(twin, { by, every }) {
    twin.forgetEvents();
    await plugIn(twin);
    await finished(twin, twin.programs.watch(by, twin.platform, every));
  },
  async write(twin, { by, name, answer, ...content }) {
    await told(twin, answer, twin.programs.write(by, name, fileContent(content)));
  },
  async read(twin, { by, name, answer, text = [], bytes }) {
    const content = await told(twin, answer, twin.programs.read(by, name));
    if (content === undefined) return;
    const wanted = bytes === undefined ? [text].flat().map(utf8) : [fileContent({ bytes })];
    if (wanted.some((one) => equal(one, content))) return;
    throw new StepFailure(`${wanted.map(shown).join(" or ")} expected in ${name}, ${shown(content)} read`);
  },
  async remove(twin, { by, name, answer }) {
    await told(twin, answer, twin.programs.remove(by, name));
  },
  kill: (twin, name) => twin.programs.kill(name),
  "take-port": (twin, { by, from }) => twin.programs.takePort(by, from),
  async replay(twin, { by, answer }) {
    const outcome = await finished(twin, twin.programs.replay(by));
    if (outcome === undefined) throw new StepFailure("no request with a grant was seen yet");
    await told(twin, answer, Promise.resolve(outcome));
  },
  async flood(twin, count) {
    await twin.programs.flood(count);
    await twin.pace.advance(0);
  },
  measure: (twin, { pcr, text }) => twin.measure(pcr, text),
  async "rename-platform"(twin, { of, to, answer }, scenario) {
    await told(twin, answer, twin.programs.renamePlatform(meant(twin, of, scenario), to));
  },
  async "remove-platform"(twin, { of, answer }, scenario) {
    await told(twin, answer, twin.programs.removePlatform(meant(twin, of, scenario)));
  },
};

function meant(twin: Twin, platform: string | undefined, { file }: Scenario) {
  return platform === undefined ? twin.platform : platformOf(platform, file);
}

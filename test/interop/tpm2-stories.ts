/**
 * `npx tsx test/interop/tpm2-stories.ts [words of a story's name]`: stories that tpm2-tools tell to `fobnail tpm serve` and to swtpm, verdicts side
 * by side. Exit code 1 when one is not as expected, or the two differ.
 */
import { isMain } from "../../attester/cli/exit.ts";
import { tableOf } from "../../attester/owner/cli/table.ts";
import { serveEmulator } from "../support/served-tpm.ts";
import { startSwtpm } from "../support/swtpm.ts";
import { playStory, type StoryTpm, type Told } from "./tpm2/player.ts";
import { keyStories } from "./tpm2/stories-keys.ts";
import { platformStories } from "./tpm2/stories-platform.ts";
import { policyStories } from "./tpm2/stories-policies.ts";
import type { Story, ToolStep, Verdict } from "./tpm2/story.ts";

export const stories: readonly Story[] = [...platformStories, ...keyStories, ...policyStories];

async function serveSwtpm(): Promise<StoryTpm> {
  const swtpm = await startSwtpm({ sockets: "tcp", arguments: ["--flags", "not-need-init,startup-clear"] });
  return { data: swtpm.data, control: swtpm.control, stop: swtpm.stop };
}

/** One step at both. */
export interface Compared {
  readonly step: ToolStep;
  readonly emulator: Verdict;
  readonly swtpm: Verdict;
  /** What is wrong, for people; undefined when both are as expected. */
  readonly problem: string | undefined;
}

/** Tells a story to a fresh emulator and a fresh swtpm. */
export async function compareStory(story: Story): Promise<readonly Compared[]> {
  const [ours, theirs] = await Promise.all([playTo(story, serveEmulator), playTo(story, serveSwtpm)]);
  return ours.map((told, i) => compareStep(told, theirs[i] ?? told));
}

async function playTo(story: Story, serve: () => Promise<StoryTpm>): Promise<readonly Told[]> {
  const tpm = await serve();
  try {
    return await playStory(story, tpm);
  } finally {
    await tpm.stop();
  }
}

export function compareStep(ours: Told, theirs: Told): Compared {
  const { step } = ours;
  return { step, emulator: ours.verdict, swtpm: theirs.verdict, problem: problemOf(ours, theirs) };
}

function problemOf(ours: Told, theirs: Told): string | undefined {
  const { expected, samePrint } = ours.step;
  const asExpected = (verdict: Verdict) => verdict === expected || (expected === "refused" && verdict !== "ok");
  if (!asExpected(theirs.verdict)) return `swtpm: ${theirs.verdict} for ${expected}: ${theirs.complaint.trim()}`;
  if (!asExpected(ours.verdict) || ours.verdict !== theirs.verdict)
    return `emulator: ${ours.verdict} for ${theirs.verdict}: ${ours.complaint.trim()}`;
  if (samePrint && ours.printed !== theirs.printed)
    return `prints\n${ours.printed}where swtpm prints\n${theirs.printed}`;
  return undefined;
}

async function printAll(words: readonly string[]): Promise<number> {
  const chosen = stories.filter(({ name }) => words.every((word) => name.includes(word)));
  let [steps, wrong] = [0, 0];
  for (const story of chosen) {
    const compared = await compareStory(story);
    const rows = compared.map(({ step, emulator, swtpm, problem }) => [
      emulator,
      swtpm,
      problem === undefined ? "" : "!",
      step.line,
    ]);
    console.log(`\n${story.name}\n${tableOf(["EMULATOR", "SWTPM", "", "COMMAND"], rows)}`);
    for (const { step, problem } of compared) if (problem !== undefined) console.log(`! ${step.line}\n  ${problem}`);
    steps += compared.length;
    wrong += compared.filter(({ problem }) => problem !== undefined).length;
  }
  console.log(`\n${chosen.length} stories, ${steps} commands, ${wrong} not as expected or not the same`);
  return wrong === 0 ? 0 : 1;
}

if (isMain(import.meta.url)) process.exitCode = await printAll(process.argv.slice(2));

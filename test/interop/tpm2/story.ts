/** Stories that tpm2-tools tell to a TPM: data. tpm2-stories.ts plays them. */

/** `ok`, `refused` (the tool says no, whoever found out), or the TPM's response code. */
export type Verdict = "ok" | "refused" | `0x${string}`;

/** A tool with its arguments, in the story's own folder: words, blanks between, nothing quoted. */
export interface ToolStep {
  readonly kind: "tool";
  readonly line: string;
  readonly expected: Verdict;
  /** What it prints is the same for every TPM. */
  readonly samePrint: boolean;
}

/** What the chipset does, over the control channel. */
export interface ChipsetStep {
  readonly kind: "chipset";
  /** A dynamic launch that measures this text. */
  readonly launch?: string;
  /** Power goes without TPM2_Shutdown, and comes. */
  readonly power?: "cut";
}

/** The locality at which the tools that follow send their commands. */
export interface LocalityStep {
  readonly kind: "locality";
  readonly locality: number;
}

/** `damaged` is another file with one bit of the byte at `at` turned. */
export type FileContent =
  | { readonly text: string }
  | { readonly hex: string }
  | { readonly damaged: string; readonly at: number };

/** A file of the story's folder. */
export interface FileStep {
  readonly kind: "file";
  readonly name: string;
  readonly content: FileContent;
}

export type Step = ToolStep | ChipsetStep | LocalityStep | FileStep;

export interface Story {
  readonly name: string;
  readonly steps: readonly Step[];
}

const tool = (line: string, expected: Verdict, samePrint: boolean): ToolStep => ({
  kind: "tool",
  line: `tpm2_${line}`,
  expected,
  samePrint,
});

/** The tool succeeds. `line` goes without the `tpm2_` in front of all of them. */
export const ok = (line: string): ToolStep => tool(line, "ok", false);
/** The tool succeeds and prints what does not depend on the TPM. */
export const prints = (line: string): ToolStep => tool(line, "ok", true);
/** The TPM refuses with a response code; without one, it is the tool that finds something wrong. */
export const refused = (line: string, rc?: number): ToolStep =>
  tool(line, rc === undefined ? "refused" : `0x${rc.toString(16)}`, false);

export const locality = (n: number): LocalityStep => ({ kind: "locality", locality: n });
export const launch = (measured: string): ChipsetStep => ({ kind: "chipset", launch: measured });
export const powerCut: ChipsetStep = { kind: "chipset", power: "cut" };
const fileStep = (name: string, content: FileContent): FileStep => ({ kind: "file", name, content });
export const file = (name: string, text: string): FileStep => fileStep(name, { text });
export const bytes = (name: string, hex: string): FileStep => fileStep(name, { hex });
export const damaged = (name: string, of: string, at: number): FileStep => fileStep(name, { damaged: of, at });

/** The tools leave objects in the TPM, which has three slots. */
export const flushObjects = ok("flushcontext -t");
export const endSession = ok("flushcontext session");

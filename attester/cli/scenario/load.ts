import * as v from "valibot";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { FileError, readTextFile } from "../../../hw/files/index.ts";
import { type Api, Header, type Scenario, type Step, steps } from "./schema.ts";

const MAX_FILE_BYTES = 256 * 1024;
const MAX_STEPS = 1000;
/** So that a small file cannot unfold into a large document. */
const MAX_ALIASES = 16;

/** A scenario that cannot be run as written; the message names file and line, and the step where there is one. */
export class ScenarioFileError extends Error {
  override readonly name = "ScenarioFileError";
}

/** Reads and checks a scenario. Throws ScenarioFileError with every sentence that an author needs to mend it. */
export function loadScenario(file: string): Scenario {
  try {
    return parseScenario(readTextFile(file, MAX_FILE_BYTES), file);
  } catch (error) {
    if (error instanceof FileError) throw new ScenarioFileError(error.message, { cause: error });
    throw error;
  }
}

export function parseScenario(text: string, file: string): Scenario {
  if (text.length > MAX_FILE_BYTES) throw new ScenarioFileError(`${file}: over ${MAX_FILE_BYTES} bytes`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, logLevel: "error" });
  const at = (node: unknown): number => {
    const start = (node as Node | undefined)?.range?.[0];
    return start === undefined ? 1 : lines.linePos(start).line;
  };
  const fail = (line: number, problem: string): never => {
    throw new ScenarioFileError(`${file}:${line}: ${problem}`);
  };
  const [broken] = document.errors;
  if (broken !== undefined) fail(broken.linePos?.[0].line ?? 1, `not YAML: ${broken.message.split("\n")[0]}`);

  const root = document.contents;
  if (!isMap(root)) return fail(1, "a scenario is a map with name and steps");
  const header: Record<string, unknown> = {};
  for (const pair of root.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : "";
    if (key !== "steps") header[key] = toPlain(document, pair.value, at, fail);
  }
  const checked = v.safeParse(Header, header);
  if (!checked.success) return fail(issueLine(root, checked.issues[0], at), describe(checked.issues[0]));

  const list = root.get("steps", true);
  if (!isSeq(list) || list.items.length === 0)
    return fail(at(list ?? root), "steps: must be a list of at least one step");
  if (list.items.length > MAX_STEPS) return fail(at(list), `steps: at most ${MAX_STEPS}`);
  const { api } = checked.output;
  return { ...checked.output, file, steps: list.items.map((item, i) => toStep(api, document, item, i + 1, at, fail)) };
}

type Fail = (line: number, problem: string) => never;
type LineOf = (node: unknown) => number;

/** The schema of a step; a sentence when there is none of that name. */
function schemaOf(api: Api, key: string): v.GenericSchema | string {
  const [known, other] = [steps[api], steps[api === "v0" ? "v1" : "v0"]];
  if (Object.hasOwn(known, key)) return known[key as keyof typeof known];
  const elsewhere = Object.hasOwn(other, key) ? ` of api ${api}` : "";
  return `${JSON.stringify(key)} is not a step${elsewhere}; steps are ${Object.keys(known).join(", ")}`;
}

function toStep(api: Api, document: Document, item: unknown, number: number, at: LineOf, fail: Fail): Step {
  const line = at(item);
  const [key, node] = nameAndValue(item) ?? fail(line, `step ${number}: must be a name, or a name with its value`);
  const schema = schemaOf(api, key);
  if (typeof schema === "string") return fail(line, `step ${number}: ${schema}`);
  const checked = v.safeParse(schema, node === undefined ? null : toPlain(document, node, at, fail));
  if (!checked.success)
    return fail(
      issueLine(node ?? item, checked.issues[0], at),
      `step ${number} (${key}): ${describe(checked.issues[0])}`,
    );
  return { name: key, value: checked.output, line } as Step;
}

function nameAndValue(item: unknown): [string, unknown] | undefined {
  if (isScalar(item) && typeof item.value === "string") return [item.value, undefined];
  if (!isMap(item) || item.items.length !== 1) return undefined;
  const [pair] = item.items;
  return pair !== undefined && isScalar(pair.key) ? [String(pair.key.value), pair.value ?? undefined] : undefined;
}

/** An alias may name no anchor, or unfold into too much: yaml throws ReferenceError then. */
function toPlain(document: Document, node: unknown, at: LineOf, fail: Fail): unknown {
  try {
    return (node as Node | null)?.toJS(document, { maxAliasCount: MAX_ALIASES }) ?? null;
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return fail(at(node), `not YAML that can be read: ${error.message.split(":")[0]}`);
  }
}

function describe(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  if (issue.type === "strict_object" && issue.expected === "never") return `unknown key ${path ?? ""}`.trimEnd();
  return path === null ? issue.message : `${path}: ${issue.message}`;
}

/** The line of the node that the issue's path leads to, or of the nearest one above it. */
function issueLine(node: unknown, issue: v.BaseIssue<unknown>, at: LineOf): number {
  let here = node;
  for (const { key } of issue.path ?? []) {
    const next: unknown = isMap(here) || isSeq(here) ? here.get(key, true) : undefined;
    if (next === undefined) break;
    here = next;
  }
  return at(here);
}

import { parse } from "yaml";
import { FileError, readTextFile } from "./text.ts";

const MAX_PROFILE_BYTES = 64 * 1024;
/** So that a small file cannot unfold into a large document. */
const MAX_ALIASES = 16;
const MAX_PROBLEM_LENGTH = 200;

/** The document in a text that is JSON or YAML (JSON is YAML 1.2); `name` stands in front of a problem. Throws FileError. */
export function parseDocument(text: string, name: string): unknown {
  try {
    // Warnings would be printed, with whatever characters the file has.
    return parse(text, { maxAliasCount: MAX_ALIASES, schema: "core", logLevel: "error" });
  } catch (cause) {
    // Below its first line yaml shows the file, which may be any and hold a secret.
    const [problem = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw new FileError(`${name}: neither JSON nor YAML: ${problem.slice(0, MAX_PROBLEM_LENGTH).replace(/:$/, "")}`, {
      cause,
    });
  }
}

/** The document of a platform profile; attester/platform knows what it has to say. Throws FileError. */
export function readProfileFile(path: string): unknown {
  return parseDocument(readTextFile(path, MAX_PROFILE_BYTES), path);
}

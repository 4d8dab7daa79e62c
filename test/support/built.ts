import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const sources = fileURLToPath(new URL("../..", import.meta.url));
const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2023,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
};

/** Programs that only tests run and what they share, as deep below the package as their sources are. */
const TEST_PROGRAMS = [
  "support/killed-token",
  "support/random",
  "interop/tpm2/pipe",
  "hw/tpm/emulator/state-writer",
  "hw/tpm/emulator/state-steps",
  "hw/tpm/emulator/support",
  "vm/inside/pings",
  "vm/inside/versions",
  "bench/coap-server",
];
export const TEST_PROGRAMS_FOLDER = "test-programs";

let folder: string | undefined;

/**
 * The sources as JavaScript in a temporary package, made once a test process: what is started often must not be translated
 * at each start, and dist/ may be older than the sources.
 */
export function builtFolder(): string {
  if (folder !== undefined) return folder;
  const made = mkdtempSync(join(tmpdir(), "fobnail-built-"));
  process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  copyFileSync(join(sources, "package.json"), join(made, "package.json"));
  symlinkSync(join(sources, "node_modules"), join(made, "node_modules"));
  symlinkSync(join(sources, "test"), join(made, "test")); // the shipped scenarios
  const rooms = ["shared", "token", "attester", "hw"].flatMap((room) =>
    readdirSync(join(sources, room), { recursive: true, encoding: "utf8" }).map((name) => join(room, name)),
  );
  for (const name of ["fobnail.ts", ...rooms]) if (name.endsWith(".ts")) translate(name, name, made);
  for (const name of TEST_PROGRAMS)
    translate(join("test", `${name}.ts`), join(TEST_PROGRAMS_FOLDER, `${name}.ts`), made);
  folder = made;
  return folder;
}

function translate(source: string, name: string, into: string): void {
  const { outputText } = ts.transpileModule(readFileSync(join(sources, source), "utf8"), { compilerOptions: OPTIONS });
  const file = join(into, name.replace(/\.ts$/, ".js"));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, outputText);
}

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export function isInstalled(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false; // not in this folder
    }
  });
}

/** Skips the suite, by name and with the reason, when one of `programs` is not installed; with CI set it fails instead. */
export function needs(context: Mocha.Context, ...programs: readonly string[]): void {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return;
  if (process.env["CI"]) throw new Error(`not installed: ${missing.join(", ")}`);
  console.log(`      not installed: ${missing.join(", ")}`);
  context.skip();
}

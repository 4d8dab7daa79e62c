import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json: of the sources, or of the package that dist/ lies in. */
export const packageFolder: string = (() => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isPackage(folder)) {
    const above = dirname(folder);
    if (above === folder) throw new Error("package.json of fobnail is missing");
    folder = above;
  }
  return folder;
})();

function isPackage(folder: string): boolean {
  try {
    return manifest(folder).name === "fobnail";
  } catch {
    return false; // no package.json here
  }
}

function manifest(folder: string): { readonly name?: string; readonly version?: string } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

export const version: string = manifest(packageFolder).version ?? "unknown";

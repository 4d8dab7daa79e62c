import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Mutation, mutated } from "./mutation.ts";

export const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

const COPIED = ["package.json", "tsconfig.json", ".mocharc.cjs", "fobnail.ts", "README.md", "docs", "shared", "token", "attester", "hw", "test"]; // biome-ignore format: one list

/** A copy of the package that mutations go into, one at a time. */
export interface Tree {
  readonly folder: string;
  /** Runs `use` while the mutation is in the copy. */
  with<T>(mutation: Mutation, use: () => Promise<T>): Promise<T>;
  remove(): void;
}

export function copyTree(): Tree {
  const folder = mkdtempSync(join(tmpdir(), "fobnail-mutations-"));
  for (const name of COPIED) cpSync(join(PACKAGE, name), join(folder, name), { recursive: true });
  symlinkSync(join(PACKAGE, "node_modules"), join(folder, "node_modules"));
  return {
    folder,
    async with(mutation, use) {
      const path = join(folder, mutation.file);
      const text = readFileSync(path, "utf8");
      writeFileSync(path, mutated(mutation, text));
      try {
        return await use();
      } finally {
        writeFileSync(path, text);
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

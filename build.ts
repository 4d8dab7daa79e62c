/** `npm run build`, behind the compiler's check of types: the programs into dist/, each one file, and what they share in chunks. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const DIST = "dist";
/** What the compiler remembers. */
const KEPT = ".tsbuildinfo";
/** Has no name in `bin`: `npm run os:build` starts it. */
const OS_BUILD = "attester/cli/os/main.ts";

const { bin }: { readonly bin: Readonly<Record<string, string>> } = JSON.parse(readFileSync("package.json", "utf8"));
const programs = Object.values(bin);
const sources = programs.map((file) => file.replace(/^dist\//, "").replace(/\.js$/, ".ts"));

if (existsSync(DIST)) {
  for (const name of readdirSync(DIST)) if (name !== KEPT) rmSync(join(DIST, name), { recursive: true });
}
await build({
  entryPoints: [...sources, OS_BUILD],
  outdir: DIST,
  outbase: ".",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
});
for (const program of programs) chmodSync(program, 0o755);

/** Kernel modules: which belong together, and the tables that modprobe reads. */
import { moduleInfo } from "./elf.ts";

export interface Module {
  /** With `_`, as the kernel has it. */
  readonly name: string;
  readonly needs: readonly string[];
  /** Wanted before it where the kernel has them. */
  readonly wishes: readonly string[];
  /** What devices and other modules call it, with wildcards. */
  readonly aliases: readonly string[];
}

export const moduleName = (text: string): string => text.replaceAll("-", "_");

const listed = (text: string) =>
  text
    .split(/[\s,]+/)
    .filter((word) => word !== "")
    .map(moduleName);

/** CodecError when the file is no kernel module. */
export function describeModule(name: string, file: Uint8Array): Module {
  const info = moduleInfo(file);
  const values = (wanted: string) => info.filter(([key]) => key === wanted).map(([, value]) => value);
  const before = values("softdep").flatMap((text) => /\bpre:(.*?)(?:\bpost:|$)/.exec(text)?.[1] ?? []);
  return {
    name: moduleName(name),
    needs: values("depends").flatMap(listed),
    wishes: before.flatMap(listed),
    aliases: values("alias"),
  };
}

export interface ModuleSource {
  /** Undefined when the kernel has no such module. */
  find(name: string): Module | undefined;
  /** Whether the kernel has it without a file. */
  isBuiltIn(name: string): boolean;
}

/**
 * The modules of these names and all that they need, each behind those that it needs. What is built in is left out. Error for a name that
 * the kernel does not have.
 */
export function closure(names: readonly string[], source: ModuleSource): readonly Module[] {
  const found = new Map<string, Module>();
  const seen = new Set<string>(); // modules may wish each other before them
  const visit = (wanted: string, must: boolean): void => {
    const name = moduleName(wanted);
    if (seen.has(name) || source.isBuiltIn(name)) return;
    const module = source.find(name);
    if (module === undefined) {
      if (must) throw new Error(`this kernel has no module ${wanted}`);
      return;
    }
    seen.add(name);
    for (const needed of module.needs) visit(needed, true);
    for (const wished of module.wishes) visit(wished, false);
    found.set(name, module);
  };
  for (const name of names) visit(name, true);
  return [...found.values()];
}

const fileOf = ({ name }: Module) => `kernel/${name}.ko`;

/** modules.dep: each file, and all that must be there before it, the last needed first. */
export function dependencyTable(modules: readonly Module[]): string {
  const lines = modules.map((module) => {
    const before = closure([module.name], {
      find: (name) => modules.find((one) => one.name === name),
      isBuiltIn: () => false,
    });
    return `${fileOf(module)}:${before.slice(0, -1).reverse().map((one) => ` ${fileOf(one)}`).join("")}\n`; // biome-ignore format: one line of the table
  });
  return lines.sort().join("");
}

/** modules.alias. */
export function aliasTable(modules: readonly Module[]): string {
  return modules.flatMap(({ name, aliases }) => aliases.map((alias) => `alias ${alias} ${name}\n`)).sort().join(""); // biome-ignore format: one expression
}

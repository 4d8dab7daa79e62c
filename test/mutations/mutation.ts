/** One thing that the program does and must not leave out, left out. */
export interface Mutation {
  readonly id: string;
  /** What the program does wrong then. */
  readonly what: string;
  readonly file: string;
  /** Stands once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Test files, or folders of them, that are about this part. */
  readonly tests: readonly string[];
}

/** The file's text with the mutation in it. Throws when the text to be replaced does not stand there exactly once: then the mutation is none any more. */
export function mutated({ id, file, find, replace }: Mutation, text: string): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`mutation ${id}: its text stands ${count} times in ${file}`);
  return text.replace(find, () => replace);
}

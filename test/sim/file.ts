import { toHex, utf8 } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";

export const FILE_NAME = "disk.key";

/** Is in every block of each file that crosses a link: nothing else that a token sends holds it. */
export const MARKER: Uint8Array = utf8("sim-secret");
const LINE = "sim-secret.";

/** The file of a computer in its n-th version. */
export function fileContent(computer: string, version: number, sizeBytes: number): Uint8Array {
  return utf8(`${LINE.repeat(Math.ceil(sizeBytes / LINE.length)).slice(0, sizeBytes)} ${computer} ${version}`);
}

type Known = string | undefined;

/** Contents that a place may have: after a change of which nothing was heard there are several. Undefined is none. */
export class KnownContents {
  #known = new Set<Known>([undefined]);
  /** Nothing was lost since they began: what is heard of their end is the latest. */
  readonly #clear = new Set<Known>();

  began(content: Uint8Array): void {
    this.#known.add(nameOf(content));
    this.#clear.add(nameOf(content));
  }

  /** It may be heard late: then what was written may be lost again. */
  ended(content: Uint8Array): void {
    const name = nameOf(content);
    if (this.#clear.delete(name)) this.#known.clear();
    this.#known.add(name);
  }

  mayBeGone(): void {
    this.#clear.clear();
    this.#known.add(undefined);
  }

  isGone(): void {
    this.#clear.clear();
    this.#known = new Set([undefined]);
  }

  allows(content: Uint8Array | undefined): boolean {
    return this.#known.has(content && nameOf(content));
  }
}

function nameOf(content: Uint8Array): string {
  return toHex(digest("sha256", content));
}

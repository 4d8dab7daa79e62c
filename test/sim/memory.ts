import { utf8 } from "../../shared/bytes/index.ts";
import type { Token } from "../../token/token.ts";
import { FILE_NAME, KnownContents } from "./file.ts";

/** What a stick told to have, or may have: it must be found after every loss of power. */
export class StickMemory {
  readonly name: string;
  provisioned = false;
  readonly enrolled = new Set<string>();
  readonly #files = new Map<string, KnownContents>();
  readonly #names = new Map<string, KnownContents>();

  constructor(name: string) {
    this.name = name;
  }

  file(platform: string): KnownContents {
    return ofPlatform(this.#files, platform);
  }

  /** What its owner calls a platform. */
  nameOf(platform: string): KnownContents {
    return ofPlatform(this.#names, platform);
  }

  /** From here on a platform and what belongs to it may be gone. */
  mayLose(platform: string): void {
    this.enrolled.delete(platform);
    this.file(platform).mayBeGone();
    this.nameOf(platform).mayBeGone();
  }

  lost(platform: string): void {
    this.file(platform).isGone();
    this.nameOf(platform).isGone();
  }

  mayLoseAll(): void {
    this.provisioned = false;
    for (const platform of this.#platforms) this.mayLose(platform);
  }

  lostAll(): void {
    for (const platform of this.#platforms) this.lost(platform);
  }

  /** All or nothing: what is listed can be read, and is what somebody stored. What is wrong; undefined when nothing is. */
  problemOf(domain: Token["domain"], platforms: readonly string[]): string | undefined {
    try {
      return this.#compared(domain, platforms);
    } catch (error) {
      return `the store cannot be read: ${String(error)}`;
    }
  }

  #compared(domain: Token["domain"], platforms: readonly string[]): string | undefined {
    if (domain.provisioned && domain.issuingKey() === undefined) return "half provisioned";
    for (const { summary, name } of domain.listPlatforms()) {
      if (!platforms.includes(summary.id)) return `a platform ${summary.id} that nobody enrolled`;
      if (domain.platforms.find(summary.id) === undefined) return "a platform is half stored";
      if (!this.nameOf(summary.id).allows(name === "" ? undefined : utf8(name)))
        return `nobody called a platform ${name}`;
    }
    for (const platform of platforms) {
      const content = domain.files.read(platform, FILE_NAME);
      if (!this.file(platform).allows(content))
        return `${FILE_NAME} is ${content?.byteLength ?? "no"} bytes that nobody wrote`;
    }
    return undefined;
  }

  get #platforms(): Iterable<string> {
    return new Set([...this.enrolled, ...this.#files.keys(), ...this.#names.keys()]);
  }
}

function ofPlatform(all: Map<string, KnownContents>, platform: string): KnownContents {
  const known = all.get(platform) ?? new KnownContents();
  all.set(platform, known);
  return known;
}

import type { Twin } from "../../attester/cli/twin/twin.ts";
import { FILE_NAME, type FileModel, fileContent } from "./file.ts";
import type { Plan } from "./plan.ts";

const ROUND_MS = 1_000;
const ATTEST_EVERY_MS = 9_000;
/** A program that does not end by then is left alone. */
const PATIENCE_MS = 30_000;
/** The token's sentence: of other answers 4.04 there are several. */
const NO_FILE = /no such file/;
/** There is a file from the first attestation on. */
const FIRST_BYTES = 300;
const ATTESTER = "attester";

export interface HonestOptions {
  readonly twin: Twin;
  readonly manner: Plan["manner"];
  readonly file: FileModel;
  /** Whether the computer is as its owner wants it: no other is enrolled. */
  readonly isGood: () => boolean;
  readonly tell: (line: string) => void;
  readonly fail: (what: string) => void;
}

/** The owner and the attester of one computer: they do what is missing, again and again, whatever happens to them. */
export class Honest {
  readonly #options: HonestOptions;
  #interrupt: () => void = () => undefined;
  #isWatching = false;
  #attestAt = 0;
  #version = 0;
  readonly #toWrite: number[] = [FIRST_BYTES];
  #over = false;

  constructor(options: HonestOptions) {
    this.#options = options;
  }

  /** What to write at the next opportunity. */
  write(sizeBytes: number): void {
    this.#toWrite.push(sizeBytes);
  }

  /** The programs were killed: nobody waits for them any more. */
  interrupt(): void {
    this.#isWatching = false;
    this.#attestAt = 0;
    this.#interrupt();
  }

  end(): void {
    this.#over = true;
    this.interrupt();
  }

  async run(): Promise<void> {
    const { twin } = this.#options;
    while (!this.#over) {
      await this.#step();
      if (!this.#over)
        await this.#within(new Promise<void>((resolve) => void twin.pace.clock.after(ROUND_MS, resolve)));
    }
  }

  async #step(): Promise<void> {
    const { twin, isGood, manner, tell } = this.#options;
    const { programs, platform, token } = twin;
    if (!token.domain.provisioned) {
      const told = await this.#within(programs.provisionToken());
      tell(`owner: ${told?.ok === true ? "provisioned" : (told?.sentence ?? "interrupted")}`);
      return;
    }
    if (twin.platforms === 0) {
      if (!isGood()) return;
      const told = await this.#within(programs.provisionPlatform(ATTESTER, platform, {}));
      tell(`attester: ${told?.ok === true ? "enrolled" : (told?.sentence ?? "interrupted")}`);
      return;
    }
    if (manner === "files") return this.#attestAndUse();
    if (this.#isWatching) return;
    this.#isWatching = true;
    await this.#within(programs.watch(ATTESTER, platform, ATTEST_EVERY_MS));
  }

  async #attestAndUse(): Promise<void> {
    const { twin, tell } = this.#options;
    const now = twin.pace.clock.now();
    if (twin.sessions === 0 || now >= this.#attestAt) {
      this.#attestAt = now + ATTEST_EVERY_MS;
      const told = await this.#within(twin.programs.attest(ATTESTER, twin.platform, {}));
      tell(`attester: ${told?.ok === true ? "attested" : (told?.sentence ?? "interrupted")}`);
      if (told?.ok !== true) return;
      await this.#read();
    }
    const size = this.#toWrite.shift();
    if (size !== undefined) await this.#write(size);
  }

  async #write(sizeBytes: number): Promise<void> {
    const { twin, file, tell } = this.#options;
    const content = fileContent(++this.#version, sizeBytes);
    file.began(content);
    const told = await this.#within(twin.programs.write(ATTESTER, FILE_NAME, content));
    if (told?.ok === true) file.ended(content);
    tell(`attester: ${told?.ok === true ? `wrote version ${this.#version}` : (told?.sentence ?? "interrupted")}`);
  }

  async #read(): Promise<void> {
    const { twin, file, tell, fail } = this.#options;
    const told = await this.#within(twin.programs.read(ATTESTER, FILE_NAME));
    if (told?.ok === true && !file.allows(told.value)) fail(`${told.value.byteLength} bytes read that nobody wrote`);
    if (told?.ok === false && NO_FILE.test(told.sentence) && !file.allows(undefined)) fail("the file is gone");
    tell(`attester: ${told?.ok === true ? `read ${told.value.byteLength} bytes` : (told?.sentence ?? "interrupted")}`);
  }

  /** Undefined when it was interrupted, or took too long, or the program ended with an error. */
  async #within<T>(work: Promise<T>): Promise<T | undefined> {
    const { clock } = this.#options.twin.pace;
    let cancel: () => void = () => undefined;
    const given = new Promise<undefined>((resolve) => {
      this.#interrupt = () => resolve(undefined);
      cancel = clock.after(PATIENCE_MS, () => resolve(undefined));
    });
    try {
      return await Promise.race([work, given]);
    } catch (error) {
      this.#options.tell(`a program ended: ${String(error)}`);
      if (error instanceof TypeError || error instanceof RangeError) this.#options.fail(String(error));
      this.#isWatching = false;
      return undefined;
    } finally {
      cancel();
    }
  }
}

import type { Twin } from "../../attester/cli/twin/twin.ts";
import { FILE_NAME, fileContent, type KnownContents } from "./file.ts";
import type { ComputerPlan } from "./plan.ts";
import type { Site } from "./site.ts";

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
  readonly site: Site;
  readonly manner: ComputerPlan["manner"];
  readonly tell: (line: string) => void;
}

type Errand = "rename" | "remove";

/** The owner and the attester of one computer: they do what is missing, again and again, whatever happens to them. */
export class Honest {
  readonly #site: Site;
  readonly #twin: Twin;
  readonly #manner: ComputerPlan["manner"];
  readonly #tell: (line: string) => void;
  #interrupt: () => void = () => undefined;
  #isWatching = false;
  #attestAt = 0;
  #version = 0;
  readonly #toWrite: number[] = [FIRST_BYTES];
  readonly #errands: Errand[] = [];
  /** Of writes that nobody has heard the end of. */
  readonly #writing = new Set<Uint8Array>();
  #over = false;

  constructor({ site, manner, tell }: HonestOptions) {
    this.#site = site;
    this.#twin = site.twin;
    this.#manner = manner;
    this.#tell = (line) => tell(`${site.name}: ${line}`);
  }

  /** What to write at the next opportunity. */
  write(sizeBytes: number): void {
    this.#toWrite.push(sizeBytes);
  }

  /** What the owner is to do at the next opportunity. */
  administer(errand: Errand): void {
    this.#errands.push(errand);
  }

  /** Another stick may be in the port: a program that still writes may write there. */
  stickStarted(): void {
    for (const content of this.#writing) this.#file.began(content);
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
    const { clock } = this.#twin.pace;
    while (!this.#over) {
      if (this.#site.slot.stick !== undefined) await this.#step();
      if (!this.#over) await this.#within(new Promise<void>((resolve) => void clock.after(ROUND_MS, resolve)));
    }
  }

  async #step(): Promise<void> {
    const { programs, platform, token } = this.#twin;
    if (!token.domain.provisioned) {
      const told = await this.#within(programs.provisionToken());
      this.#tell(`owner: ${told?.ok === true ? "provisioned" : (told?.sentence ?? "interrupted")}`);
      return;
    }
    if (token.domain.platforms.find(this.#site.platform) === undefined) {
      if (!this.#site.oracle.isGood) return; // what is not as its owner wants it is not enrolled
      const told = await this.#within(programs.provisionPlatform(ATTESTER, platform, {}));
      this.#tell(`attester: ${told?.ok === true ? "enrolled" : (told?.sentence ?? "interrupted")}`);
      return;
    }
    const errand = this.#errands.shift();
    if (errand !== undefined) return this.#administer(errand);
    if (this.#manner === "files") return this.#attestAndUse();
    if (this.#isWatching) return;
    this.#isWatching = true;
    await this.#within(programs.watch(ATTESTER, platform, ATTEST_EVERY_MS));
  }

  async #administer(errand: Errand): Promise<void> {
    const { programs, platform } = this.#twin;
    const asked =
      errand === "remove"
        ? programs.removePlatform(platform)
        : programs.renamePlatform(platform, `name ${++this.#version}`);
    const told = await this.#within(asked);
    this.#tell(`owner: ${told?.ok === true ? `${errand} done` : (told?.sentence ?? "interrupted")}`);
  }

  async #attestAndUse(): Promise<void> {
    const twin = this.#twin;
    const now = twin.pace.clock.now();
    if (twin.sessions === 0 || now >= this.#attestAt) {
      this.#attestAt = now + ATTEST_EVERY_MS;
      const told = await this.#within(twin.programs.attest(ATTESTER, twin.platform, {}));
      this.#tell(`attester: ${told?.ok === true ? "attested" : (told?.sentence ?? "interrupted")}`);
      if (told?.ok !== true) return;
      await this.#read();
    }
    const size = this.#toWrite.shift();
    if (size !== undefined) await this.#write(size);
  }

  /** What the stick in the port may hold of this computer. */
  get #file(): KnownContents {
    return this.#site.slot.memory.file(this.#site.platform);
  }

  async #write(sizeBytes: number): Promise<void> {
    const file = this.#file;
    const content = fileContent(this.#site.name, ++this.#version, sizeBytes);
    file.began(content);
    this.#writing.add(content);
    const ended = () => void this.#writing.delete(content);
    const writing = this.#twin.programs.write(ATTESTER, FILE_NAME, content);
    writing.then(ended, ended);
    const told = await this.#within(writing);
    if (told?.ok === true) file.ended(content);
    this.#tell(`attester: ${told?.ok === true ? `wrote version ${this.#version}` : (told?.sentence ?? "interrupted")}`);
  }

  async #read(): Promise<void> {
    const file = this.#file;
    const told = await this.#within(this.#twin.programs.read(ATTESTER, FILE_NAME));
    const { oracle } = this.#site;
    if (told?.ok === true && !file.allows(told.value))
      oracle.fail(`${told.value.byteLength} bytes read that nobody wrote`);
    if (told?.ok === false && NO_FILE.test(told.sentence) && !file.allows(undefined)) oracle.fail("the file is gone");
    this.#tell(
      `attester: ${told?.ok === true ? `read ${told.value.byteLength} bytes` : (told?.sentence ?? "interrupted")}`,
    );
  }

  /** Undefined when it was interrupted, or took too long, or the program ended with an error. */
  async #within<T>(work: Promise<T>): Promise<T | undefined> {
    if (this.#over) return undefined; // time may not go on any more
    const { clock } = this.#twin.pace;
    let cancel: () => void = () => undefined;
    const given = new Promise<undefined>((resolve) => {
      this.#interrupt = () => resolve(undefined);
      cancel = clock.after(PATIENCE_MS, () => resolve(undefined));
    });
    try {
      return await Promise.race([work, given]);
    } catch (error) {
      this.#tell(`a program ended: ${String(error)}`);
      if (error instanceof TypeError || error instanceof RangeError) this.#site.oracle.fail(String(error));
      this.#isWatching = false;
      return undefined;
    } finally {
      cancel();
    }
  }
}

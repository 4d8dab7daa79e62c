import type { Honest } from "./honest.ts";
import { CALM, describePlanned, type Planned } from "./plan.ts";
import type { World } from "./world.ts";

/** Longer than the button must be held to wipe the token. */
const HOLD_MS = 10_001;
const LARGE_AND_SMALL = [5_900, 100];

/** What a plan does to a world. */
export class Troubles {
  readonly #world: World;
  readonly #honest: Honest;
  #over = false;
  /** How long the stick is out after it lost its power. */
  #outMs = 0;

  constructor(world: World, honest: Honest) {
    this.#world = world;
    this.#honest = honest;
    world.onRestart = () => this.#later(this.#outMs, () => world.twin.plug());
  }

  /** The computer starts as it should, the stick is in its port, and nothing more comes. */
  async end(): Promise<void> {
    const { twin, flash } = this.#world;
    this.#over = true;
    this.#world.weather = CALM;
    this.#world.isLinkCut = false;
    flash.cutAfter(Number.POSITIVE_INFINITY, () => undefined);
    twin.holdButton(false);
    await this.#boot("orderly", "good");
    twin.plug();
  }

  befall(planned: Planned): void {
    const { twin, trace } = this.#world;
    trace.tell(`trouble: ${describePlanned(planned)}`);
    switch (planned.what) {
      case "weather":
        this.#world.weather = planned.weather;
        this.#later(planned.forMs, () => {
          this.#world.weather = CALM;
        });
        break;
      case "link-cut":
        this.#world.isLinkCut = true;
        this.#later(planned.forMs, () => {
          this.#world.isLinkCut = false;
        });
        break;
      case "unplug":
        twin.unplug();
        this.#later(planned.forMs, () => twin.plug());
        break;
      case "power-cut":
        this.#outMs = planned.forMs;
        twin.cutTokenPower();
        break;
      case "power-cut-at-change":
        this.#outMs = planned.forMs;
        twin.cutTokenPowerAfter(planned.changes);
        for (const sizeBytes of LARGE_AND_SMALL) this.#honest.write(sizeBytes); // for there to be changes
        break;
      case "tpm-reset":
        this.#world.oracle.isGood = false;
        this.#do(twin.cutTpmPower());
        this.#later(planned.forMs, () => this.#do(this.#boot("cut", "good")));
        break;
      case "boot":
        this.#do(this.#boot(planned.power, "good"));
        break;
      case "other-boot":
        this.#do(this.#boot("orderly", planned.launch ? "other-kernel" : "no-launch"));
        this.#later(planned.forMs, () => this.#do(this.#boot("orderly", "good")));
        break;
      case "kill-attester":
        this.#do(twin.programs.kill("attester"));
        this.#honest.interrupt();
        break;
      case "steal-port":
        this.#do(this.#stealPort());
        this.#honest.interrupt();
        break;
      case "stranger":
        this.#do(this.#stranger(planned.flood));
        break;
      case "write":
        this.#honest.write(planned.sizeBytes);
        break;
      case "wipe":
        twin.holdButton(true);
        this.#later(HOLD_MS, () => twin.holdButton(false));
        break;
    }
  }

  async #boot(...how: Parameters<World["boot"]>): Promise<void> {
    await this.#world.boot(...how);
    this.#honest.interrupt(); // not before: what it starts meanwhile would be killed without its knowing
  }

  async #stealPort(): Promise<void> {
    const { programs } = this.#world.twin;
    await programs.takePort("mallory", "attester");
    await this.#askBare();
  }

  async #stranger(flood: number): Promise<void> {
    await this.#world.twin.programs.flood(flood);
    await this.#askBare();
    const replayed = await this.#world.twin.programs.replay("mallory");
    if (replayed?.ok === true) this.#world.oracle.fail("another program's request was done once more");
  }

  async #askBare(): Promise<void> {
    const told = await this.#world.twin.programs.read("mallory", "disk.key");
    if (told.ok) this.#world.oracle.fail("a file was read by a program without the TPM");
  }

  #do(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#world.oracle.fail(`trouble itself failed: ${String(error)}`));
  }

  #later(ms: number, run: () => void): void {
    this.#world.twin.pace.clock.after(ms, () => {
      if (!this.#over) run();
    });
  }
}

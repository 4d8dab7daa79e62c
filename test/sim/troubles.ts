import type { Honest } from "./honest.ts";
import { CALM, describePlanned, type Planned } from "./plan.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

/** Longer than the button must be held to wipe the token. */
const HOLD_MS = 10_001;
const LARGE_AND_SMALL = [5_900, 100];

/** One computer, who uses it, and how long its stick is out after it lost its power. */
interface Place {
  readonly site: Site;
  readonly honest: Honest;
  outMs: number;
}

/** What a plan does to a world. */
export class Troubles {
  readonly #world: World;
  readonly #places: readonly Place[];
  #over = false;

  constructor(world: World, honest: readonly Honest[]) {
    this.#world = world;
    this.#places = world.sites.flatMap((site, i) => {
      const user = honest[i];
      return user === undefined ? [] : [{ site, honest: user, outMs: 0 }];
    });
    for (const place of this.#places) {
      place.site.onRestart = () => {
        place.honest.stickStarted();
        this.#later(place.outMs, () => place.site.plug());
      };
    }
  }

  /** Computers start as they should, sticks are in their ports, clocks go, and nothing more comes. */
  async end(): Promise<void> {
    this.#over = true;
    for (const { site } of this.#places) {
      for (const clock of Object.values(site.clocks)) clock.go();
      Object.assign(site, { weather: CALM, isLinkCut: false, daysOff: 0 });
      site.slot.calm();
      site.twin.holdButton(false);
    }
    for (const place of this.#places) await this.#boot(place, "orderly", "good");
    for (const { site } of this.#places) site.plug();
  }

  befall(planned: Planned): void {
    const place = this.#places[planned.computer];
    if (place === undefined) return;
    this.#world.trace.tell(`trouble: ${describePlanned(planned)}`);
    this.#toLink(place, planned);
    this.#toPower(place, planned);
    this.#toComputer(place, planned);
    this.#toClocks(place, planned);
  }

  #toLink({ site }: Place, planned: Planned): void {
    switch (planned.what) {
      case "weather":
        site.weather = planned.weather;
        this.#later(planned.forMs, () => {
          site.weather = CALM;
        });
        break;
      case "link-cut":
        site.isLinkCut = true;
        this.#later(planned.forMs, () => {
          site.isLinkCut = false;
        });
        break;
      case "unplug":
        site.twin.unplug();
        this.#later(planned.forMs, () => site.plug());
        break;
    }
  }

  #toPower(place: Place, planned: Planned): void {
    const { site, honest } = place;
    switch (planned.what) {
      case "power-cut":
        place.outMs = planned.forMs;
        site.twin.cutTokenPower();
        break;
      case "power-cut-at-change":
        place.outMs = planned.forMs;
        site.slot.failAgain(planned.again);
        site.twin.cutTokenPowerAfter(planned.changes);
        for (const sizeBytes of LARGE_AND_SMALL) honest.write(sizeBytes); // for there to be changes
        break;
      case "move-sticks":
        for (const each of this.#places) each.outMs = planned.forMs;
        this.#world.moveSticks();
        break;
      case "wipe":
        site.twin.holdButton(true);
        this.#later(HOLD_MS, () => site.twin.holdButton(false));
        break;
      case "tpm-reset":
        site.oracle.isGood = false;
        this.#do(site.twin.cutTpmPower());
        this.#later(planned.forMs, () => this.#do(this.#boot(place, "cut", "good")));
        break;
    }
  }

  #toComputer(place: Place, planned: Planned): void {
    const { site, honest } = place;
    switch (planned.what) {
      case "boot":
        this.#do(this.#boot(place, planned.power, "good"));
        break;
      case "other-boot":
        this.#do(this.#boot(place, "orderly", planned.launch ? "other-kernel" : "no-launch"));
        this.#later(planned.forMs, () => this.#do(this.#boot(place, "orderly", "good")));
        break;
      case "kill-attester":
        this.#do(site.twin.programs.kill("attester"));
        honest.interrupt();
        break;
      case "steal-port":
        this.#do(this.#stealPort(site));
        honest.interrupt();
        break;
      case "stranger":
        this.#do(this.#stranger(site, planned.flood));
        break;
      case "write":
        honest.write(planned.sizeBytes);
        break;
      case "rename":
      case "remove":
        honest.administer(planned.what);
        break;
    }
  }

  #toClocks({ site }: Place, planned: Planned): void {
    switch (planned.what) {
      case "clock-jumps":
        site.clocks[planned.whose].jump(planned.byMs);
        break;
      case "clock-stands":
        site.clocks[planned.whose].stand();
        this.#later(planned.forMs, () => site.clocks[planned.whose].go());
        break;
      case "calendar":
        site.daysOff = planned.daysOff;
        this.#later(planned.forMs, () => {
          site.daysOff = 0;
        });
        break;
    }
  }

  async #boot({ site, honest }: Place, ...how: Parameters<Site["boot"]>): Promise<void> {
    await site.boot(...how);
    honest.interrupt(); // not before: what it starts meanwhile would be killed without its knowing
  }

  async #stealPort(site: Site): Promise<void> {
    await site.twin.programs.takePort("mallory", "attester");
    await this.#askBare(site);
    await this.#replay(site);
  }

  async #stranger(site: Site, flood: number): Promise<void> {
    await site.twin.programs.flood(flood);
    await this.#askBare(site);
    await this.#replay(site);
  }

  async #askBare({ twin, oracle }: Site): Promise<void> {
    const told = await twin.programs.read("mallory", "disk.key");
    if (told.ok) oracle.fail("a file was read by a program without the TPM");
  }

  /** What never reached the token may be done now; what did is not done once more, which the tap looks after. */
  async #replay({ twin }: Site): Promise<void> {
    for (const what of ["granted", "signed"] as const) await twin.programs.replay("mallory", what);
  }

  #do(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#world.findings.fail(`trouble itself failed: ${String(error)}`));
  }

  #later(ms: number, run: () => void): void {
    this.#world.clock.after(ms, () => {
      if (!this.#over) run();
    });
  }
}

import type { ComputerPlan } from "./plan.ts";
import { World } from "./world.ts";

const COMPUTER: ComputerPlan = { manner: "files", key: "ecc" };
/** No trouble comes: all of it happens in an instant of virtual time. */
const LIMIT_MS = 1_000;

/** The honest way with no trouble, the oracle watching: a new stick, a computer that boots, owner, enrolment, attestation, green. Rejects otherwise. */
export async function provisionAndAttest(seed: number): Promise<void> {
  const world = await World.create(seed, { sticks: 1, computers: [COMPUTER] });
  const [site] = world.sites;
  if (site === undefined) throw new Error("no computer");
  await site.boot("orderly", "good");
  site.plug();
  const { programs, platform } = site.twin;
  const story = async (): Promise<void> => {
    await programs.provisionToken();
    await programs.provisionPlatform("attester", platform, {});
    await programs.attest("attester", platform, {});
  };
  let isOver = false;
  const telling = story().finally(() => {
    isOver = true;
  });
  await world.pace.until(() => world.step() || isOver, LIMIT_MS);
  const isGreen = site.oracle.trusted === 1 && site.twin.lamps.green;
  await world.close();
  await telling;
  const { violation } = world.findings;
  if (violation !== undefined || !isGreen) throw new Error(`seed ${seed}: ${violation ?? "not green"}`);
}

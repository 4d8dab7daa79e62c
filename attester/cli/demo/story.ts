import { toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { ownerForTwin, tpmForTwin } from "../twin/setup.ts";
import type { Cast, DemoOptions, Ending } from "./options.ts";
import { V0Story } from "./v0-story.ts";
import { V1Story } from "./v1-story.ts";

/** Plays all acts; true when every verdict was the expected one. */
export async function playDemo(options: DemoOptions): Promise<boolean> {
  const { pace, source, stage, seeded, api } = options;
  stage.act(
    "A TPM leaves the factory",
    "The vendor makes an endorsement key (EK) in the TPM and certifies it: from now on the TPM can prove that it is genuine.",
  );
  const made = await tpmForTwin(options.tpm, source, pace);
  try {
    stage.fact("TPM", made.describe);
    stage.fact("EK", `certificate SHA-256 ${toHex(digest("sha256", made.ekCertificate.der)).slice(0, 16)}…`);
    if (seeded) stage.fact("seed", "this run is repeatable, so its keys are known to everybody: INSECURE");
    const cast: Cast = { ...options, made, owner: ownerForTwin(source) };
    const endings: Ending[] = [];
    if (api !== "v1") endings.push(await new V0Story(cast).play());
    if (api !== "v0") endings.push(await new V1Story(cast).play());
    const good = endings.every((ending) => ending.good);
    const sentences = endings.map(({ sentence }) => sentence).join(" ");
    stage.end(
      good,
      good ? `All verdicts as expected. ${sentences}` : `A verdict was not the expected one. ${sentences}`,
    );
    return good;
  } finally {
    await made.close();
  }
}

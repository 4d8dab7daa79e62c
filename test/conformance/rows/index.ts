import type { Row } from "../row.ts";
import { acceptRows } from "./accept.ts";
import { activationRows } from "./activation.ts";
import { aikRows } from "./aik.ts";
import { attestRows } from "./attest.ts";
import { blockRows } from "./blocks.ts";
import { ekRows } from "./ek.ts";
import { evidenceRows } from "./evidence.ts";
import { evidenceContextRows } from "./evidence-contexts.ts";
import { explainRows } from "./explain.ts";
import { finishRows } from "./finish.ts";
import { grantRows } from "./grants.ts";
import { lampRows } from "./lamps.ts";
import { logRows } from "./logs.ts";
import { malformedRows } from "./malformed.ts";
import { metaRows } from "./meta.ts";
import { nonceRows } from "./nonce.ts";
import { nonceUseRows } from "./nonce-use.ts";
import { optionRows } from "./options.ts";
import { ownerChainRows } from "./owner-chain.ts";
import { platformRows } from "./platforms.ts";
import { provisionCompleteRows } from "./provision-complete.ts";
import { rimRows } from "./rim.ts";
import { robustnessRows } from "./robustness.ts";
import { sessionEndRows } from "./session-ends.ts";
import { sessionRows } from "./sessions.ts";
import { storageRows } from "./storage.ts";
import { tokenProvisionRows } from "./token-provision.ts";
import { versionRows } from "./version.ts";

/** Every row, in the order of the matrix. */
export const rows: readonly Row[] = [
  ...versionRows,
  ...nonceRows,
  ...nonceUseRows,
  ...tokenProvisionRows,
  ...ownerChainRows,
  ...provisionCompleteRows,
  ...ekRows,
  ...aikRows,
  ...activationRows,
  ...metaRows,
  ...rimRows,
  ...finishRows,
  ...attestRows,
  ...evidenceRows,
  ...evidenceContextRows,
  ...storageRows,
  ...grantRows,
  ...explainRows,
  ...logRows,
  ...platformRows,
  ...sessionRows,
  ...sessionEndRows,
  ...optionRows,
  ...acceptRows,
  ...malformedRows,
  ...lampRows,
  ...robustnessRows,
  ...blockRows,
];

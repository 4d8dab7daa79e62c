import type { Attack } from "../attack.ts";
import { certificateAttacks } from "./certificates.ts";
import { enrolmentAttacks } from "./enrolment.ts";
import { forgedAttacks } from "./forged.ts";
import { linkAttacks } from "./link.ts";
import { logAttacks } from "./logs.ts";
import { messageAttacks } from "./messages.ts";
import { offlineAttacks } from "./offline.ts";
import { relayAttacks } from "./relay.ts";
import { replayedAttacks } from "./replayed.ts";
import { selectionAttacks } from "./selection.ts";
import { sessionAttacks } from "./sessions.ts";
import { signatureAttacks } from "./signatures.ts";
import { statementAttacks } from "./statements.ts";

import { transportAttacks } from "./transport.ts";

/** All attacks, family by family. */
export const attacks: readonly Attack[] = [
  ...forgedAttacks,
  ...replayedAttacks,
  ...relayAttacks,
  ...selectionAttacks,
  ...statementAttacks,
  ...enrolmentAttacks,
  ...certificateAttacks,
  ...signatureAttacks,
  ...messageAttacks,
  ...transportAttacks,
  ...linkAttacks,
  ...sessionAttacks,
  ...offlineAttacks,
  ...logAttacks,
];

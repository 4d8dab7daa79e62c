import { dirname } from "node:path";
import { realCalendar, realClock } from "../../../hw/clock/real.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { createTextLog } from "../../../hw/terminal/log.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { Exit, Stop } from "../../cli/exit.ts";
import type { TokenPlace } from "../../cli/token-link.ts";
import { admitAll, createAdmission } from "../admission.ts";
import { createOwner, type Owner } from "../owner.ts";
import { type ProvisionedToken, provisionToken, type RefusedProvisioning } from "../v1-client.ts";
import { openRecord, readOwner } from "./files.ts";
import { terminalQuestion } from "./question.ts";
import { dayOf, momentOf } from "./table.ts";
import { withToken } from "./token.ts";

export interface ProvisionArguments extends TokenPlace {
  readonly expect: readonly string[];
  readonly days: number;
  /** Beside the chain unless said. */
  readonly record?: string;
  readonly yes: boolean;
  readonly json: boolean;
}

type Outcome = ProvisionedToken | RefusedProvisioning;

function facts(outcome: Outcome): Record<string, unknown> {
  if (!outcome.ok) return { outcome: "refused", reason: outcome.reason, message: outcome.sentence };
  const { deviceId, certificate, again } = outcome;
  const { serial, notBefore, notAfter } = certificate;
  const [from, until] = [momentOf(notBefore), momentOf(notAfter)];
  return { outcome: "provisioned", deviceId, serial: toHex(serial), from, until, again };
}

function say(outcome: Outcome, json: boolean): void {
  if (json) console.log(jsonLine(facts(outcome)));
  if (!outcome.ok) throw new Stop(Exit.Refused, outcome.sentence);
  const { deviceId, certificate } = outcome;
  if (!json)
    console.log(`Token ${deviceId} is provisioned; its certificate is good until ${dayOf(certificate.notAfter)}.`);
}

/** Asks a person only where one is, and where nothing was said beforehand: the reference's program asks nobody. */
async function provisionOver(owner: Owner, args: ProvisionArguments): Promise<Outcome> {
  const { expect, yes, json } = args;
  const asks = process.stdin.isTTY === true && !yes && expect.length === 0;
  const question = asks ? terminalQuestion(json ? process.stderr : process.stdout) : undefined;
  const log = createTextLog({ out: process.stderr });
  try {
    const asking = question === undefined ? undefined : { ask: question.ask, clock: realClock };
    return await withToken(args, log, (wire) => provisionToken({ wire, owner, asking }));
  } finally {
    question?.close();
  }
}

/** The reference's owner program: gives one token its certificate and ends. */
export async function provision(chainFile: string, keyFile: string, args: ProvisionArguments): Promise<void> {
  const log = createTextLog(args.json ? { out: process.stderr } : {});
  const material = readOwner(chainFile, keyFile, log);
  const { record } = openRecord(args.record ?? dirname(chainFile));
  const admission = args.expect.length > 0 ? createAdmission({ expected: args.expect }) : admitAll;
  const { days } = args;
  const owner = createOwner({ material, random: systemRandom, calendar: realCalendar, record, admission, log, days });
  say(await provisionOver(owner, args), args.json);
}

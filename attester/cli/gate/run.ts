import { realClock } from "../../../hw/clock/real.ts";
import { FileError } from "../../../hw/files/index.ts";
import { createKexec, describeEnd, type ProgramEnd, runShell } from "../../../hw/host/index.ts";
import { printable } from "../../../hw/terminal/printable.ts";
import type { TcgLog } from "../../../shared/event-log/index.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { hashNameOf } from "../../../shared/tpm/index.ts";
import {
  type Capped,
  type GateOptions,
  type GatePassed,
  type GateRefusal,
  logBehindGate,
  naming,
  passGate,
  unloaded,
} from "../../flows/index.ts";
import {
  END_SIGNALS,
  type EndSignals,
  Exit,
  type ExitCode,
  exitOf,
  NOBODY_READS,
  Said,
  Stop,
  untilSignal,
} from "../exit.ts";
import { writeLocal } from "../local-files.ts";
import { logOf, type Session, sayTrusted, type V1Arguments, withSession } from "../v1.ts";
import { createDeadline, type Deadline, inTime } from "./deadline.ts";
import { checkLogs, readLog, readTarget, type TargetArguments } from "./target.ts";

export interface GateArguments extends V1Arguments, TargetArguments {
  readonly onRed?: string;
  /** Seconds. */
  readonly timeout: number;
  readonly cap: boolean;
  readonly log?: string;
}

/** Why the gate stays shut, beside the refusals of the flow: words for programs. */
type ShutReason = GateRefusal["reason"] | "command-failed" | "jump-failed" | "usage" | "refused" | "unreached" | "bug";

class GateShut extends Stop {
  readonly reason: ShutReason;
  readonly pcrs: readonly number[];

  constructor(exit: ExitCode, reason: ShutReason, detail: string, pcrs: readonly number[] = []) {
    super(exit, detail);
    this.reason = reason;
    this.pcrs = pcrs;
  }
}

/** What is known while the gate is passed, for those who are told of it. */
interface Passage {
  readonly args: GateArguments;
  readonly log: Log;
  readonly signals: EndSignals;
  readonly ended: AbortSignal;
  readonly deadline: Deadline;
  /** What ended it from outside. */
  signal: NodeJS.Signals | undefined;
  verdict: "green" | "red" | "none";
  /** What the flow said, while TPM and link are given back. */
  refused: GateShut | undefined;
  capped: Capped | undefined;
  /** Passes a signal on to the command that runs. */
  pass: (signal: NodeJS.Signals) => void;
}

/** `fobnail-attester gate`. Whatever goes wrong, and wherever: the command of --on-red, and an exit code that is not 0. */
export async function gate(args: GateArguments): Promise<void> {
  const signals = untilSignal({ finishes: true });
  const end = new AbortController();
  const log = logOf(args, process.stdout);
  const deadline = createDeadline(realClock, args.timeout * 1_000);
  const passage: Passage = {
    ...{ args, log, signals, ended: end.signal, deadline, verdict: "none" },
    ...{ signal: undefined, refused: undefined, capped: undefined },
    pass: () => undefined,
  };
  // What was given up must not come to a green verdict after all.
  deadline.over.addEventListener("abort", () => end.abort("the end of its time"));
  void signals.signal.then((name) => {
    passage.signal = name;
    end.abort(name);
    deadline.hasten();
  });
  // The first and all others, and SIGTERM at each write that nobody reads: this process stays until the command of --on-red has ended.
  const passOn = (name: NodeJS.Signals) => passage.pass(name);
  for (const name of END_SIGNALS) process.on(name, passOn);
  const before = process.exitCode;
  process.exitCode = Exit.Refused; // until it was passed, whatever ends this process
  try {
    const passing = inTime(deadline, goThrough(passage), () => late(passage));
    await passing.finally(() => deadline.lift()); // nothing shall end any more while the command of --on-red runs
    process.exitCode = before;
  } catch (error) {
    throw new Said(await stayShut(passage, error));
  } finally {
    for (const name of END_SIGNALS) process.off(name, passOn);
    signals.release();
  }
}

/** Why a gate stays shut that TPM or link did not let go in time. */
function late({ refused, args, signal }: Passage): GateShut {
  if (refused !== undefined) return refused;
  if (signal !== undefined) return new GateShut(Exit.Refused, "interrupted", `interrupted by ${signal}`);
  return new GateShut(Exit.Unreached, "unreached", `TPM and link were not ready within ${args.timeout} s`);
}

async function goThrough(passage: Passage): Promise<void> {
  const { args, log } = passage;
  const target = readTarget(args);
  checkLogs(args);
  const eventLog = args.log === undefined ? undefined : readLog(args.log);
  const kexec = target.kexec === undefined ? undefined : createKexec();
  let isLoaded = false;
  try {
    await withSession(
      args,
      { needsToken: false, cut: passage.deadline.over, signals: passage.signals },
      async (session) => {
        const passed = await passIn(passage, session, { target, kexec, eventLog });
        isLoaded = true;
        sayPassed(passage, passed);
      },
    );
    // TPM and stick are free again: the command may use them, and the next kernel finds them closed.
    if (eventLog !== undefined) await appendTo(eventLog, passage);
    await runGreen(passage);
    if (kexec === undefined) return;
    log.write("info", `Starting ${args.kexec} ...`, { starting: args.kexec });
    const outcome = await kexec.jump();
    if (!outcome.ok) throw new GateShut(Exit.Refused, "jump-failed", outcome.detail);
  } catch (error) {
    if (kexec !== undefined && isLoaded) await unloaded(kexec, log);
    throw error;
  }
}

async function passIn(
  passage: Passage,
  session: Session,
  what: Pick<GateOptions, "target" | "kexec" | "eventLog">,
): Promise<GatePassed> {
  const { args, log, ended, deadline } = passage;
  const { attester, link, tpm, chipset, quoted } = session;
  const outcome = await passGate({
    ...{ attester, wire: link.wire, tpm, platform: chipset, quoted, clock: realClock, log, ...what },
    leave: () => link.close(),
    ...{ timeoutMs: args.timeout * 1_000, since: deadline.since, signal: ended, cap: args.cap },
    onRed() {
      passage.verdict = "red"; // whatever comes before it is explained
    },
    onGreen(verdict) {
      passage.verdict = "green";
      deadline.lift();
      sayTrusted(log, verdict);
    },
  });
  if (outcome.ok) return outcome;
  passage.refused = shutBy(passage, outcome);
  throw passage.refused;
}

function shutBy(passage: Passage, refusal: GateRefusal): GateShut {
  const { reason, detail } = refusal;
  const silent = reason === "token-silent" || ("unreached" in refusal && refusal.unreached);
  const isVerdict = !["token-silent", "timeout", "interrupted", "target-refused"].includes(reason);
  if (passage.verdict === "none" && isVerdict) passage.verdict = "red";
  return new GateShut(silent ? Exit.Unreached : Exit.Refused, reason, detail, "pcrs" in refusal ? refusal.pcrs : []);
}

function sayPassed(passage: Passage, { capped }: GatePassed): void {
  const { log } = passage;
  passage.capped = capped;
  if (capped === undefined) {
    log.write("warn", "The PCRs are not capped: what runs now can attest as this system.");
    return;
  }
  const { way, banks, events } = capped;
  const { locality, targetPcr, capPcrs } = way;
  const measured = events.filter(({ step }) => step === "target").length;
  const names = banks.map((bank) => hashNameOf(bank) ?? bank);
  const count = measured === 1 ? "1 measurement" : `${measured} measurements`;
  const target = measured === 0 ? "no target" : `${count} of the target in PCR ${targetPcr}`;
  log.write(
    "info",
    `Capped at locality ${locality}: ${target}, a cap in ${naming(capPcrs)}; banks ${names.join(", ")}.`,
    { locality, targetPcr: measured === 0 ? undefined : targetPcr, capPcrs, banks: names },
  );
}

async function appendTo(eventLog: TcgLog, { args, capped }: Passage): Promise<void> {
  if (args.log === undefined || capped === undefined) return;
  try {
    await writeLocal(args.log, logBehindGate(eventLog, capped));
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof FileError)) throw error;
    throw new GateShut(Exit.Refused, "log-failed", `the gate's events are not in ${args.log}: ${error.message}`);
  }
}

async function runGreen(passage: Passage): Promise<void> {
  const { ended, args } = passage;
  if (args.onGreen !== undefined && !ended.aborted) {
    const how = await runCommand(passage, args.onGreen, { reason: "", detail: "", pcrs: [] });
    if (!succeeded(how) && !ended.aborted) {
      const detail = `the command of --on-green ${describeEnd(how)}`;
      throw new GateShut(Exit.Refused, "command-failed", detail);
    }
  }
  if (ended.aborted) throw new GateShut(Exit.Refused, "interrupted", `interrupted by ${String(ended.reason)}`);
}

/** Tells the reason first: the command may well switch the machine off. The exit code. */
async function stayShut(passage: Passage, error: unknown): Promise<ExitCode> {
  const { args, log, verdict } = passage;
  const code = exitOf(error);
  const exit = code === Exit.Done ? Exit.Bug : code; // never the word for "go on"
  const why = whyShut(passage, error, exit);
  log.write("warn", `The gate stays shut: ${why.reason}.`, { gate: "shut", verdict, ...why });
  if (args.onRed === undefined) return exit;
  const how = await runCommand(passage, args.onRed, why);
  if (!succeeded(how)) log.write("warn", `The command of --on-red ${describeEnd(how)}.`);
  return exit;
}

interface Why {
  readonly reason: ShutReason | "";
  readonly detail: string;
  readonly pcrs: readonly number[];
}

const REASONS: Readonly<Record<ExitCode, ShutReason>> = {
  [Exit.Done]: "bug",
  [Exit.Refused]: "refused",
  [Exit.Usage]: "usage",
  [Exit.Unreached]: "unreached",
  [Exit.Bug]: "bug",
};

function whyShut({ signal }: Passage, error: unknown, exit: ExitCode): Why {
  const detail = error instanceof Error ? error.message : String(error);
  if (signal !== undefined) return { reason: "interrupted", detail, pcrs: [] };
  if (error instanceof GateShut) return { reason: error.reason, detail, pcrs: error.pcrs };
  return { reason: REASONS[exit], detail, pcrs: [] };
}

const succeeded = (end: ProgramEnd): boolean => end.kind === "exit" && end.code === 0;

async function runCommand(passage: Passage, command: string, { reason, detail, pcrs }: Why): Promise<ProgramEnd> {
  const { verdict, capped } = passage;
  const end = await runShell(command, {
    environment: {
      FOBNAIL_VERDICT: verdict,
      FOBNAIL_REASON: reason,
      FOBNAIL_DETAIL: printable(detail),
      FOBNAIL_PCRS: pcrs.join(","),
      FOBNAIL_CAPPED: capped?.way.capPcrs.join(",") ?? "",
    },
    onStart(pass) {
      const whenDeaf = reason === "" ? () => pass("SIGTERM") : () => undefined; // what is to be done on red is done, heard or not
      passage.pass = (signal) => (signal === NOBODY_READS ? whenDeaf() : pass(signal));
    },
  });
  passage.pass = () => undefined;
  return end;
}

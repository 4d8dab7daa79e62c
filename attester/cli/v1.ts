import { realClock } from "../../hw/clock/real.ts";
import { FileError } from "../../hw/files/index.ts";
import { createHttpFetcher } from "../../hw/http/index.ts";
import { createJsonLog, createTextLog } from "../../hw/terminal/log.ts";
import { parseTpmSpec } from "../../hw/tpm/spec.ts";
import type { Log, TpmPlatform } from "../../shared/ports/index.ts";
import type { TpmlPcrSelection } from "../../shared/tpm/index.ts";
import {
  AIK_WORDS,
  type AttestOutcome,
  createV1Attester,
  findToken,
  type Refusal,
  type V1Attester,
  watchQuotes,
  watchToken,
} from "../flows/index.ts";
import type { TpmClient } from "../tpm/index.ts";
import { type EndSignals, Exit, type ExitCode, Stop, untilSignal } from "./exit.ts";
import { type FileCommand, prepareFiles, runFiles, usesStandardInput, usesStandardOutput } from "./file-commands.ts";
import type { ComputerArguments } from "./options.ts";
import { type LogArguments, namedEventLogs, ownEventLogs } from "./own-logs.ts";
import { readIssuers, readPlatform } from "./own-platform.ts";
import { simulateLaunch, withTpm } from "./own-tpm.ts";
import { untilClockIsSafe } from "./safe-clock.ts";
import { stopFor } from "./stops.ts";
import { openTokenLink, type TokenLink, type TokenPlace, tokenStop } from "./token-link.ts";

/** What `fobnail-attester` does with a token of API v1. */

export interface V1Arguments extends ComputerArguments, TokenPlace, LogArguments {
  readonly tpm?: string;
}

export interface Session {
  readonly attester: V1Attester;
  readonly link: TokenLink;
  readonly tpm: TpmClient;
  /** The chipset's side of the TPM, where it is to be had. */
  readonly chipset: TpmPlatform | undefined;
  /** What the attester's last quote covered. */
  quoted(): TpmlPcrSelection;
  readonly log: Log;
  /** Aborted by Ctrl-C and its like; the link is closed then. */
  readonly ended: AbortSignal;
}

export function logOf({ json, verbose }: V1Arguments, out: NodeJS.WriteStream): Log {
  const level = verbose ? "debug" : "info";
  return json ? createJsonLog(out, level) : createTextLog({ level, out });
}

const WAITING_FOR_CLOCK = "Waiting some seconds for the TPM's clock: it lost power without TPM2_Shutdown";

interface SessionOptions {
  /** Where lines go; standard error where standard output is a file's. */
  readonly out?: NodeJS.WriteStream;
  /** Whether the token must be there from the beginning. */
  readonly needsToken?: boolean;
  /** Before TPM and token are asked anything. */
  readonly before?: (log: Log) => Promise<void>;
  /** Once aborted, link and TPM are closed under whoever uses them, or is about to. */
  readonly cut?: AbortSignal;
  /** What ends it, where somebody listens already who also gives the signals back. */
  readonly signals?: EndSignals;
  /** Whether standard input is waited for; what is not is left to programs that this one runs. */
  readonly readsInput?: boolean;
}

/** Opens what a command needs, and closes it. Rejects with Stop for everything that a user can put right. */
export async function withSession(
  args: V1Arguments,
  { out = process.stdout, needsToken = true, before, cut, signals: given, readsInput = false }: SessionOptions,
  use: (session: Session) => Promise<void>,
): Promise<void> {
  const log = logOf(args, out);
  const signals = given ?? untilSignal();
  const end = new AbortController();
  let link: TokenLink | undefined;
  let done = false;
  const stop = async (why: string) => {
    if (done) return;
    end.abort(why);
    if (readsInput) process.stdin.destroy();
    await link?.close();
  };
  const onCut = () => void stop("the end of its time");
  void signals.signal.then(stop);
  cut?.addEventListener("abort", onCut);
  try {
    if (args.tpm !== undefined) parseTpmSpec(args.tpm); // nobody shall wait for a token to learn that
    const platform = await readPlatform(args.platform);
    const issuers = readIssuers(args.ekChain);
    await namedEventLogs(args).read(); // or a file that is not there would go unnoticed
    await before?.(log);
    const open = await openTokenLink(args, log, { waits: !needsToken, signal: end.signal });
    link = open;
    if (end.signal.aborted) await open.close();
    cut?.throwIfAborted();
    // Before the TPM, whose keys may take their time.
    if (needsToken) demand(args, log, await findToken(open.wire));
    await withTpm(
      args.tpm,
      log,
      async (client, opened) => {
        const { tpm, quoted } = watchQuotes(client);
        const launched = args.launch ? await simulateLaunch(tpm, opened, platform, log) : undefined;
        const eventLogs = ownEventLogs(args, launched);
        // A real one may take more than an hour; there the quote's refusal says why.
        const wait = () => log.write("info", WAITING_FOR_CLOCK);
        if (opened.platform !== undefined) await untilClockIsSafe(tpm, wait, end.signal);
        const fetcher = args.aia ? createHttpFetcher(log) : undefined;
        const { wire } = open;
        const attester = createV1Attester({
          ...{ wire, tpm, platform, key: args.key, log, clock: realClock, issuers, fetcher, eventLogs },
        });
        const chipset = opened.platform;
        await use({ attester, link: open, tpm, chipset, quoted, log, ended: end.signal });
      },
      cut,
    );
  } catch (error) {
    if (error instanceof FileError) throw error; // as when nobody reads on, which ends the program like a signal
    if (end.signal.aborted)
      throw new Stop(Exit.Refused, `interrupted by ${String(end.signal.reason)}`, { cause: error });
    throw tokenStop(stopFor(error));
  } finally {
    done = true;
    cut?.removeEventListener("abort", onCut);
    if (given === undefined) signals.release();
    await link?.close();
  }
}

function exitOfRefusal({ reason }: Refusal): ExitCode {
  if (reason === "token-silent") return Exit.Unreached;
  return reason === "bad-name" ? Exit.Usage : Exit.Refused;
}

/** Ends the program when a flow was refused. Programs that read JSON get the reason as a fact. */
function demand(args: V1Arguments, log: Log, outcome: { readonly ok: true } | Refusal, hint = ""): void {
  if (outcome.ok) return;
  const { ok: _, ...facts } = outcome;
  if (args.json) log.write("error", outcome.detail, facts);
  throw new Stop(exitOfRefusal(outcome), `${outcome.detail}${hint}`);
}

/** `fobnail-attester provision`. */
export function provision(args: V1Arguments): Promise<void> {
  return withSession(args, {}, (session) => provisionIn(args, session));
}

async function provisionIn(args: V1Arguments, { attester, log }: Session): Promise<void> {
  log.write("info", "Provisioning this platform ...");
  const outcome = await attester.provision();
  if (!outcome.ok) return demand(args, log, outcome);
  log.write("info", `Provisioned with ${AIK_WORDS[outcome.key]}.`, { provisioned: true, key: outcome.key });
}

/** Nobody enrolled this platform in this token, as far as one can tell. */
function isUnknown(outcome: AttestOutcome): boolean {
  return !outcome.ok && (outcome.reason === "unknown-platform" || outcome.reason === "no-key");
}

export function sayTrusted(log: Log, outcome: AttestOutcome): void {
  if (outcome.ok) log.write("info", `Attested with ${AIK_WORDS[outcome.key]}.`, { trusted: true, key: outcome.key });
}

/** `fobnail-attester attest`. */
export function attest(args: V1Arguments): Promise<void> {
  return withSession(args, {}, async ({ attester, log }) => {
    const outcome = await attester.attest();
    demand(args, log, outcome, isUnknown(outcome) ? "; to provision it: fobnail-attester provision" : "");
    sayTrusted(log, outcome);
  });
}

/** `fobnail-attester` itself: attests, then does what is to be done with files. */
export async function attestAndRun(
  args: V1Arguments & { readonly provision: boolean },
  commands: readonly FileCommand[],
): Promise<void> {
  let contents: Awaited<ReturnType<typeof prepareFiles>> = new Map();
  const before = async (log: Log) => {
    contents = await prepareFiles(commands, log);
  };
  const out = usesStandardOutput(commands) ? process.stderr : process.stdout;
  await withSession(args, { out, before, readsInput: usesStandardInput(commands) }, async (session) => {
    const { attester, log } = session;
    let outcome = await attester.attest();
    if (isUnknown(outcome) && args.provision) {
      await provisionIn(args, session);
      outcome = await attester.attest();
    }
    demand(args, log, outcome, isUnknown(outcome) ? "; --provision enrols it" : "");
    sayTrusted(log, outcome);
    const release = attester.keepAlive();
    try {
      const refusal = await runFiles(commands, contents, attester, log);
      if (refusal !== undefined) demand(args, log, refusal);
    } finally {
      release();
    }
  });
}

/** `fobnail-attester watch`: until Ctrl-C; the exit code tells the last verdict. */
export function watch(args: V1Arguments & { readonly interval: number }): Promise<void> {
  return withSession(args, { needsToken: false }, async ({ attester, link, log, ended }) => {
    const last = await watchToken({
      attester,
      wire: link.wire,
      clock: realClock,
      intervalMs: args.interval * 1_000,
      signal: ended,
      plugs: link.plugs,
      onChange(verdict) {
        if (verdict.ok) return sayTrusted(log, verdict);
        const { ok: trusted, detail, ...facts } = verdict;
        log.write("warn", detail, { trusted, ...facts });
      },
    });
    if (last === undefined) throw new Stop(Exit.Refused, "there was no verdict yet");
    process.exitCode = last.ok ? Exit.Done : exitOfRefusal(last);
  });
}

import { Exit, type ExitCode, Stop, untilSignal } from "../../attester/cli/exit.ts";
import { realCalendar, realClock } from "../../hw/clock/real.ts";
import { FileError } from "../../hw/files/index.ts";
import type { FileFlash } from "../../hw/flash/index.ts";
import type { CaptureFile } from "../../hw/net/capture-file.ts";
import type { Log, Peer } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import { profileNamed } from "../domain/profile.ts";
import type { TokenEnv } from "../env.ts";
import { ATTESTER_PEER, createToken, type Token } from "../token.ts";
import { resolvePeer } from "./address.ts";
import { type Api, profileOf, type RunArguments } from "./arguments.ts";
import { linkOf } from "./bus-options.ts";
import { type Hands, listenToKeys } from "./hands.ts";
import {
  INSIDE_OWNER_PORT,
  type Link,
  type LinkEnv,
  openUdpLink,
  openUdpService,
  openUsbLink,
  openUsbService,
  type Programs,
  samePeer,
} from "./link.ts";
import { readOwnerRoot, readRoots } from "./roots.ts";
import { createSeat, type Place, placesOf, type Seat } from "./seat.ts";
import { openStateFlash } from "./state.ts";
import { createJsonDisplay, createLineDisplay, type Display, type TokenName } from "./view.ts";

/** Loaded only for a token on a bus. */
const buses = () => import("./bus-link.ts");

/** With --once in API v1: the answer to the verdict's request, and an explanation, still get out. */
const LINGER_MS = 1_000;

type Roots = ReturnType<typeof readAllRoots>;

/** What the two APIs do differently here. */
interface Face {
  create(env: TokenEnv, place: Place, roots: Roots): Token;
  open(tokens: readonly Token[], env: LinkEnv): Promise<Link>;
}

/** Runs tokens until they are told to quit; with `once` until the first verdict (API v0: or refusal), which decides the exit code. */
export async function runToken(args: RunArguments): Promise<void> {
  const face = args.api === "v0" ? await faceOfV0(args) : faceOfV1(args);
  const roots = readAllRoots(args);
  const places = placesOf(args);
  const signals = untilSignal(); // before the state is locked, so that it is always given back
  const flashes: FileFlash[] = [];
  if (args.once) process.exitCode = Exit.Refused; // until there is a verdict, whatever ends this process
  try {
    for (const { state } of places) flashes.push(openStateFlash(state));
    process.exitCode = await session(args, face, roots, places, flashes, signals.signal);
  } finally {
    for (const flash of flashes) flash.close();
    signals.release();
  }
}

async function faceOfV0(args: RunArguments): Promise<Face> {
  const attester = await resolve(args.attester);
  const programs = { attester, owner: args.owner === undefined ? attester : await resolve(args.owner) };
  const { enrolNew, enrol: enrols } = args;
  const profile = profileNamed(profileOf(args));
  const inside = linkOf(args) === "usb" ? insidePeers(programs) : programs;
  return {
    create: (env, { serial, mac }, roots) =>
      createToken(env, { ...roots, ...inside, serial, mac, api: "v0", profile, enrolNew, enrols }),
    open: onBus(args, (token, env) => (args.net === "usb" ? openUsbLink : openUdpLink)(token, programs, env)),
  };
}

function faceOfV1(args: RunArguments): Face {
  const { bind, port, fileLimit: fileBytes, quota: quotaBytes, enrol: enrols } = args;
  const profile = profileNamed(profileOf(args));
  return {
    create: (env, { serial, mac }, roots) =>
      createToken(env, { ...roots, serial, mac, api: "v1", profile, enrols, storage: { fileBytes, quotaBytes } }),
    open: onBus(args, (token, env) => (args.net === "usb" ? openUsbService : openUdpService)(token, bind, port, env)),
  };
}

/** The link that was chosen; `within` opens one within this process. */
function onBus(args: RunArguments, within: (token: Token, env: LinkEnv) => Promise<Link>): Face["open"] {
  const { api, usbip, usbredir, tap } = args;
  return async (tokens, env) => {
    if (usbip !== undefined) return (await buses()).openUsbipLink(tokens, usbip, env);
    const [token, ...more] = tokens;
    if (token === undefined || more.length > 0) throw new RangeError(`${tokens.length} tokens on a link for one`);
    if (usbredir !== undefined) return (await buses()).openUsbredirLink(token, usbredir, env);
    return tap === undefined ? within(token, env) : (await buses()).openTapLink(token, api, tap, env);
  };
}

async function resolve(peer: Peer): Promise<Peer> {
  const resolved = await resolvePeer(peer);
  if (resolved === undefined) throw new Stop(Exit.Unreached, `${peer.address} has no IPv4 address`);
  return resolved;
}

/** As the token sees them: both at the emulated computer's address. */
function insidePeers({ attester, owner }: Programs): Programs {
  const { address } = ATTESTER_PEER;
  return {
    attester: ATTESTER_PEER,
    owner: samePeer(attester, owner) ? ATTESTER_PEER : { address, port: INSIDE_OWNER_PORT },
  };
}

function readAllRoots({ ownerRoot, ekRoot }: RunArguments) {
  try {
    const vendors = ekRoot.map((path) => readRoots(path));
    return {
      ownerRoot: ownerRoot === undefined ? undefined : readOwnerRoot(ownerRoot),
      ekRoots: vendors.flatMap(({ roots }) => roots),
      skipped: vendors.flatMap(({ skipped }) => skipped),
    };
  } catch (error) {
    if (error instanceof FileError) throw new Stop(Exit.Usage, error.message, { cause: error });
    throw error;
  }
}

async function chooseDisplay({ json }: RunArguments, names: readonly TokenName[]): Promise<Display> {
  if (json) return createJsonDisplay(process.stdout, names);
  const fancy = process.stdout.isTTY === true && process.stdin.isTTY === true;
  if (!fancy) return createLineDisplay(process.stdout, names);
  const { createTerminalDisplay } = await import("./terminal-view.ts");
  return createTerminalDisplay(process.stdout, names, process.env["NO_COLOR"] === undefined);
}

async function openCapture({ pcap }: RunArguments, log: Log): Promise<CaptureFile | undefined> {
  if (pcap === undefined) return undefined;
  const { openCaptureFile } = await import("../../hw/net/capture-file.ts");
  return openCaptureFile(pcap, { clock: realClock, calendar: realCalendar, log });
}

async function session(
  args: RunArguments,
  face: Face,
  roots: Roots,
  places: readonly Place[],
  flashes: readonly FileFlash[],
  signal: Promise<NodeJS.Signals>,
): Promise<ExitCode> {
  const display = await chooseDisplay(
    args,
    places.map(({ name }) => name),
  );
  const { log } = display;
  for (const sentence of roots.skipped) log.write("warn", `Passed over ${sentence}`);
  const capture = await openCapture(args, log);
  const seats = display.views.flatMap((view, index) => {
    const [place, flash] = [places[index], flashes[index]];
    if (place === undefined || flash === undefined) return [];
    return [createSeat(args, place, flash, view, (env, at) => face.create(env, at, roots))];
  });
  const link = await openLink(() =>
    face.open(
      seats.map(({ token }) => token),
      { log, capture },
    ),
  );
  capture?.begin();
  if (link.reach !== undefined) display.reach(link.reach);

  let end: () => void = () => undefined;
  let lost: string | undefined;
  let verdict: ExitCode | undefined;
  const ended = new Promise<void>((settle) => {
    end = settle;
  });
  link.onLost?.((why) => {
    lost = why;
    end();
  });
  for (const [index, seat] of seats.entries()) {
    const socket = link.sockets[index];
    if (socket !== undefined) seat.sitDown(socket);
    seat.onEvent((event) => {
      if (!args.once || verdict !== undefined) return;
      verdict = decided(event, args.api);
      if (verdict !== undefined) endSoon(args.api, end);
    });
  }
  const stopListening = listenToKeys(handsOf(seats, display, end), log);
  for (const seat of seats) seat.plug(!args.unplugged);
  await Promise.race([ended, signal]);
  stopListening();
  for (const seat of seats) seat.plug(false);
  await link.close();
  for (const seat of seats) seat.stop();
  capture?.close();
  display.close();
  if (lost !== undefined) throw new Stop(Exit.Unreached, lost);
  if (!args.once) return Exit.Done;
  if (verdict === undefined) throw new Stop(Exit.Refused, "there was no verdict yet");
  return verdict;
}

/** Keys are for one token, the first unless a digit chose another. */
function handsOf(seats: readonly Seat[], display: Display, quit: () => void): Hands {
  let chosen = seats[0];
  return {
    quit,
    choose(number) {
      const seat = seats[number - 1];
      if (seat === undefined || seats.length === 1) return;
      chosen = seat;
      display.choose(number - 1);
    },
    plug: () => chosen?.turn(),
    press: () => chosen?.press(),
    wipe: () => chosen?.wipe(),
  };
}

function endSoon(api: Api, end: () => void): void {
  if (api === "v0") end();
  else realClock.after(LINGER_MS, end);
}

/** The exit code that an event decides; undefined when it decides nothing yet. In API v1 programs ask as often as they like: only verdicts count. */
function decided(event: TokenEvent, api: Api): ExitCode | undefined {
  if (event.type === "attested") return Exit.Done;
  if (event.type === "attestation-failed") return codeOf(event.verdict.reason);
  if (api === "v1") return undefined;
  if (event.type === "token-refused" || event.type === "platform-refused") return codeOf(event.reason);
  return undefined;
}

function codeOf(reason: string): ExitCode {
  return reason === "attester-silent" || reason === "owner-silent" ? Exit.Unreached : Exit.Refused;
}

async function openLink(open: () => Promise<Link>): Promise<Link> {
  try {
    return await open();
  } catch (cause) {
    throw new Stop(Exit.Unreached, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

import { Exit, type ExitCode, Stop, untilSignal } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import { FileError } from "../../hw/files/index.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { onKeys } from "../../hw/terminal/keys.ts";
import type { Lamps, Peer, Unsubscribe } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import { profileNamed } from "../domain/profile.ts";
import { ATTESTER_PEER, createToken, type Token } from "../token.ts";
import { resolvePeer } from "./address.ts";
import { INSIDE_OWNER_PORT, type Link, openUdpLink, openUsbLink, type Programs, samePeer } from "./link.ts";
import { readOwnerRoot, readRoots } from "./roots.ts";
import { openStateFlash, withState } from "./state.ts";
import { createJsonView, createLineView, createTerminalView, type View } from "./view.ts";

export interface RunArguments {
  readonly state: string;
  readonly attester: Peer;
  readonly owner?: Peer;
  readonly net: "usb" | "udp";
  readonly profile: "compat" | "strict";
  readonly ownerRoot?: string;
  readonly ekRoot: readonly string[];
  readonly enrolNew: boolean;
  readonly once: boolean;
  readonly unplugged: boolean;
  readonly json: boolean;
}

/** Longer than the dark half of a blink. */
const BETWEEN_BLINKS_MS = 250;

const COMPAT_WARNING =
  "Profile compat: the reference's attestation key is accepted, with which root on the computer can forge quotes; --profile strict refuses it";

async function resolve(peer: Peer): Promise<Peer> {
  const resolved = await resolvePeer(peer);
  if (resolved === undefined) throw new Stop(Exit.Unreached, `${peer.address} has no IPv4 address`);
  return resolved;
}

function chooseView({ json }: RunArguments): View {
  if (json) return createJsonView(process.stdout);
  const fancy = process.stdout.isTTY === true && process.stdin.isTTY === true;
  return fancy
    ? createTerminalView(process.stdout, process.env["NO_COLOR"] === undefined)
    : createLineView(process.stdout);
}

/** Runs a token until it is told to quit; with `once` until its first verdict or refusal, which decides the exit code. */
export async function runToken(args: RunArguments): Promise<void> {
  const attester = await resolve(args.attester);
  const owner = args.owner === undefined ? attester : await resolve(args.owner);
  const roots = readAllRoots(args);
  const signals = untilSignal(); // before the state is locked, so that it is always given back
  try {
    const flash = openStateFlash(args.state);
    try {
      process.exitCode = await session(args, { attester, owner }, roots, flash, signals.signal);
    } finally {
      flash.close();
    }
  } finally {
    signals.release();
  }
}

function readAllRoots({ ownerRoot, ekRoot }: RunArguments) {
  try {
    return {
      ownerRoot: ownerRoot === undefined ? undefined : readOwnerRoot(ownerRoot),
      ekRoots: ekRoot.flatMap((path) => readRoots(path)),
    };
  } catch (error) {
    if (error instanceof FileError) throw new Stop(Exit.Usage, error.message, { cause: error });
    throw error;
  }
}

/** A button that is held and released from the keyboard. */
function keyboardButton() {
  let listener: (held: boolean) => void = () => undefined;
  let held = false;
  return {
    get held() {
      return held;
    },
    toggle() {
      held = !held;
      listener(held);
    },
    port: {
      onChange(wanted: (held: boolean) => void) {
        listener = wanted;
        return () => {
          listener = () => undefined;
        };
      },
    },
  };
}

async function session(
  args: RunArguments,
  programs: Programs,
  roots: ReturnType<typeof readAllRoots>,
  flash: ReturnType<typeof openStateFlash>,
  signal: Promise<NodeJS.Signals>,
): Promise<ExitCode> {
  const view = chooseView(args);
  const button = keyboardButton();
  let lamps: Lamps = { green: false, red: false };
  let plugged = false;
  let last: TokenEvent | undefined;
  let verdictShows = false;
  let stayedDark: Unsubscribe = () => undefined;
  let token: Token | undefined;
  const show = () => {
    if (token === undefined) return;
    const { provisioned } = token.domain;
    view.situation({ attached: plugged, provisioned, held: button.held, lamps, verdictShows, last });
  };
  const leds = {
    show(now: Lamps) {
      lamps = now;
      stayedDark();
      if (!now.green && !now.red) {
        stayedDark = realClock.after(BETWEEN_BLINKS_MS, () => {
          verdictShows = false;
          show();
        });
      }
      queueMicrotask(show); // the event that lit them is told in the same turn
    },
  };
  const inside = args.net === "usb" ? insidePeers(programs) : programs;
  const env = { clock: realClock, random: systemRandom, flash, leds, log: view.log, button: button.port };
  const made = withState(args.state, () =>
    createToken(env, { ...roots, ...inside, api: "v0", profile: profileNamed(args.profile), enrolNew: args.enrolNew }),
  );
  token = made;
  view.log.write(
    "info",
    `Device id ${made.domain.deviceId ?? "unknown"}, ${made.domain.provisioned ? "provisioned" : "not provisioned"}`,
  );
  if (args.profile === "compat") view.log.write("warn", COMPAT_WARNING);
  for (const line of missingRoots(made)) view.log.write("warn", line);

  const open = args.net === "usb" ? openUsbLink : openUdpLink;
  const link = await openLink(() => open(made, programs, view.log));
  const plug = (wanted: boolean) => {
    plugged = wanted;
    if (wanted) link.plug();
    else link.unplug();
    show();
  };

  let end: (code: ExitCode) => void = () => undefined;
  const ended = new Promise<ExitCode>((resolve) => {
    end = resolve;
  });
  made.onEvent((event) => {
    view.event(event);
    if (event.type !== "attached" && event.type !== "detached") last = event;
    verdictShows = event.type === "attested" || event.type === "attestation-failed";
    show();
    const code = args.once ? decided(event) : undefined;
    if (code !== undefined) end(code);
  });
  const stopListening = listenToKeys({
    quit: () => end(Exit.Done),
    plug: () => plug(!plugged),
    press: () => button.toggle(),
    wipe: () => made.wipe(),
    view,
    show,
  });
  plug(!args.unplugged);
  const code = await Promise.race([ended, signal.then(() => Exit.Done)]);
  stopListening();
  plug(false);
  await link.close();
  made.stop();
  stayedDark();
  view.close();
  return code;
}

/** The exit code that an event decides; undefined when it decides nothing yet. */
function decided(event: TokenEvent): ExitCode | undefined {
  if (event.type === "attested") return Exit.Done;
  if (event.type === "attestation-failed") return codeOf(event.verdict.reason);
  if (event.type === "token-refused" || event.type === "platform-refused") return codeOf(event.reason);
  return undefined;
}

function codeOf(reason: string): ExitCode {
  return reason === "attester-silent" || reason === "owner-silent" ? Exit.Unreached : Exit.Refused;
}

/** As the token sees them: both at the emulated computer's address. */
function insidePeers({ attester, owner }: Programs): Programs {
  const { address } = ATTESTER_PEER;
  return {
    attester: ATTESTER_PEER,
    owner: samePeer(attester, owner) ? ATTESTER_PEER : { address, port: INSIDE_OWNER_PORT },
  };
}

function missingRoots({ domain }: Token): readonly string[] {
  const lines: string[] = [];
  if (domain.roots.owner() === undefined) lines.push("No owner root is known: give it once with --owner-root FILE");
  if (domain.roots.ek().length === 0) lines.push("No TPM vendor's root is known: give it once with --ek-root FILE");
  return lines;
}

async function openLink(open: () => Promise<Link>): Promise<Link> {
  try {
    return await open();
  } catch (cause) {
    throw new Stop(Exit.Unreached, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

interface Hands {
  quit(): void;
  plug(): void;
  press(): void;
  wipe(): void;
  show(): void;
  readonly view: View;
}

function listenToKeys({ quit, plug, press, wipe, show, view }: Hands): Unsubscribe {
  let asked = false;
  const keys: Readonly<Record<string, () => void>> = {
    q: quit,
    "ctrl-c": quit,
    u: plug,
    b() {
      press();
      show();
    },
    w() {
      asked = true;
      view.log.write("info", "Wipe the token, with all its keys and platforms? y wipes, any other key does not");
    },
  };
  return onKeys(process.stdin, (key) => {
    if (!asked) {
      keys[key]?.();
      return;
    }
    asked = false;
    if (key === "y" || key === "yes") wipe();
    else view.log.write("info", "Not wiped");
  });
}

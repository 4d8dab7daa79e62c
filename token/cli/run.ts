import { Exit, type ExitCode, Stop, untilSignal } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import { FileError } from "../../hw/files/index.ts";
import { systemRandom } from "../../hw/random/system.ts";
import type { Flash, Log, Peer } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import { profileNamed } from "../domain/profile.ts";
import type { TokenEnv } from "../env.ts";
import { ATTESTER_PEER, createToken, type Token } from "../token.ts";
import { resolvePeer } from "./address.ts";
import { type Api, profileOf, type RunArguments } from "./arguments.ts";
import { keyboardButton, listenToKeys } from "./hands.ts";
import {
  INSIDE_OWNER_PORT,
  type Link,
  openUdpLink,
  openUdpService,
  openUsbLink,
  openUsbService,
  type Programs,
  samePeer,
} from "./link.ts";
import { readOwnerRoot, readRoots } from "./roots.ts";
import { openStateFlash, withState } from "./state.ts";
import { createJsonView, createLineView, createTerminalView, type View } from "./view.ts";
import { createWatch } from "./watch.ts";

/** With --once in API v1: the answer to the verdict's request, and an explanation, still get out. */
const LINGER_MS = 1_000;

const COMPAT_WARNING =
  "Profile compat: the reference's attestation key is accepted, with which root on the computer can forge quotes; --profile strict refuses it";

type Roots = ReturnType<typeof readAllRoots>;

/** What the two APIs do differently here. */
interface Face {
  create(env: TokenEnv, roots: Roots): Token;
  open(token: Token, log: Log): Promise<Link>;
}

/** Runs a token until it is told to quit; with `once` until its first verdict (API v0: or refusal), which decides the exit code. */
export async function runToken(args: RunArguments): Promise<void> {
  const face = args.api === "v0" ? await faceOfV0(args) : faceOfV1(args);
  const roots = readAllRoots(args);
  const signals = untilSignal(); // before the state is locked, so that it is always given back
  try {
    const flash = openStateFlash(args.state);
    try {
      process.exitCode = await session(args, face, roots, flash, signals.signal);
    } finally {
      flash.close();
    }
  } finally {
    signals.release();
  }
}

async function faceOfV0(args: RunArguments): Promise<Face> {
  const attester = await resolve(args.attester);
  const programs = { attester, owner: args.owner === undefined ? attester : await resolve(args.owner) };
  const profile = profileNamed(profileOf(args));
  const inside = args.net === "usb" ? insidePeers(programs) : programs;
  const open = args.net === "usb" ? openUsbLink : openUdpLink;
  return {
    create: (env, roots) => createToken(env, { ...roots, ...inside, api: "v0", profile, enrolNew: args.enrolNew }),
    open: (token, log) => open(token, programs, log),
  };
}

function faceOfV1(args: RunArguments): Face {
  const { bind, port, fileLimit: fileBytes, quota: quotaBytes } = args;
  const profile = profileNamed(profileOf(args));
  const open = args.net === "usb" ? openUsbService : openUdpService;
  return {
    create: (env, roots) => createToken(env, { ...roots, api: "v1", profile, storage: { fileBytes, quotaBytes } }),
    open: (token, log) => open(token, bind, port, log),
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
    return {
      ownerRoot: ownerRoot === undefined ? undefined : readOwnerRoot(ownerRoot),
      ekRoots: ekRoot.flatMap((path) => readRoots(path)),
    };
  } catch (error) {
    if (error instanceof FileError) throw new Stop(Exit.Usage, error.message, { cause: error });
    throw error;
  }
}

function chooseView({ json }: RunArguments): View {
  if (json) return createJsonView(process.stdout);
  const fancy = process.stdout.isTTY === true && process.stdin.isTTY === true;
  return fancy
    ? createTerminalView(process.stdout, process.env["NO_COLOR"] === undefined)
    : createLineView(process.stdout);
}

async function session(
  args: RunArguments,
  face: Face,
  roots: Roots,
  flash: Flash,
  signal: Promise<NodeJS.Signals>,
): Promise<ExitCode> {
  const view = chooseView(args);
  const { log } = view;
  const button = keyboardButton();
  const watch = createWatch(args.api, view, () => button.held);
  const env = { clock: realClock, random: systemRandom, flash, leds: watch.leds, log, button: button.port };
  const token = withState(args.state, () => face.create(env, roots));
  watch.begin(token);
  greet(token, args, log);

  const link = await openLink(() => face.open(token, log));
  if (args.api === "v1" && link.listening !== undefined) listening(link.listening, view);
  let plugged = false;
  const plug = (wanted: boolean) => {
    plugged = wanted;
    watch.plugged(wanted);
    if (wanted) link.plug();
    else link.unplug();
    watch.show();
  };

  let end: (code: ExitCode) => void = () => undefined;
  const ended = new Promise<ExitCode>((settle) => {
    end = settle;
  });
  token.onEvent((event) => {
    view.event(event);
    watch.told(event);
    const code = args.once ? decided(event, args.api) : undefined;
    if (code !== undefined) endSoon(args.api, () => end(code));
  });
  const stopListening = listenToKeys(
    {
      quit: () => end(Exit.Done),
      plug: () => plug(!plugged),
      press() {
        button.toggle();
        watch.show();
      },
      wipe: () => token.wipe(),
    },
    log,
  );
  plug(!args.unplugged);
  const code = await Promise.race([ended, signal.then(() => Exit.Done)]);
  stopListening();
  plug(false);
  await link.close();
  token.stop();
  watch.stop();
  view.close();
  return code;
}

function endSoon(api: Api, end: () => void): void {
  if (api === "v0") end();
  else realClock.after(LINGER_MS, end);
}

function greet({ domain }: Token, args: RunArguments, log: Log): void {
  const id = domain.deviceId ?? "unknown";
  log.write("info", `Device id ${id}, ${domain.provisioned ? "provisioned" : "not provisioned"}`);
  if (profileOf(args) === "compat") log.write("warn", COMPAT_WARNING);
  if (domain.roots.owner() === undefined) {
    log.write("warn", "No owner root is known: give it once with --owner-root FILE");
  }
  if (domain.roots.ek().length === 0) {
    log.write("warn", "No TPM vendor's root is known: give it once with --ek-root FILE");
  }
}

function listening({ address, port }: Peer, view: View): void {
  view.listening(address, port);
  if (address.startsWith("127.")) return;
  view.log.write(
    "warn",
    `Other computers can reach ${address}: API v1 is made for a cable, nothing on its way is encrypted, and whoever takes over an attested peer's address speaks for it`,
  );
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

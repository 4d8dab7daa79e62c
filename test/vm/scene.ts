/** What all stories share: the folder, the programs outside the virtual machine, and the paths of ours inside it. */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cast, Token } from "../e2e/cast.ts";
import { builtFolder, TEST_PROGRAMS_FOLDER } from "../support/built.ts";
import type { Guest } from "./guest.ts";
import type { Checks } from "./report.ts";

/** The walk-through's computer. */
export const MAC = "00:0d:b9:53:d2:50";
export const MACHINE: readonly string[] = [
  ...["-smbios", "type=1,manufacturer=PC Engines,product=apu2,serial=1373268"],
  ...["-netdev", "user,id=net0", "-device", `e1000,netdev=net0,mac=${MAC},romfile=`],
];
/** SeaBIOS starts the TPM itself, and turns its hierarchies off when that was done already; qboot leaves it alone. */
export const FIRMWARE_WITHOUT_TPM: readonly string[] = ["-bios", "qboot.rom"];
export const COMPUTER_ADDRESS = "169.254.0.8";
export const TOKEN_ADDRESS = "169.254.0.1";

/** A story's. */
export interface Scene {
  readonly cast: Cast;
  readonly guest: Guest;
  /** Where this guest looks for its stick. */
  readonly socket: string;
  readonly checks: Checks;
  /** Those that were started, which end with the story. */
  readonly tokens: Token[];
}

export function createCast(): Cast {
  return new Cast(mkdtempSync(join(tmpdir(), "fobnail-vm-")));
}

export async function dismiss(cast: Cast): Promise<void> {
  await cast.processes.killAll();
  rmSync(cast.folder, { recursive: true, force: true });
}

/** For the virtual machine, which connects again whenever the token is there again. */
export function usbredirDevices(socket: string): readonly string[] {
  const chardev = `socket,id=token,path=${socket},reconnect=1`;
  return ["-device", "qemu-xhci", "-chardev", chardev, "-device", "usb-redir,chardev=token"];
}

/** A token process outside the virtual machines. */
export function runToken(cast: Cast, state: string, ...more: readonly string[]): Token {
  const roots = ["--owner-root", cast.path("owner", "root.pem"), "--ek-root", cast.path("vendor", "vendor-root.pem")];
  const known = existsSync(roots[3] ?? "") ? roots : roots.slice(0, 2);
  return new Token(cast.processes.start(["token", "--json", "--state", cast.path(state), ...known, ...more]));
}

/** An owner, and tokens that it has provisioned, for the stories that begin with a computer: one state folder for each name. */
export async function provisionTokens(cast: Cast, ...names: readonly string[]): Promise<void> {
  await cast.command("owner", "init", cast.path("owner"), "--key", "ecc");
  const token = runToken(cast, "provisioned", "--net", "udp", "--port", "0");
  const { port } = await token.event("listening");
  const files = [cast.path("owner", "chain.pem"), cast.path("owner", "key.pem")];
  await cast.command("owner", ...files, "--token", `127.0.0.1:${String(port)}`);
  await token.quit();
  for (const name of names) cpSync(cast.path("provisioned"), cast.path(name), { recursive: true });
}

/** The same for a story, with which it ends. */
export function startToken({ cast, tokens }: Scene, state: string, ...more: readonly string[]): Token {
  const token = runToken(cast, state, ...more);
  tokens.push(token);
  return token;
}

/** The token that this guest sees on its bus. */
export function startUsbredirToken(scene: Scene, state: string, ...more: readonly string[]): Token {
  return startToken(scene, state, "--usbredir", scene.socket, ...more);
}

const words = (...all: readonly string[]) => all.map(quoted).join(" ");

/** A program of this package, for the guest's shell functions `here` and `start`. */
export function fobnail(...args: readonly string[]): string {
  return words(process.execPath, join(builtFolder(), "fobnail.js"), ...args);
}

/** A program of test/vm/inside, likewise. */
export function inside(program: string, ...args: readonly string[]): string {
  const file = join(builtFolder(), TEST_PROGRAMS_FOLDER, "vm", "inside", `${program}.js`);
  return words(process.execPath, file, ...args);
}

export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What must be true. */
export function demand(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

import { Exit, Stop } from "../../attester/cli/exit.ts";
import { tableOf } from "../../attester/owner/cli/table.ts";
import { jsonLine } from "../../hw/terminal/json.ts";
import { printable } from "../../hw/terminal/printable.ts";
import { type Certificate, printName } from "../../shared/x509/index.ts";
import { filesPrefix } from "../domain/files.ts";
import { IDENTITY_KEY, storedIdentity } from "../domain/identity.ts";
import { ownerChainIn } from "../domain/owner.ts";
import type { StoppedArguments } from "./arguments.ts";
import { readOwnerRoot, readRoots } from "./roots.ts";
import { platformCalled, SHOWN_DIGITS, type StoppedToken, withStoppedToken } from "./stopped.ts";

/** `fobnail token flash`: the storage of a stopped token, from outside. */

const nameOf = ({ subject }: Certificate): string => printName(subject);

function factsOf({ flash, store, domain }: StoppedToken) {
  const { pageBytes, pages } = flash.geometry;
  const platforms = domain.listPlatforms();
  const root = domain.roots.owner();
  const owner = ownerChainIn(store)[0];
  return {
    image: flash.path,
    pages,
    pageBytes,
    values: store.keys("").length,
    ...store.usage(),
    deviceId: storedIdentity(store)?.deviceId,
    provisioned: domain.provisioned,
    /** Who issued the token's certificate. */
    owner: owner === undefined ? undefined : nameOf(owner),
    ownerRoot: root === undefined ? undefined : nameOf(root),
    ekRoots: domain.roots.ek().map(nameOf),
    platforms: platforms.length,
    files: platforms.reduce((sum, { files }) => sum + files, 0),
  };
}

export function showFlash({ state, json }: StoppedArguments): Promise<void> {
  return withStoppedToken(state, (token) => {
    const facts = factsOf(token);
    if (json) {
      console.log(jsonLine(facts));
      return;
    }
    const { pages, pageBytes, usedBytes, capacityBytes, ekRoots } = facts;
    const lines = [
      ["image", facts.image],
      ["geometry", `${pages} pages of ${pageBytes} bytes`],
      ["stored", `${usedBytes} of about ${capacityBytes} bytes, in ${facts.values} values`],
      ["device id", facts.deviceId ?? "none yet"],
      ["provisioned", facts.owner === undefined ? "no" : `yes, by ${facts.owner}`],
      ["owner root", facts.ownerRoot ?? "none"],
      ...(ekRoots.length === 0 ? ["none"] : ekRoots).map((name) => ["EK root", name]),
      ["platforms", String(facts.platforms)],
      ["files", String(facts.files)],
    ];
    const width = Math.max(...lines.map(([name = ""]) => name.length));
    for (const [name = "", text = ""] of lines) console.log(`${name.padEnd(width)}  ${printable(text)}`);
  });
}

/** What is stored under keys that are no files. */
const KINDS: readonly (readonly [prefix: string, about: string])[] = [
  [IDENTITY_KEY, "device id and private key"],
  ["token-certificate", "the owner's certificate for this token"],
  ["owner-chain", "the owner's certificates"],
  ["root/owner", "trusted root of the owner"],
  ["root/ek/", "trusted root of a TPM vendor"],
  ["platform/", "AIK, metadata, reference values"],
  ["platform-name/", "what the owner calls a platform"],
];

interface Stored {
  /** What `cat` takes. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly about: string;
  /** Of files only: the id. */
  readonly platform?: string;
  readonly name?: string;
}

function stored({ store, domain }: StoppedToken): readonly Stored[] {
  const platforms = domain.platforms.list();
  const isFile = (key: string) => platforms.some(({ id }) => key.startsWith(filesPrefix(id)));
  const keys = store
    .keys("")
    .filter((key) => !isFile(key))
    .map((key) => ({
      path: key,
      sizeBytes: store.get(key)?.byteLength ?? 0,
      about: KINDS.find(([prefix]) => key.startsWith(prefix))?.[1] ?? "",
    }));
  const files = platforms.flatMap(({ id, manufacturer, productName, serialNumber }) =>
    domain.files.list(id).map(({ name, sizeBytes }) => ({
      path: `${id.slice(0, SHOWN_DIGITS)}/${name}`,
      sizeBytes,
      about: `file of ${manufacturer} ${productName} ${serialNumber}`,
      platform: id,
      name,
    })),
  );
  return [...keys, ...files];
}

export function listFlash({ state, json }: StoppedArguments): Promise<void> {
  return withStoppedToken(state, (token) => {
    const all = stored(token);
    if (json) for (const one of all) console.log(jsonLine(one));
    else console.log(tableOf(["BYTES", "PATH", "HOLDS"], all.map(({ path, sizeBytes, about }) => [String(sizeBytes), path, about]))); // biome-ignore format: one call
  });
}

/** The value of a key, or a file as PLATFORM/NAME, raw on standard output. */
export function catFlash(path: string, secret: boolean, { state }: StoppedArguments): Promise<void> {
  return withStoppedToken(state, (token) => {
    if (path === IDENTITY_KEY && !secret) {
      throw new Stop(Exit.Refused, `${path} holds the token's private key: --secret shows it all the same`);
    }
    const bytes = token.store.get(path) ?? fileAt(token, path);
    if (process.stdout.isTTY === true && !isText(bytes)) {
      throw new Stop(Exit.Refused, `${bytes.byteLength} bytes that are not text: send them to a file, with >`);
    }
    process.stdout.write(bytes);
  });
}

function fileAt(token: StoppedToken, path: string): Uint8Array {
  const slash = path.indexOf("/");
  if (slash < 1) throw new Stop(Exit.Refused, `nothing is stored under "${path}": "flash ls" shows what is`);
  const { summary } = platformCalled(token, path.slice(0, slash));
  const name = path.slice(slash + 1);
  const bytes = token.domain.files.read(summary.id, name);
  if (bytes === undefined) {
    throw new Stop(Exit.Refused, `platform ${summary.id.slice(0, SHOWN_DIGITS)} has no file "${name}"`);
  }
  return bytes;
}

/** Nothing that steers a terminal. */
function isText(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes);
  return !/[^\P{Cc}\n\t]|\ufffd/u.test(text);
}

/** Adds to the roots that the token trusts; the owner's root replaces the one before. */
export function installCertificate(file: string, owner: boolean, { state, json }: StoppedArguments): Promise<void> {
  const { roots, skipped } = owner ? { roots: [readOwnerRoot(file)], skipped: [] } : readRoots(file);
  for (const sentence of skipped) console.error(`Passed over ${printable(sentence)}`);
  return withStoppedToken(state, ({ domain }) => {
    const done = owner ? domain.roots.add(roots[0], []) : domain.roots.add(undefined, roots);
    if (done === "storage-full") {
      throw new Stop(Exit.Refused, "the token's storage is full: nothing was installed");
    }
    for (const subject of roots.map(nameOf)) {
      if (json) console.log(jsonLine({ root: owner ? "owner" : "ek", subject }));
      else console.log(`Trusted as ${owner ? "the owner's root" : "a TPM vendor's root"}: ${printable(subject)}`);
    }
  });
}

import { existsSync, lstatSync, rmSync } from "node:fs";
import { createConnection, type Server } from "node:net";
import { dirname } from "node:path";

/** A UNIX socket, or a TCP port; 0 lets the system choose. */
export type ListenAddress = { readonly path: string } | { readonly host: string; readonly port: number };

const PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken by another program",
  EADDRNOTAVAIL: "cannot be had: no interface of this machine has that address",
  EACCES: "cannot be had without more rights",
};

/**
 * Listens there; a UNIX socket that a program left behind when it was killed is taken over. Gives the address with the port that the
 * system chose. Rejects with a sentence when it cannot be had.
 */
export async function listenAt(server: Server, at: ListenAddress): Promise<ListenAddress> {
  try {
    await listenOrTakeOver(server, at);
  } catch (error) {
    throw refusal(at, error);
  }
  const bound = server.address();
  if (bound === null || typeof bound === "string") return at;
  return { host: bound.address, port: bound.port };
}

async function listenOrTakeOver(server: Server, at: ListenAddress): Promise<void> {
  try {
    await listenOnce(server, at);
  } catch (error) {
    if (!("path" in at) || codeOf(error) !== "EADDRINUSE" || !(await isLeftBehind(at.path))) throw error;
    rmSync(at.path, { force: true });
    await listenOnce(server, at);
  }
}

function listenOnce(server: Server, at: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...at, exclusive: true }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function isLeftBehind(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = createConnection({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"));
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function refusal(at: ListenAddress, error: unknown): Error {
  const where = "path" in at ? at.path : `TCP port ${at.port} of ${at.host}`;
  const known = ("path" in at ? pathProblem(at.path) : undefined) ?? PROBLEMS[codeOf(error)];
  const problem = known ?? `cannot be had: ${error instanceof Error ? error.message : String(error)}`;
  return new Error(`${where} ${problem} (${codeOf(error) || "no code"})`, { cause: error });
}

/** What the system calls in use, or says EACCES to; undefined when it is a socket, or nothing is there. */
function pathProblem(path: string): string | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory() === true) return "is a folder: a socket needs a name in it";
  if (there !== undefined && !there.isSocket()) return "is a file and no socket: remove it, or choose another name";
  return there === undefined && !existsSync(dirname(path)) ? "cannot be had: its folder does not exist" : undefined;
}

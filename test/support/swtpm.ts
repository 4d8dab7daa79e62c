/** A swtpm process of its own for a test: own state directory, own sockets. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StreamAddress } from "../../hw/tpm/stream-channel.ts";

/** On a busy machine a process may take seconds to start. */
const READY_WITHIN_MS = 15_000;
const POLL_MS = 3;

export interface Swtpm {
  readonly data: StreamAddress;
  readonly control: StreamAddress;
  /** For --tpm. */
  readonly spec: string;
  readonly directory: string;
  readonly process: ChildProcess;
  /** Ends the process at once, as a power cut would; its state directory stays. */
  kill(): Promise<void>;
  /** Ends the process and removes its state. */
  stop(): Promise<void>;
}

export interface SwtpmOptions {
  readonly sockets?: "unix" | "tcp";
  /** A state directory of the caller's; a new temporary one otherwise. */
  readonly directory?: string;
  /** More arguments, for example `--flags not-need-init,startup-clear`. */
  readonly arguments?: readonly string[];
}

/** Listens on a port, 0 for any; undefined when it is taken. */
async function occupy(port: number): Promise<{ readonly port: number; release(): Promise<void> } | undefined> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return undefined; // taken
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const release = async () => {
    server.close();
    await once(server, "close");
  };
  return { port: address.port, release };
}

/** Two free ports in a row: tpm2-tools look for the control channel behind the data channel. */
async function freePorts(): Promise<number> {
  for (;;) {
    const first = await occupy(0);
    const second = first === undefined ? undefined : await occupy(first.port + 1);
    await first?.release();
    await second?.release();
    if (first !== undefined && second !== undefined) return first.port;
  }
}

async function addresses(
  sockets: "unix" | "tcp",
  directory: string,
): Promise<Pick<Swtpm, "data" | "control" | "spec">> {
  if (sockets === "unix") {
    const data = { path: join(directory, "data.sock") };
    const control = { path: join(directory, "ctrl.sock") };
    return { data, control, spec: `swtpm:${data.path},ctrl=${control.path}` };
  }
  const port = await freePorts();
  const data = { host: "127.0.0.1", port };
  const control = { host: "127.0.0.1", port: port + 1 };
  return { data, control, spec: `swtpm:${data.host}:${data.port},ctrl=${control.port}` };
}

function socketArgument(address: StreamAddress): string {
  return "path" in address
    ? `type=unixio,path=${address.path}`
    : `type=tcp,port=${address.port},bindaddr=${address.host}`;
}

const GET_CAPABILITY = Uint8Array.of(0, 0, 0, 1);

/** Whether the control channel answers a request. That it can be connected to says too little. */
async function answers(address: StreamAddress): Promise<boolean> {
  const socket = createConnection({ ...address });
  try {
    await once(socket, "connect");
    socket.write(GET_CAPABILITY);
    const closed = once(socket, "close").then(() => Promise.reject(new Error("closed")));
    await Promise.race([once(socket, "data"), closed]);
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}

/**
 * Waits for an answer on the control channel. swtpm opens its control socket first, then the data socket, and serves then; the
 * data socket cannot be tried, because it takes one client, and that is to be the test's.
 */
async function untilReady(child: ChildProcess, control: StreamAddress, output: () => string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await answers(control))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`swtpm did not start: ${output()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

export async function startSwtpm(options: SwtpmOptions = {}): Promise<Swtpm> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "fobnail-swtpm-"));
  const where = await addresses(options.sockets ?? "unix", directory);
  const child = spawn(
    "swtpm",
    [
      ...["socket", "--tpm2", "--tpmstate", `dir=${directory}`],
      ...["--server", socketArgument(where.data), "--ctrl", socketArgument(where.control)],
      ...(options.arguments ?? []),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const exited = once(child, "exit");
  const killAtEnd = () => child.kill("SIGKILL");
  process.once("exit", killAtEnd);
  const kill = async () => {
    process.off("exit", killAtEnd);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
  };
  const stop = async () => {
    await kill();
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilReady(child, where.control, () => output);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...where, directory, process: child, kill, stop };
}

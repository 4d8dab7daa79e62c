/** libcoap's example programs as independent peers. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openUdpPort } from "../../hw/net/udp.ts";
import type { Peer } from "../../shared/ports/index.ts";

export const LIBCOAP_CLIENT = "coap-client-notls";
export const LIBCOAP_SERVER = "coap-server-notls";

const run = promisify(execFile);
const CLIENT_TIMEOUT_MS = 15_000;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const port = await openUdpPort("127.0.0.1", 0);
  const number = port.local.port;
  await port.close();
  return number;
}

/** What `coap-client` got: the body, and what it wrote to its two streams. */
export interface ClientResult {
  readonly body: Uint8Array;
  readonly text: string;
}

/** Runs `coap-client` once. `body` is sent; `more` are further arguments. */
export async function libcoapRequest(
  server: Peer,
  method: string,
  path: string,
  body?: Uint8Array,
  ...more: readonly string[]
): Promise<ClientResult> {
  const directory = mkdtempSync(join(tmpdir(), "fobnail-coap-"));
  try {
    const sent = join(directory, "sent");
    const got = join(directory, "got");
    writeFileSync(got, "");
    if (body !== undefined) writeFileSync(sent, body);
    const from = body === undefined ? [] : ["-f", sent];
    const url = `coap://${server.address}:${server.port}${path}`;
    const args = ["-m", method, "-B", "10", "-o", got, ...from, ...more, url];
    const { stdout, stderr } = await run(LIBCOAP_CLIENT, args, { timeout: CLIENT_TIMEOUT_MS });
    return { body: new Uint8Array(readFileSync(got)), text: stdout + stderr };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Starts `coap-server` on a free port of the loopback; `stop` ends it. It may not listen at once: ping it first. */
export async function startLibcoapServer(
  ...more: readonly string[]
): Promise<{ readonly peer: Peer; readonly pid: number; stop(): Promise<void> }> {
  const peer = { address: "127.0.0.1", port: await freePort() };
  const child = spawn(LIBCOAP_SERVER, ["-A", peer.address, "-p", String(peer.port), ...more], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    peer,
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A TPM emulator of this process behind a TCP port, as swtpm's data channel is: programs reach it without the chipset's side. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { measurementsOf, runMeasuredBoot, sampleLaunch } from "../../attester/dlme/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { createTpmClient } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { createTpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { manufactureTpm } from "../../hw/tpm/manufacture.ts";
import { concat } from "../../shared/bytes/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";

const HEADER_BYTES = 10;
const SIZE_AT = 2;
const CODE_AT = 6;

export interface TpmServer {
  /** For --tpm. */
  readonly spec: string;
  readonly root: Certificate;
  /** Off and on again, with a dynamic launch. */
  boot(): Promise<void>;
  /** Answers in the place of the TPM; undefined leaves the command to it. */
  answer: (commandCode: number) => Uint8Array | undefined;
  /** Takes commands, and answers no more of them. */
  deaf: (commandCode: number) => boolean;
  close(): Promise<void>;
}

export async function startTpmServer(today: number): Promise<TpmServer> {
  const { transport, platform } = createTpmEmulator({ random: systemRandom, clock: realClock });
  const client = createTpmClient(transport, {
    random: systemRandom,
    clock: realClock,
    log: { write: () => undefined },
  });
  await client.startUp({ platform, own: true });
  const made = await client.turn((runner) => manufactureTpm(runner, { random: systemRandom, today }));
  if (!made.ok) throw new Error("the TPM has its certificates already");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let received: Uint8Array = new Uint8Array(0);
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", async (data) => {
      received = concat(received, data);
      const view = new DataView(received.buffer, received.byteOffset, received.byteLength);
      if (received.byteLength < HEADER_BYTES || received.byteLength < view.getUint32(SIZE_AT)) return;
      const command = received;
      received = new Uint8Array(0);
      const code = view.getUint32(CODE_AT);
      if (tpm.deaf(code)) return;
      socket.write(tpm.answer(code) ?? (await transport.send(command)));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const tpm: TpmServer = {
    spec: `swtpm:127.0.0.1:${address.port}`,
    root: made.root,
    answer: () => undefined,
    deaf: () => false,
    async boot() {
      await client.shutDown();
      await platform.power("orderly");
      await client.startUp({ platform, own: true });
      const { firmware } = APU2;
      await runMeasuredBoot(client, platform, measurementsOf({ firmware, launch: sampleLaunch() }));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      await transport.close();
    },
  };
  return tpm;
}

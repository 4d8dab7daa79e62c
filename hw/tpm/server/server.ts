import { createServer, type Server, type Socket } from "node:net";
import { ByteQueue, CodecError, encode, u32be } from "../../../shared/bytes/index.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { listenAt } from "../../net/listen.ts";
import { MAX_LOCALITY, type TpmBoard } from "../emulator/index.ts";
import type { StreamAddress } from "../stream-channel.ts";
import { runControl } from "./control.ts";
import { controlRequestBytes } from "./control-codec.ts";
import { type DataCommand, DataInput } from "./data-input.ts";
import { OneClient } from "./one-client.ts";

export interface TpmServerOptions {
  readonly board: TpmBoard;
  readonly data: StreamAddress;
  readonly control: StreamAddress;
  readonly log: Log;
}

export interface TpmServer {
  /** Where it listens; ports that the system chose are filled in. */
  readonly data: StreamAddress;
  readonly control: StreamAddress;
  /** Resolves when a client of the control channel has sent SHUTDOWN. */
  readonly shutdown: Promise<void>;
  /** Closes all connections; the TPM is the caller's. */
  close(): Promise<void>;
}

/**
 * A TPM behind swtpm's two sockets: commands on the data channel, the chipset on the control channel. One client at a time on each, as swtpm
 * has it; others wait. Rejects with a sentence when an address cannot be had.
 */
export async function openTpmServer({ board, data, control, log }: TpmServerOptions): Promise<TpmServer> {
  let end: () => void = () => undefined;
  const shutdown = new Promise<void>((resolve) => {
    end = resolve;
  });
  const dataChannel = new OneClient("data", log, (socket) => serveData(board, socket));
  const controlChannel = new OneClient("control", log, (socket) => serveControl(board, log, socket, () => end()));
  const servers: Server[] = [];
  const bound: StreamAddress[] = [];
  const close = async () => {
    dataChannel.close();
    controlChannel.close();
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  };
  try {
    for (const [channel, address] of [
      [dataChannel, data],
      [controlChannel, control],
    ] as const) {
      const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => channel.accept(socket));
      bound.push(await listenAt(server, address));
      server.on("error", (error) => log.write("warn", `TPM server: ${error.message}`));
      servers.push(server);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const [atData = data, atControl = control] = bound;
  return { data: atData, control: atControl, shutdown, close };
}

/** Errors of one connection end it; whatever a peer sends does. */
function serveData(board: TpmBoard, socket: Socket): (chunk: Uint8Array) => void {
  const input = new DataInput();
  return (chunk) => {
    input.add(chunk);
    for (let command = input.next(); command !== undefined; command = input.next())
      socket.write(answerTo(board, command));
  };
}

function answerTo(board: TpmBoard, { command, locality }: DataCommand): Uint8Array {
  if (locality === undefined) return board.execute(command);
  if (locality > MAX_LOCALITY) throw new CodecError(`there is no locality ${locality}`, "TPM_SEND_COMMAND.locality", 4);
  board.locality = locality;
  const response = board.execute(command);
  return Buffer.concat([encode(u32be, response.byteLength), response, encode(u32be, 0)]);
}

function serveControl(board: TpmBoard, log: Log, socket: Socket, shutDown: () => void): (chunk: Uint8Array) => void {
  const queue = new ByteQueue();
  return (chunk) => {
    queue.push(chunk);
    for (let request = nextControl(queue); request !== undefined; request = nextControl(queue)) {
      const { reply, ends, problem } = runControl(board, request);
      if (problem !== undefined) log.write("error", problem);
      if (ends) socket.end(reply, shutDown);
      else socket.write(reply);
      if (ends) return;
    }
  };
}

function nextControl(queue: ByteQueue): Uint8Array | undefined {
  for (let needed = 0; ; ) {
    const received = queue.peek(needed);
    if (received === undefined) return undefined;
    const more = controlRequestBytes(received);
    if (more === needed) return queue.take(needed);
    needed = more;
  }
}

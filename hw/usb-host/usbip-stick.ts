import type { Socket } from "node:net";
import type { Clock, Unsubscribe } from "../../shared/ports/index.ts";
import type { SetupPacket } from "../../shared/usb/index.ts";
import { UrbStatus, type UsbipDevice } from "../usb-device/usbip/index.ts";
import { type ClaimedStick, type FoundStick, Once, UsbHostError } from "./usb-host.ts";
import { type Outcome, UsbipClient } from "./usbip-client.ts";

/** For a device to answer a control transfer. */
const ANSWER_MS = 5_000;
/** For its server to say that it took the transfer back. */
const UNLINK_MS = 1_000;
const RELEASE_MS = 1_000;

/** An imported stick; the connection is its bus. */
export class UsbipStick implements ClaimedStick {
  readonly stick: FoundStick;
  readonly #socket: Socket;
  readonly #client: UsbipClient;
  readonly #clock: Clock;
  readonly #gone = new Once();
  readonly #closed: Promise<void>;
  #why = "the connection was closed";
  #released = false;

  constructor(stick: FoundStick, device: UsbipDevice, socket: Socket, clock: Clock, ended: () => void) {
    this.stick = { ...stick, state: "claimed" };
    this.#socket = socket;
    this.#clock = clock;
    this.#client = new UsbipClient(((device.busnum << 16) | device.devnum) >>> 0, {
      send: (bytes) => socket.write(bytes),
      fail: (reason) => this.#lose(`its server cannot be understood: ${reason}`),
    });
    socket.on("error", (error) => {
      this.#why = error.message;
    });
    socket.on("data", (chunk: Uint8Array) => this.#client.receive(chunk));
    this.#closed = new Promise((resolve) => {
      socket.once("close", () => {
        ended();
        this.#client.close();
        if (!this.#released) this.#gone.happen();
        resolve();
      });
    });
  }

  /** What came behind the answer to the import; the connection goes on. */
  begin(received: Uint8Array): void {
    this.#client.receive(received);
    this.#socket.resume();
  }

  async control(setup: SetupPacket, out: Uint8Array): Promise<Uint8Array | "stall"> {
    const limits: Unsubscribe[] = [];
    const outcome = await this.#transfer((done) => {
      const seqnum = this.#client.control(setup, out, done);
      limits.push(this.#clock.after(ANSWER_MS, () => this.#client.unlink(seqnum)));
      limits.push(this.#clock.after(ANSWER_MS + UNLINK_MS, () => this.#lose("its server does not answer")));
    }).finally(() => {
      for (const cancel of limits) cancel();
    });
    return outcome === "stall" ? outcome : outcome.data;
  }

  async bulkOut(ep: number, data: Uint8Array): Promise<"ok" | "stall"> {
    const outcome = await this.#transfer((done) => this.#client.bulkOut(ep, data, done));
    return outcome === "stall" ? outcome : "ok";
  }

  async bulkIn(ep: number, max: number): Promise<Uint8Array | "stall"> {
    const outcome = await this.#transfer((done) => this.#client.bulkIn(ep, max, done));
    return outcome === "stall" ? outcome : outcome.data;
  }

  onGone(listener: () => void): Unsubscribe {
    return this.#gone.on(listener);
  }

  async release(): Promise<void> {
    if (!this.#released && !this.#gone.happened) {
      this.#released = true;
      this.#why = "it was given back";
      this.#client.close();
      // The server's end of the connection says that it has let go, too.
      this.#socket.resume().end();
    }
    const cancel = this.#clock.after(RELEASE_MS, () => this.#socket.destroy());
    await this.#closed;
    cancel();
  }

  #lose(why: string): void {
    this.#why = why;
    this.#socket.destroy();
  }

  #transfer(submit: (done: (outcome: Outcome) => void) => void): Promise<Outcome | "stall"> {
    return new Promise((resolve, reject) => {
      submit((outcome) => {
        if (outcome.status === UrbStatus.Ok) resolve(outcome);
        else if (outcome.status === UrbStatus.Stall) resolve("stall");
        else reject(this.#failure(outcome.status));
      });
    });
  }

  #failure(status: number): UsbHostError {
    const { at } = this.stick;
    if (status === UrbStatus.Shutdown) return new UsbHostError("gone", `The stick ${at} is gone: ${this.#why}`);
    if (status === UrbStatus.Unlinked) {
      return new UsbHostError("gone", `The stick ${at} did not answer within ${ANSWER_MS / 1_000} s`);
    }
    return new UsbHostError("gone", `The bus of the stick ${at} failed (status ${status})`);
  }
}

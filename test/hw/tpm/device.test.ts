import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DeviceFile, openDevice } from "../../../hw/tpm/device.ts";
import { encodeResponse, TpmUnreachable } from "../../../shared/tpm/index.ts";

const OK = encodeResponse({ responseCode: 0, handles: [], parameters: Uint8Array.of(1, 2), sessions: [] }, false);
const COMMAND = Uint8Array.of(0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 0x7b);

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** As strict as the kernel's driver: one write holds one command, one read takes one response, nothing else is in order. */
class FakeDriver implements DeviceFile {
  #response: Uint8Array | undefined;
  readonly commands: Uint8Array[] = [];
  closed = false;
  broken = false;

  async write(data: Uint8Array) {
    if (this.broken) throw failure("EIO");
    if (this.#response !== undefined) throw failure("EBUSY");
    this.commands.push(data);
    this.#response = OK;
    return { bytesWritten: data.byteLength };
  }

  async read(into: Uint8Array, offset: number, length: number) {
    const response = this.#response ?? new Uint8Array(0);
    this.#response = undefined;
    assert.ok(response.byteLength <= length, "a read that is too small loses the rest");
    into.set(response, offset);
    return { bytesRead: response.byteLength };
  }

  async close() {
    this.closed = true;
  }
}

describe("hw/tpm device", () => {
  it("writes a command and reads its response, one after the other", async () => {
    const driver = new FakeDriver();
    const tpm = await openDevice("/dev/tpmrm0", async () => driver);
    const answers = await Promise.all([tpm.send(COMMAND), tpm.send(COMMAND), tpm.send(COMMAND)]);
    for (const answer of answers) assert.deepEqual(answer, OK);
    assert.equal(driver.commands.length, 3);
    await tpm.close();
    assert.equal(driver.closed, true);
  });

  it("says why a device does not open", async () => {
    const cases: readonly [string, RegExp][] = [
      ["ENOENT", /\/dev\/tpm9 not reached: this machine has no such TPM/],
      ["EACCES", /group tss/],
      ["EBUSY", /another program/],
      ["EIO", /EIO/],
    ];
    for (const [code, message] of cases) {
      const opening = openDevice("/dev/tpm9", () => Promise.reject(failure(code)));
      await assert.rejects(opening, (error) => error instanceof TpmUnreachable && message.test(error.message));
    }
  });

  it("what is no character device is not reached, and not written to", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fobnail-device-"));
    const path = join(folder, "ordinary");
    try {
      writeFileSync(path, "precious");
      await assert.rejects(
        openDevice(path).then((tpm) => tpm.send(COMMAND).finally(() => tpm.close())),
        (error) => error instanceof TpmUnreachable && /ordinary not reached: it is no device/.test(error.message),
      );
      assert.equal(readFileSync(path, "utf8"), "precious");
      await assert.rejects(openDevice(folder), TpmUnreachable);
    } finally {
      rmSync(folder, { recursive: true });
    }
    await (await openDevice("/dev/null")).close();
  });

  it("a driver that fails is TpmUnreachable, and the next command is tried", async () => {
    const driver = new FakeDriver();
    const tpm = await openDevice("/dev/tpmrm0", async () => driver);
    driver.broken = true;
    await assert.rejects(tpm.send(COMMAND), TpmUnreachable);
    driver.broken = false;
    assert.deepEqual(await tpm.send(COMMAND), OK);
    await assert.rejects(tpm.send(COMMAND, AbortSignal.abort(new Error("before"))), /before/);
  });
});

/**
 * A token of API v1 whose process kills itself (SIGKILL) at an operation on its flash image: the first is 0. `before` leaves
 * the image as it was, `torn` writes half of what the operation writes: of a single byte half of its bits. Run as a program of its own:
 *
 *   killed-token IMAGE PAGES OWNER-ROOT EK-ROOT never|N:before|N:torn
 *
 * It prints `listening PORT`. Ends with its standard input.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { realClock } from "../../hw/clock/real.ts";
import { openFileFlash } from "../../hw/flash/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import type { Flash, FlashGeometry } from "../../shared/ports/index.ts";
import { parseCertificate } from "../../shared/x509/index.ts";
import { STRICT } from "../../token/domain/profile.ts";
import { createToken } from "../../token/token.ts";

const [image = "", pages = "", ownerRoot = "", ekRoot = "", when = "never"] = process.argv.slice(2);
const [at, how] = when.split(":");
const GEOMETRY: FlashGeometry = { pageBytes: 4096, pages: Number(pages) };
const say = (line: string) => writeSync(1, `${line}\n`);

function dieWriting(offset: number, data: Uint8Array): never {
  if (how === "torn") {
    const fd = openSync(image, "r+");
    if (data.byteLength === 1) writeSync(fd, Uint8Array.of((data[0] ?? 0) | 0x0f), 0, 1, offset);
    else writeSync(fd, data, 0, data.byteLength >> 1, offset);
    closeSync(fd);
  }
  process.kill(process.pid, "SIGKILL");
  throw new Error("survived SIGKILL");
}

function watched(file: Flash): Flash {
  let operations = 0;
  const count = (offset: number, data: () => Uint8Array, run: () => void) => {
    if (String(operations) === at) dieWriting(offset, data());
    operations++;
    run();
  };
  return {
    geometry: file.geometry,
    read: (offset, size) => file.read(offset, size),
    program: (offset, data) =>
      count(
        offset,
        () => data,
        () => file.program(offset, data),
      ),
    erase: (page) =>
      count(
        page * GEOMETRY.pageBytes,
        () => new Uint8Array(GEOMETRY.pageBytes).fill(0xff),
        () => file.erase(page),
      ),
  };
}

const root = (path: string) => parseCertificate(new Uint8Array(readFileSync(path)));
const log = { write: (level: string, message: string) => void say(`${level}: ${message}`) };
const flash = watched(openFileFlash(image, GEOMETRY));
const leds = { show: () => undefined };
const button = { onChange: () => () => undefined };
const env = { clock: realClock, random: systemRandom, flash, leds, log, button };
const token = createToken(env, { api: "v1", profile: STRICT, ownerRoot: root(ownerRoot), ekRoots: [root(ekRoot)] });
const port = await openUdpPort("127.0.0.1", 0);
token.serve(port);
say(`listening ${port.local.port}`);
process.stdin.on("end", () => process.exit(0)).resume();

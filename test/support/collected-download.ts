/** A program: downloads the address given, within the time given, while garbage is collected every 20 ms; prints what the log is told. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createHttpFetcher } from "../../hw/http/index.ts";

const COLLECT_MS = 20;
const [, , address = "", timeoutMs = "0"] = process.argv;

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");
const collecting = setInterval(collect, COLLECT_MS);
const log = { write: (_level: string, message: string) => void process.stdout.write(`${message}\n`) };
await createHttpFetcher(log, { timeoutMs: Number(timeoutMs) }).fetch(address);
clearInterval(collecting);

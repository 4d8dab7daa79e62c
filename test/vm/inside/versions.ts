/** Runs in the guest where libcoap is missing: `versions HOST:PORT` asks a token for the versions of its API, and prints them. */

import { openTokenLink } from "../../../attester/cli/token-link.ts";
import { createTextLog } from "../../../hw/terminal/log.ts";
import { parseHostPort } from "../../../token/cli/address.ts";

const log = createTextLog({ level: "info", out: process.stderr });
const link = await openTokenLink({ token: parseHostPort(process.argv[2] ?? "") }, log);
console.log(JSON.stringify(await link.wire.versions()));
await link.close();

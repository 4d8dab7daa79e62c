import { Exit, Stop } from "../../attester/cli/exit.ts";
import { tableOf } from "../../attester/owner/cli/table.ts";
import { jsonLine } from "../../hw/terminal/json.ts";
import { printable } from "../../hw/terminal/printable.ts";
import type { PlatformEntry } from "../domain/domain.ts";
import type { StoppedArguments } from "./arguments.ts";
import { demandYes, platformCalled, SHOWN_DIGITS, withStoppedToken } from "./stopped.ts";

/** `fobnail token platforms`: those that a stopped token knows. */

function fact({ summary, name, files, bytes, logEvents }: PlatformEntry): string {
  const { id, ...rest } = summary;
  return jsonLine({ id, name, ...rest, files, sizeBytes: bytes, logEvents });
}

function describe({ summary, name }: PlatformEntry): string {
  const { id, manufacturer, productName, serialNumber } = summary;
  const named = name === "" ? "" : `"${name}", `;
  return printable(`${id.slice(0, SHOWN_DIGITS)} (${named}${manufacturer} ${productName} ${serialNumber})`);
}

export function listPlatforms({ state, json }: StoppedArguments): Promise<void> {
  return withStoppedToken(state, ({ domain }) => {
    const platforms = domain.listPlatforms();
    if (json) {
      for (const platform of platforms) console.log(fact(platform));
      return;
    }
    if (platforms.length === 0) {
      console.log("The token knows no platform yet.");
      return;
    }
    const rows = platforms.map(({ summary, name, files, bytes, logEvents }) => [
      summary.id.slice(0, SHOWN_DIGITS),
      name === "" ? "-" : name,
      summary.manufacturer,
      summary.productName,
      summary.serialNumber,
      String(files),
      String(bytes),
      logEvents === 0 ? "-" : `${logEvents} events`,
    ]);
    console.log(tableOf(["ID", "NAME", "MANUFACTURER", "PRODUCT", "SERIAL", "FILES", "BYTES", "LOG"], rows));
  });
}

export function renamePlatform(text: string, name: string, { state, json }: StoppedArguments): Promise<void> {
  return withStoppedToken(state, (token) => {
    const platform = platformCalled(token, text);
    if (token.domain.renamePlatform(platform.summary.id, name) === "storage-full") {
      throw new Stop(Exit.Refused, "the token's storage is full: nothing was changed");
    }
    const renamed = { ...platform, name };
    if (json) console.log(fact(renamed));
    else console.log(name === "" ? `${describe(renamed)}: name taken away` : describe(renamed));
  });
}

export function removePlatform(text: string, yes: boolean, { state, json }: StoppedArguments): Promise<void> {
  return withStoppedToken(state, async (token) => {
    const platform = platformCalled(token, text);
    const what = `${describe(platform)}, with its ${platform.files} ${platform.files === 1 ? "file" : "files"}`;
    if (!yes) await demandYes(`Remove ${what}?`, { done: "removes", undone: "not removed" });
    token.domain.removePlatform(platform.summary.id);
    console.log(json ? fact(platform) : `Removed ${what}.`);
  });
}

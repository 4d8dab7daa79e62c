import type { LogLevel } from "../../shared/ports/index.ts";
import { sayTcp, USBIP_ADDRESS } from "./bus-options.ts";

/** Where the tokens of this process are reached. */
export type Reach =
  | { readonly type: "listening"; readonly address: string; readonly port: number }
  | { readonly type: "usbip"; readonly address: string; readonly port: number; readonly busids: readonly string[] }
  | { readonly type: "usbredir"; readonly path: string }
  | { readonly type: "usbredir"; readonly address: string; readonly port: number }
  | { readonly type: "tap"; readonly name: string; readonly address: string; readonly token: string };

/** Only programs of this machine reach it. */
export function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1" || host === "localhost";
}

type Line = readonly [level: LogLevel, text: string];

/** For people, the address first. */
export function sayReach(reach: Reach): readonly Line[] {
  switch (reach.type) {
    case "listening":
      return [["info", `Listening on ${reach.address}:${reach.port} (UDP)`], ...openSocket(reach.address)];
    case "usbip":
      return sayUsbip(reach, reach.busids);
    case "usbredir":
      return "path" in reach ? sayUsbredir(reach.path, `path=${reach.path}`) : sayUsbredirPort(reach);
    case "tap":
      return [["info", `TAP interface ${reach.name}: this computer is ${reach.address}, the token ${reach.token}`]];
  }
}

function openSocket(address: string): readonly Line[] {
  if (isLoopback(address)) return [];
  return [
    [
      "warn",
      `Other computers can reach ${address}: API v1 is made for a cable, nothing on its way is encrypted, and whoever takes over an attested peer's address speaks for it`,
    ],
  ];
}

function sayUsbip(
  { address: host, port }: { readonly address: string; readonly port: number },
  busids: readonly string[],
): readonly Line[] {
  const at = sayTcp({ host, port });
  const first = busids[0] ?? "";
  const server = host === USBIP_ADDRESS.host && port === USBIP_ADDRESS.port ? "" : ` --usbip ${at}`;
  const which = busids.length === 1 ? "" : ` --busid ${first}`;
  const lines: Line[] = [
    ["info", `USB/IP on ${at}: ${busids.join(", ")}`],
    [
      "info",
      `Plug in as root: fobnail token attach${server}${which}; or without: fobnail attester --usb usbip:${at}/${first}`,
    ],
  ];
  if (!isLoopback(host))
    lines.push([
      "warn",
      `Other computers can reach ${host}: USB/IP knows no password, whoever comes first has the stick`,
    ]);
  return lines;
}

function sayUsbredir(at: string, chardev: string): readonly Line[] {
  const qemu = `-device qemu-xhci -chardev socket,id=fobnail,${chardev},reconnect=1 -device usb-redir,chardev=fobnail`;
  return [["info", `usbredir at ${at}; for QEMU: ${qemu}`]];
}

function sayUsbredirPort({
  address: host,
  port,
}: {
  readonly address: string;
  readonly port: number;
}): readonly Line[] {
  const lines = sayUsbredir(sayTcp({ host, port }), `host=${host},port=${port}`);
  if (isLoopback(host)) return lines;
  return [
    ...lines,
    ["warn", `Other computers can reach ${host}: usbredir knows no password, whoever comes first has the stick`],
  ];
}

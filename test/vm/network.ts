/** What every bus must carry to the guest's own driver. */
import { onPath } from "../../attester/cli/os/programs.ts";
import type { Guest } from "./guest.ts";
import { COMPUTER_ADDRESS, demand, inside, type Scene, TOKEN_ADDRESS } from "./scene.ts";

const FIRST_SIZE = 14;
/** The largest that one frame carries: 1500 less the headers of IPv4 and ICMP. */
const LAST_SIZE = 1472;
const PINGS_WITHIN_MS = 120_000;
const BINDS_WITHIN_S = 20;

/** The driver took the device: gives the kernel's line. */
export async function bound({ guest }: Scene, name: string): Promise<string> {
  const line = `dmesg | grep "${name}: register 'cdc_eem'" | tail -n 1`;
  const script = `wait_for ${BINDS_WITHIN_S} test -e /sys/class/net/${name} || { dmesg | tail; exit 1; }; ${line}`;
  const text = await guest.must(script, (BINDS_WITHIN_S + 5) * 1_000);
  demand(text.includes("register 'cdc_eem'"), `no driver was bound: ${text}`);
  return text;
}

const KEEPING = "/tmp/keeping";
const KEEP_UP = `while sleep 0.1 && [ -e ${KEEPING} ]; do [ -e /sys/class/net/usb0 ] && interface_up usb0 ${COMPUTER_ADDRESS}/16; done`;

/** To the end of the story, whatever comes as usb0 has its address. */
export async function keepInterfaceUp({ guest }: Scene): Promise<void> {
  await guest.must(`touch ${KEEPING}; (${KEEP_UP}) </dev/null >/dev/null 2>&1 &`);
}

export async function letInterfacesBe(guest: Guest): Promise<void> {
  await guest.must(`rm -f ${KEEPING}`);
}

export async function bringUp({ guest }: Scene, name: string): Promise<undefined> {
  await guest.must(`interface_up ${name} ${COMPUTER_ADDRESS}/16`);
  return undefined;
}

const ALL_SIZES: readonly [first: number, last: number] = [FIRST_SIZE, LAST_SIZE];

export async function pings({ guest }: Scene, name: string, [first, last] = ALL_SIZES): Promise<string> {
  const sizes = [String(first), String(last)];
  const text = await guest.must(`here ${inside("pings", name, TOKEN_ADDRESS, ...sizes)}`, PINGS_WITHIN_MS);
  const result: { sizes: number; again: number[]; lost: number[] } = JSON.parse(text.split("\n").at(-1) ?? "");
  demand(result.lost.length === 0, `sizes that were never answered: ${result.lost.join(", ")}`);
  demand(result.sizes === last - first + 1, text);
  const errors = await guest.must(`cat /sys/class/net/${name}/statistics/rx_errors`);
  demand(errors === "0", `${errors} errors of reception in the guest`);
  return `${result.sizes} sizes, ${result.again.length} asked again`;
}

/** The token's versions, over CoAP. */
export async function versions({ guest }: Scene): Promise<string> {
  const url = `coap://${TOKEN_ADDRESS}/api/version`;
  if (!onPath("coap-client-notls")) {
    const text = await guest.must(`here ${inside("versions", `${TOKEN_ADDRESS}:5683`)}`, 30_000);
    demand(text.endsWith("[1]"), text);
    return `${text} by Node`;
  }
  const text = await guest.must(`here coap-client-notls -B 10 -m get ${url} | hexdump -v -e '/1 "%02x"'`, 30_000);
  // {"versions": [1]}, with a line feed that the client adds
  demand(/^a16876657273696f6e738101(0a)?$/.test(text), `versions: ${text}`);
  return `${text} by libcoap`;
}

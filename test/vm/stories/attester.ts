/** Our attester inside the guest, with its TPM and through the kernel's driver, and tokens outside that judge it. */
import type { Token, TokenLine } from "../../e2e/cast.ts";
import { bound, keepInterfaceUp, versions } from "../network.ts";
import { COMPUTER_ADDRESS, demand, fobnail, MAC, type Scene, startUsbredirToken } from "../scene.ts";

/** Programs of ours start slowly without KVM, and the TPM makes keys. */
const PROGRAM_WITHIN_MS = 150_000;
const EVENT_WITHIN_MS = 90_000;
/** A session's three seconds, and one to look. */
const DARK_WITHIN_MS = 4_000;
const ATTESTER = ["--no-aia"];
const SEVEN = ["ek", "aik", "challenge", "metadata", "rim", "metadata", "quote"];

const lamps = (green: boolean, red: boolean) => (line: TokenLine) =>
  line.type === "lamps" && line["green"] === green && line["red"] === red;

/** A line of the token's, which may take its time. */
function until(
  token: Token,
  what: string,
  matches: (line: TokenLine) => boolean,
  ms = EVENT_WITHIN_MS,
): Promise<TokenLine> {
  return token.program.match(
    what,
    (text) => {
      const line: TokenLine = JSON.parse(text);
      return matches(line) ? line : undefined;
    },
    ms,
  );
}

const event = (token: Token, type: string) => until(token, type, (line) => line.type === type);
const green = (token: Token, ms?: number) => until(token, "the green lamp", lamps(true, false), ms);
const dark = (token: Token, ms?: number) => until(token, "dark lamps", lamps(false, false), ms);

/** The names that SMBIOS has in the guest. */
function platformOf(line: TokenLine): string {
  const { manufacturer, productName, serialNumber } = line["platform"] as Readonly<Record<string, string>>;
  const text = [manufacturer, productName, serialNumber].join(" ");
  demand(text === "PC Engines apu2 1373268", `the platform is ${text}`);
  return text;
}

/** A launch that did not happen. */
export async function noLaunchStory(scene: Scene): Promise<void> {
  const { guest, checks } = scene;
  await keepInterfaceUp(scene);
  const token = startUsbredirToken(scene, "no-launch");
  await checks.check("strict enrolment refuses a TPM without a launch: no-dynamic-launch", async () => {
    const { code, text } = await guest.run(
      `here ${fobnail("attester", "--provision", ...ATTESTER)}`,
      PROGRAM_WITHIN_MS,
    );
    demand(code === 1, `exit code ${code}: ${text}`);
    const { reason } = await event(token, "platform-refused");
    demand(reason === "no-dynamic-launch", `refused for ${String(reason)}`);
    return text.split("\n").at(-1);
  });
  await token.quit();
}

/** The walk-through in API v1, and what happens when things are taken away. */
export async function v1Story(scene: Scene): Promise<void> {
  const { guest, checks } = scene;
  await keepInterfaceUp(scene);
  let token = startUsbredirToken(scene, "v1");
  const watch = `start watch ${fobnail("attester", "watch", "--interval", "1", ...ATTESTER)}`;
  await checks.check("the computer is enrolled with its TPM and attests: green", async () => {
    await guest.must(`here ${fobnail("attester", "--provision", ...ATTESTER)}`, PROGRAM_WITHIN_MS);
    const platform = platformOf(await event(token, "platform-provisioned"));
    await event(token, "attested");
    await green(token);
    const mac = await guest.must("cat /sys/class/net/eth0/address");
    demand(mac === MAC, `the card has ${mac}`);
    return platform;
  });
  await checks.check("the attester ends: the lamp is off within 4 s", () => darkSoon(token));
  await checks.check("attester watch: green", async () => {
    await guest.must(watch);
    await green(token);
    return undefined;
  });
  await checks.check("unplugged: the lamp is off within 4 s", async () => {
    const seen = await darkSoon(token, () => token.program.type("u"));
    await guest.must("wait_for 10 gone usb0");
    return seen;
  });
  await checks.check("plugged in again: green", async () => {
    token.program.type("u");
    await green(token);
    return undefined;
  });
  await checks.check("the token is killed and started again: green", async () => {
    await token.program.kill();
    await guest.must("wait_for 10 gone usb0");
    token = startUsbredirToken(scene, "v1");
    await green(token);
    return undefined;
  });
  await checks.check("the attester is killed: the lamp is off within 4 s", async () => {
    return darkSoon(token, () => guest.must("end watch KILL"));
  });
  await token.quit();
}

/** How long it took after what was done. */
async function darkSoon(token: Token, act: () => unknown = () => undefined): Promise<string> {
  const start = performance.now();
  await act();
  await dark(token, DARK_WITHIN_MS);
  const ms = performance.now() - start;
  demand(ms <= DARK_WITHIN_MS, `it took ${ms.toFixed(0)} ms`);
  return `after ${(ms / 1000).toFixed(1)} s`;
}

/** The published walk-through: the token asks. */
export async function v0Story(scene: Scene): Promise<void> {
  const { guest, checks } = scene;
  await keepInterfaceUp(scene);
  const token = startUsbredirToken(scene, "v0", "--api", "v0");
  await checks.check("the attester of API v0 listens on usb0", async () => {
    const attester = fobnail("attester", "serve", "--api", "v0", "--bind", COMPUTER_ADDRESS, "--verbose", ...ATTESTER);
    await guest.must(`wait_for 20 sh -c 'ip address show usb0 | grep -q ${COMPUTER_ADDRESS}'`, 25_000);
    await guest.must(`start attester ${attester}`);
    await guest.must(
      "wait_for 120 said attester Listening || { cat /host/run/attester.log; exit 1; }",
      PROGRAM_WITHIN_MS,
    );
    return undefined;
  });
  await checks.check("the token enrols the computer and attests it: green", async () => {
    const platform = platformOf(await event(token, "platform-provisioned"));
    await event(token, "attested");
    await green(token);
    return platform;
  });
  await checks.check("the attester tells the published story", async () => {
    const text = await guest.must("end attester TERM; cat /host/run/attester.log");
    const received = [...text.matchAll(/Received message: (\w+)/g)].map(([, name]) => name);
    demand(received.join() === SEVEN.join(), `received: ${received.join()}`);
    demand(text.includes("MAC:  0: D:B9:53:D2:50"), "the MAC is another");
    return received.join(" ");
  });
  await token.quit();
}

/** The stick is driven by the attester itself. */
export async function nodeUsbStory(scene: Scene): Promise<void> {
  const { guest, checks } = scene;
  await keepInterfaceUp(scene);
  const token = startUsbredirToken(scene, "node-usb");
  const binds = () => guest.must("dmesg | grep -c \"register 'cdc_eem'\"");
  let before = "";
  await checks.check("the kernel has the stick, usb list says so", async () => {
    await bound(scene, "usb0");
    before = await binds();
    const text = await guest.must(`here ${fobnail("usb", "list")}`, PROGRAM_WITHIN_MS);
    demand(/cdc_eem/.test(text), text);
    return text.split("\n").at(-1);
  });
  await checks.check("attester --usb takes it from cdc_eem and attests: green", async () => {
    const { code, text } = await guest.run(
      `here ${fobnail("attester", "--provision", ...ATTESTER, "--usb")}`,
      PROGRAM_WITHIN_MS,
    );
    demand(code === 0, `exit code ${code}: ${text}`);
    await event(token, "attested");
    await green(token);
    return text.split("\n").at(-1);
  });
  await checks.check("the interface is given back, and usb0 is alive", async () => {
    const line = await bound(scene, "usb0");
    const after = await binds();
    demand(Number(after) > Number(before), "the kernel's driver had it all the time");
    await guest.must(`wait_for 20 sh -c 'ip address show usb0 | grep -q ${COMPUTER_ADDRESS}'`, 25_000);
    await versions(scene);
    return line;
  });
  await token.quit();
}

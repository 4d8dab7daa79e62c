/** The small OS: enrolled once, then let through its gate for as long as it is what was enrolled. */
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../../attester/cli/os/run.ts";
import { concat } from "../../../shared/bytes/index.ts";
import type { Cast, Token } from "../../e2e/cast.ts";
import type { Accelerator } from "../guest.ts";
import type { Checks, Report } from "../report.ts";
import { demand, runToken } from "../scene.ts";
import { type BootFiles, readBootFiles, type SmallOs, startSmallOs, type TargetFiles } from "../small-os.ts";
import { copyTpm } from "../tpm.ts";

/** Measured on two idle processors: 8 s to the first line, 5 s to a verdict, 20 s to the second kernel; far more on a busy machine. */
const STARTS_WITHIN_MS = 120_000;
const ENDS_WITHIN_MS = 180_000;
/** Everything that is measured stands here: it is the same at each start. */
const COMMAND_LINE = "console=ttyS0 panic=-1 no_timer_check quiet fobnail.enrol=once fobnail.target=/dev/vda";
/** The second kernel starts the same OS, which attests with the same AIK. */
const TARGET_LINE = "console=ttyS0 panic=-1 no_timer_check quiet fobnail.mode=attest fobnail.target=/dev/vda";

const BANNER = /fobnail-os: fobnail \S+, Linux (\S+), mode (\w+)/;
const STOPPED = /fobnail-os: STOPPED: (.*)$/;

export interface SmallOsStage {
  readonly cast: Cast;
  readonly report: Report;
  readonly accelerator: Accelerator;
  /** A TPM that was manufactured. */
  readonly tpm: string;
  /** State of a token that has its owner. */
  readonly token: string;
  /** One virtual machine's turn on this machine. */
  readonly turn: <T>(run: () => Promise<T>) => Promise<T>;
}

interface Image {
  readonly files: BootFiles;
  readonly target: TargetFiles;
}

/** As docs/os.md says, twice: into two folders, which then hold the same bytes. */
async function build({ cast }: SmallOsStage, { check }: Checks): Promise<Image> {
  const [first, second] = [cast.path("os"), cast.path("os-again")];
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  await check("npm run os:build", async () => {
    const text = await run("npm", ["run", "--silent", "os:build", "--", "--out", first], root);
    return text.toString().trim().split("\n").at(-1);
  });
  await check("built again: the same bytes", async () => {
    await run(process.execPath, [join(root, "dist", "attester", "cli", "os", "main.js"), "--out", second], root);
    const names = ["vmlinuz", "initrd.img", "SHA256SUMS", "parts.txt"];
    const other = names.filter((name) => !readFileSync(join(first, name)).equals(readFileSync(join(second, name))));
    demand(other.length === 0, `another ${other.join(", ")}`);
    return readFileSync(join(first, "SHA256SUMS"), "utf8").split("\n")[1];
  });
  return {
    files: readBootFiles(first, COMMAND_LINE),
    target: { kernel: join(first, "vmlinuz"), initrd: join(first, "initrd.img"), commandLine: TARGET_LINE },
  };
}

/** A computer with its TPM, and a token that may know it: folders, which can be copied. */
interface Couple {
  readonly tpm: string;
  readonly token: string;
}

function copyCouple(cast: Cast, { tpm, token }: Couple, name: string): Couple {
  const copy = { tpm: copyTpm(tpm, cast.path(`${name}-tpm`)), token: `${name}-token` };
  cpSync(cast.path(token), cast.path(copy.token), { recursive: true });
  return copy;
}

interface Start {
  readonly os: SmallOs;
  readonly token: Token;
  readonly checks: Checks;
}

/** One start of the computer, with the token plugged in. */
function start(
  stage: SmallOsStage,
  name: string,
  { tpm, token: state }: Couple,
  image: Image,
  tell: (start: Start) => Promise<void>,
): Promise<boolean> {
  const { cast, report, accelerator } = stage;
  return stage.turn(() =>
    report.story(name, async (checks) => {
      const options = { cast, name: name.replaceAll(" ", "-"), accelerator, tpm, target: image.target };
      const os = await startSmallOs({ ...options, boot: image.files });
      const token = runToken(cast, state, "--usbredir", os.socket);
      try {
        await starts({ os, token, checks }, "gate", image.files.commandLine);
        await checks.check("usb0 comes up with its address", async () => {
          const [, stick] = await os.console.line(/the stick is (.*)$/, STARTS_WITHIN_MS);
          return stick;
        });
        await tell({ os, token, checks });
      } finally {
        await token.program.kill();
        await os.stop();
      }
    }),
  );
}

/** A kernel comes up with the small OS, and with nothing else on its command line. */
async function starts({ os, checks }: Start, mode: string, commandLine: string): Promise<void> {
  await checks.check(`the small OS starts, mode ${mode}`, async () => {
    const [banner, , seen] = await os.console.line(BANNER, STARTS_WITHIN_MS);
    demand(seen === mode, `it is in mode ${seen}`);
    const [, line = ""] = await os.console.line(/fobnail-os: command line: (.*)$/);
    demand(line.trimEnd() === commandLine, `its command line is ${line}`);
    return banner;
  });
}

/** The next line of the token's about an event, and why. */
async function refusal(token: Token): Promise<string> {
  const { verdict } = await token.event("attestation-failed");
  const { reason } = verdict as Readonly<Record<string, unknown>>;
  return String(reason);
}

async function stopped({ os }: Start, withinMs = ENDS_WITHIN_MS): Promise<string> {
  const [, why = ""] = await os.console.line(STOPPED, withinMs);
  return why.trimEnd();
}

async function enrolStory(start: Start): Promise<void> {
  await start.checks.check("an unknown computer is enrolled, and boots nothing", async () => {
    const why = await stopped(start);
    demand(why === "this computer is enrolled: start it again", why);
    await start.token.event("platform-provisioned");
    return why;
  });
}

async function gateStory(start: Start): Promise<void> {
  const { os, token, checks } = start;
  await checks.check("started again, it attests: green", async () => {
    const [line] = await os.console.line(/Attested with .*$/, ENDS_WITHIN_MS);
    await token.event("attested");
    await token.lamps(true, false);
    return line;
  });
  await checks.check("the gate measures its target and caps", async () => {
    const capped = /Capped at locality 0: 3 measurements .* PCR 14, a cap in PCR 7;.*$/;
    const [line] = await os.console.line(capped, ENDS_WITHIN_MS);
    await os.console.line(/Starting .*vmlinuz/, ENDS_WITHIN_MS);
    return line;
  });
  await starts(start, "attest", TARGET_LINE);
  await checks.check("behind the gate the same AIK is red: pcr-mismatch, PCR 7", async () => {
    const why = await stopped(start);
    demand(/^red: .*PCR 7 /.test(why), why);
    const reason = await refusal(token);
    demand(reason === "pcr-mismatch", reason);
    await token.lamps(false, true);
    return why;
  });
}

/** The token's word for it, and what stands on the console. */
function tamperedStory(expected: string, words: string): (start: Start) => Promise<void> {
  return async (start) => {
    const { os, token, checks } = start;
    await checks.check(`red, and the reason is ${expected}`, async () => {
      const why = await stopped(start);
      demand(why.startsWith("red"), why);
      const reason = await refusal(token);
      demand(reason === expected, reason);
      demand(why.includes(`${words} is not as recorded`), `the console says: ${why}`);
      await token.lamps(false, true);
      return why;
    });
    await checks.check("nothing was started", async () => {
      const started = os.console.lines.filter((line) => /Starting|Capped|kexec/.test(line));
      demand(started.length === 0, started.join("; "));
      return undefined;
    });
  };
}

/** The gzip header's time, which nothing reads: one byte is another, and the archive is as good as before. */
const UNREAD_AT = 4;

function withOtherInitrd({ files, target }: Image): Image {
  const { initrd } = files;
  const changed = concat(initrd.subarray(0, UNREAD_AT), Uint8Array.of(1), initrd.subarray(UNREAD_AT + 1));
  return { target, files: { ...files, initrd: changed } };
}

function withOtherCommandLine({ files, target }: Image): Image {
  return { target, files: { ...files, commandLine: files.commandLine.replace("panic=-1", "panic=-2") } };
}

export async function smallOsStories(stage: SmallOsStage): Promise<void> {
  const { cast, report } = stage;
  const images: Image[] = [];
  await report.story("os build", async (checks) => {
    images.push(await build(stage, checks));
  });
  const [image] = images;
  if (image === undefined) return;
  const couple = copyCouple(cast, stage, "os");
  if (!(await start(stage, "os enrol", couple, image, enrolStory))) return;
  const own = (name: string) => copyCouple(cast, couple, name);
  const [line, initrd] = [own("os-line"), own("os-initrd")]; // before anybody goes on with it
  await Promise.all([
    start(stage, "os gate", couple, image, gateStory),
    start(
      stage,
      "os command line",
      line,
      withOtherCommandLine(image),
      tamperedStory("command-line-changed", "command line"),
    ),
    start(stage, "os initrd", initrd, withOtherInitrd(image), tamperedStory("initrd-changed", "initrd")),
  ]);
}

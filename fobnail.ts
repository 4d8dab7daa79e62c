#!/usr/bin/env node
import { Command } from "commander";
import { runProgram } from "./attester/cli/exit.ts";
import { version } from "./hw/terminal/version.ts";

interface Door {
  readonly about: string;
  /** The command under its full name. Its code is loaded only when it is asked for. */
  open(name: string): Promise<Command>;
}

const doors: Readonly<Record<string, Door>> = {
  demo: {
    about: "token, attester and TPM in one process: the walk-through, told act by act",
    open: async (name) => (await import("./attester/cli/demo/command.ts")).demoCommand(name),
  },
  token: {
    about: "run an emulated Fobnail Token with its lamps in the terminal",
    open: async (name) => (await import("./token/cli/main.ts")).tokenCommand(name),
  },
  attester: {
    about: "the computer's side: prove to a token what this computer booted, and reach the files kept there",
    open: async (name) => (await import("./attester/cli/main.ts")).attesterCommand(name),
  },
  owner: {
    about: "the Platform Owner: make a CA, provision tokens",
    open: async (name) => (await import("./attester/owner/cli/main.ts")).ownerCommand(name),
  },
  scenario: {
    about: "run scenario files end to end, in virtual or real time",
    open: async (name) => (await import("./attester/cli/scenario/command.ts")).scenarioCommand(name),
  },
  usb: {
    about: "sticks that are plugged in, and who has them",
    open: async (name) => (await import("./attester/cli/usb.ts")).usbCommand(name),
  },
  log: {
    about: "event logs of a boot: show, replay, compare",
    open: async (name) => (await import("./attester/cli/log/command.ts")).logCommand(name),
  },
  tpm: {
    about: "software TPMs, made, served and looked into",
    open: async (name) => (await import("./attester/cli/tpm/command.ts")).tpmCommand(name),
  },
  dlme: {
    about: "the measured launch, simulated: boot a software TPM, predict PCRs, compare boots",
    open: async (name) => (await import("./attester/cli/dlme/command.ts")).dlmeCommand(name),
  },
};

const EXAMPLES = `
Examples:
  fobnail demo                      the whole story in a minute, no hardware needed
  fobnail token --net udp           a token that talks to a program on this machine
  fobnail COMMAND --help            options and examples of a command

Exit codes: 0 done, 1 refused or red, 2 usage, 3 token or TPM not reached, 70 bug.`;

function frontDoor(): Command {
  const program = new Command("fobnail")
    .description("The Fobnail Token: a USB stick that tells whether a computer booted what it should have")
    .version(version)
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES);
  for (const [name, { about }] of Object.entries(doors)) program.command(name).description(about);
  return program;
}

/** The door and what is said behind it; `help NAME` is NAME --help, and nothing is a question for help. */
async function enter(args: readonly string[]): Promise<number> {
  const [name = "--help", ...rest] = args;
  const [topic] = rest;
  if (name === "help" && topic !== undefined && Object.hasOwn(doors, topic)) return enter([topic, "--help"]);
  const door = Object.hasOwn(doors, name) ? doors[name] : undefined;
  if (door === undefined) return runProgram(frontDoor(), [name, ...rest]);
  return runProgram(await door.open(`fobnail ${name}`), rest);
}

process.exitCode = await enter(process.argv.slice(2));

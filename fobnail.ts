#!/usr/bin/env node
import { Command } from "commander";
import { runProgram } from "./hw/terminal/program.ts";
import { version } from "./hw/terminal/version.ts";

/** The front door. A command's code is loaded only when it is asked for. */
const doors: Readonly<Record<string, { readonly about: string; readonly open: () => Promise<Command> }>> = {
  demo: {
    about: "token, attester and TPM in one process: the walk-through, told act by act",
    open: async () => (await import("./attester/cli/demo/command.ts")).demoCommand(),
  },
  token: {
    about: "run an emulated Fobnail Token with its lamps in the terminal",
    open: async () => (await import("./token/cli/command.ts")).tokenCommand(),
  },
  attester: {
    about: "the computer's side: answer a token's questions with the help of a TPM",
    open: async () => (await import("./attester/cli/command.ts")).attesterCommand(),
  },
  owner: {
    about: "the Platform Owner: make a CA, provision tokens",
    open: async () => (await import("./attester/owner/cli/command.ts")).ownerCommand(),
  },
  scenario: {
    about: "run scenario files end to end, in virtual or real time",
    open: async () => (await import("./attester/cli/scenario/command.ts")).scenarioCommand(),
  },
  tpm: {
    about: "give a software TPM what its vendor gives a real one",
    open: async () => (await import("./attester/cli/tpm.ts")).tpmCommand(),
  },
};

function frontDoor(): Command {
  const program = new Command("fobnail")
    .description("The Fobnail Token: attest with a USB stick that the computer booted what it should have.")
    .version(version)
    .addHelpText(
      "after",
      `
Examples:
  $ fobnail demo                      the whole story in a minute, no hardware needed
  $ fobnail token --net udp           a token that talks to a program on this machine
  $ fobnail COMMAND --help            options and examples of a command`,
    );
  for (const [name, { about }] of Object.entries(doors)) program.command(name).description(about);
  return program;
}

const asked = process.argv[2];
const door = asked !== undefined && Object.hasOwn(doors, asked) ? doors[asked] : undefined;
if (door === undefined) {
  if (asked === undefined) process.argv.push("--help");
  await runProgram(frontDoor());
} else {
  await runProgram(new Command("fobnail").addCommand(await door.open()));
}

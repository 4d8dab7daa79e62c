import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { simCommand } from "./cli.ts";

if (isMain(import.meta.url)) process.exitCode = await runProgram(simCommand(), process.argv.slice(2));

import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { attacksCommand } from "./cli.ts";

if (isMain(import.meta.url)) process.exitCode = await runProgram(attacksCommand(), process.argv.slice(2));

import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { mutationsCommand } from "./cli.ts";

if (isMain(import.meta.url)) process.exitCode = await runProgram(mutationsCommand(), process.argv.slice(2));

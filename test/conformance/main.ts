import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { conformanceCommand } from "./cli.ts";

if (isMain(import.meta.url)) process.exitCode = await runProgram(conformanceCommand(), process.argv.slice(2));

import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { fuzzCommand } from "./cli.ts";

if (isMain(import.meta.url)) process.exitCode = await runProgram(fuzzCommand(), process.argv.slice(2));

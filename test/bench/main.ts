import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { benchCommand } from "./cli.ts";

if (isMain(import.meta.url)) process.exitCode = await runProgram(benchCommand(), process.argv.slice(2));

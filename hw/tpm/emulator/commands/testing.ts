import { commands, TpmRc } from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import { checkParameters } from "../public-area.ts";

/** Part 3, 10 and 30.3: tests. There is nothing in here that could be broken. */

const selfTest = handler(commands.SelfTest, { nv: true }, () => ({ response: {} }));

const result = handler(commands.GetTestResult, {}, () => ({
  response: { outData: new Uint8Array(0), testResult: TpmRc.SUCCESS },
}));

const parms = handler(commands.TestParms, { values: { parameters: checkParameters } }, () => ({ response: {} }));

export const testingCommands = [selfTest, result, parms] as const;

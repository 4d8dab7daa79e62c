/** PCRs of a TPM that answers what it was not asked. */
import assert from "node:assert/strict";
import { createRunner, readPcrs } from "../../../attester/tpm/index.ts";
import { encode } from "../../../shared/bytes/index.ts";
import { commands, encodeResponse, TpmAlg, type TpmlPcrSelection } from "../../../shared/tpm/index.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { seededRandom } from "../../support/random.ts";

const { SHA1, SHA256 } = TpmAlg;
const MAX_COMMANDS = 100;
const ASKED: TpmlPcrSelection = [{ hash: SHA256, pcrSelect: 1 << 17 }];

/** Reads PCRs of a TPM that gives one answer whatever it is asked. */
function readFrom(pcrSelectionOut: TpmlPcrSelection, values: number) {
  const pcrValues = Array.from({ length: values }, () => new Uint8Array(32));
  const parameters = encode(commands.PCR_Read.response, { pcrUpdateCounter: 1, pcrSelectionOut, pcrValues });
  const answer = encodeResponse({ responseCode: 0, handles: [], parameters, sessions: [] }, false);
  let asked = 0;
  const send = async () => {
    assert.ok(++asked <= MAX_COMMANDS, "it asks without an end");
    return answer;
  };
  const env = { random: seededRandom(1, "pcrs"), log: new TestLog() };
  return readPcrs(createRunner({ send, close: async () => undefined }, env), ASKED);
}

describe("PCRs of a TPM that answers otherwise than it was asked", () => {
  it("are taken where it does not", async () => {
    assert.deepEqual(await readFrom(ASKED, 1), [{ ...ASKED[0], values: [new Uint8Array(32)] }]);
    assert.deepEqual(await readFrom([], 0), []);
  });

  for (const [what, selection, values] of [
    ["another PCR", [{ hash: SHA256, pcrSelect: 1 }], 1],
    ["another PCR besides", [{ hash: SHA256, pcrSelect: (1 << 17) | 1 }], 2],
    ["another bank", [{ hash: SHA1, pcrSelect: 1 << 17 }], 1],
    ["a bank twice", [...ASKED, ...ASKED], 2],
    ["no value", ASKED, 0],
    ["a value too many", ASKED, 2],
    ["values of nothing", [], 1],
  ] as const) {
    it(`are none when it gives ${what}`, async () => {
      await assert.rejects(readFrom(selection, values), { name: "CodecError", message: /^TPM2_PCR_Read response\./ });
    });
  }
});

/** CB: bodies that one reader takes for something else than another, or that cost much to read. */
import { concat, utf8 } from "../../../shared/bytes/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { asCbor } from "../../conformance/client.ts";
import { startAttestation } from "../../conformance/flows.ts";
import { signed } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import type { Attack } from "../attack.ts";
import { said } from "../ways.ts";

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** A text string, under 24 bytes, as an item. */
const text = (value: string): Uint8Array => concat(bytes(0x60 + value.length), utf8(value));

/** The parts of the honest body of POST attest: two keys, two values. */
async function parts({ me, enrolled }: Scene) {
  const body = await signed(enrolled.machine, enrolled.metadata, await me.nonce());
  // {"data": bstr, "signature": bstr}: its values are taken as they stand.
  const [at, next] = [Buffer.from(body).indexOf("data"), Buffer.from(body).lastIndexOf("signature")];
  return { body, data: body.subarray(at + 4, next - 1), signature: body.subarray(next + 9) };
}

type Parts = Awaited<ReturnType<typeof parts>>;

/** POST attest with what `spoil` makes of an honest body. */
function spoiled(id: string, title: string, problem: string, spoil: (honest: Parts) => Uint8Array): Attack {
  return {
    id,
    title,
    expected: `4.00 ${problem}`,
    honest: "2.01",
    async attack(scene) {
      const answer = said(await scene.me.post(V1.ATTEST, asCbor(spoil(await parts(scene)))));
      return answer.replace(/^4\.00 attest[^:]*: /, "4.00 "); // where in the body it is
    },
    control: async ({ me, enrolled }) => said(await startAttestation(me, enrolled)),
  };
}

const pair = (key: string, value: Uint8Array): Uint8Array => concat(text(key), value);
const DEEP = 10_000;

export const messageAttacks: readonly Attack[] = [
  spoiled("CB-01", "write a key twice, the honest value first", 'key "data" twice', ({ data, signature }) =>
    concat(bytes(0xa3), pair("data", data), pair("signature", signature), pair("data", bytes(0x41, 1))),
  ),
  spoiled("CB-02", "write a key twice, the honest value last", 'key "data" twice', ({ data, signature }) =>
    concat(bytes(0xa3), pair("data", bytes(0x41, 1)), pair("data", data), pair("signature", signature)),
  ),
  spoiled(
    "CB-03",
    "add a key that the message does not have, named as a property of every object",
    "unknown key",
    ({ body }) => concat(bytes(0xa3), body.subarray(1), pair("__proto__", bytes(0xa0))),
  ),
  spoiled("CB-04", "nest arrays 10,000 deep", "nested too deeply", () => new Uint8Array(DEEP).fill(0x81)),
  spoiled("CB-05", "nest maps of indefinite length 10,000 deep", "nested too deeply", () =>
    concat(...Array.from({ length: DEEP }, () => bytes(0xbf, 0x61, 0x61))),
  ),
  spoiled("CB-06", "promise a byte string of 2^32 - 1 bytes", "4294967295 bytes wanted", () =>
    concat(bytes(0xa2), pair("data", bytes(0x5a, 0xff, 0xff, 0xff, 0xff, 1))),
  ),
  spoiled("CB-07", "promise an array of 2^64 - 1 items", "18446744073709552000 elements announced", () =>
    concat(bytes(0xa2), pair("data", bytes(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))),
  ),
  spoiled("CB-08", "promise a map of 2^32 - 1 entries", "4294967295 entries announced", () =>
    bytes(0xba, 0xff, 0xff, 0xff, 0xff),
  ),
  spoiled(
    "CB-09",
    "write a byte string in chunks of indefinite length",
    "indefinite length is for maps only",
    ({ data, signature }) =>
      concat(bytes(0xa2), pair("data", concat(bytes(0x5f), data, bytes(0xff))), pair("signature", signature)),
  ),
  spoiled("CB-10", "put a second message behind the first", "178 bytes too many", ({ body }) => concat(body, body)),
  spoiled("CB-11", "wrap the message into a tag", "tags are not in the plain subset", ({ body }) =>
    concat(bytes(0xd9, 0xd9, 0xf7), body),
  ),
  spoiled(
    "CB-12",
    "name a key as bytes, which text readers take for text",
    "a key that is not a text string",
    ({ data, signature }) => concat(bytes(0xa2), bytes(0x44), utf8("data"), data, pair("signature", signature)),
  ),
];

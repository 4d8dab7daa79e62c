import {
  type BlockSize,
  type CoapOption,
  OptionNumber,
  optionUint,
  optionValue,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { type Answer, expect, expectFacts, expectOneOf, expectSame } from "../answer.ts";
import { asCbor, type Body } from "../client.ts";
import { attest, certs, context, file, grantFor, openContext, write } from "../flows.ts";
import { flipped, signed } from "../platform.ts";
import type { RawPeer } from "../raw-peer.ts";
import { rimOfBytes } from "../reference-values.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "RFC 7959, 2.5";
const KIB = 6;

/** RFC 7959, 2.2. */
const block = (option: number, num: number, more: boolean, exponent = KIB): CoapOption =>
  uintOption(option, (num << 4) | (more ? 8 : 0) | exponent);

function row(id: string, title: string, run: (scene: Scene) => Promise<void>, source = SOURCE): Row {
  return { id, title, source, state: "enrolled", run };
}

/** A body cut into blocks of 64 bytes. */
function pieces({ payload }: Body): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(payload.byteLength / 64) }, (_, i) => payload.subarray(64 * i, 64 * i + 64));
}

/** Sends blocks of 64 bytes by their numbers; the last answer. */
async function upload(
  raw: RawPeer,
  path: string,
  body: Body,
  order: (count: number) => readonly number[],
): Promise<Answer> {
  const parts = pieces(body);
  let answer: Answer | undefined;
  for (const num of order(parts.length)) {
    const payload = parts[num] ?? new Uint8Array();
    const more = num < parts.length - 1;
    answer = await raw.ask("POST", path, { ...body, payload }, [block(OptionNumber.Block1, num, more, 2)]);
    if (answer.code >= 0x80) return answer;
  }
  if (answer === undefined) throw new Error("a body without blocks");
  return answer;
}

const inOrder = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

function ekIn(blockSize: BlockSize, id: string): Row {
  return row(id, `a body in blocks of ${blockSize} bytes is put together`, async ({ me, machine }) => {
    expect(await me.post(V1.EK, certs(machine.ekChain), { blockSize }), "2.01");
  });
}

const FILE = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);

/** A request of one block of the file, written out in the client's session: an endpoint would read on. */
async function readBlock(raw: RawPeer, query: string, num: number): Promise<Answer> {
  const options = [textOption(OptionNumber.UriQuery, query), block(OptionNumber.Block2, num, false)];
  raw.received.length = 0;
  return raw.ask("GET", `${V1.STORAGE}/a`, { payload: new Uint8Array() }, options);
}

/** An attested session with a file of three blocks has read the first. */
async function halfRead({ me, enrolled, rawOf }: Scene): Promise<{ readonly query: string; readonly raw: RawPeer }> {
  await attest(me, enrolled);
  expect(await write(me, enrolled, "a", FILE), "2.01");
  const query = await grantFor(me, enrolled, { method: "GET", name: "a" });
  const raw = rawOf(me);
  expectSame("the first block", expect(await readBlock(raw, query, 0), "2.05").payload, FILE.subarray(0, 1024));
  return { query, raw };
}

const GONE = ["4.00", "4.04", "4.08"] as const;

export const blockRows: readonly Row[] = [
  ekIn(16, "BL-01"),
  ekIn(64, "BL-02"),
  ekIn(256, "BL-03"),
  row(
    "BL-04",
    "a block that is lost is missed at the next one",
    async (scene) => {
      const body = certs(scene.machine.ekChain);
      const without = (count: number) => inOrder(count).filter((num) => num !== 2);
      expect(await upload(await scene.raw(), V1.EK, body, without), "4.08");
    },
    "RFC 7959, 2.9.2",
  ),
  row(
    "BL-05",
    "blocks in another order are refused",
    async (scene) => {
      const swapped = (count: number) => inOrder(count).map((num) => (num === 1 ? 2 : num === 2 ? 1 : num));
      expect(await upload(await scene.raw(), V1.EK, certs(scene.machine.ekChain), swapped), "4.08");
    },
    "RFC 7959, 2.9.2",
  ),
  row(
    "BL-06",
    "a body that begins with its second block is refused",
    async (scene) => {
      expect(
        await upload(await scene.raw(), V1.EK, certs(scene.machine.ekChain), (count) => inOrder(count).slice(1)),
        "4.08",
      );
    },
    "RFC 7959, 2.9.2",
  ),
  row("BL-07", "a block that is repeated with a new message id counts once", async (scene) => {
    const repeated = (count: number) => inOrder(count).flatMap((num) => (num === 1 ? [1, 1] : [num]));
    expect(await upload(await scene.raw(), V1.EK, certs(scene.machine.ekChain), repeated), "2.01");
  }),
  row("BL-08", "a body can begin anew after a refusal", async (scene) => {
    const [raw, body] = [await scene.raw(), certs(scene.machine.ekChain)];
    expect(await upload(raw, V1.EK, body, (count) => inOrder(count).slice(1)), "4.08");
    expect(await upload(raw, V1.EK, body, inOrder), "2.01");
  }),
  row("BL-09", "every block but the last is told to go on", async (scene) => {
    const [raw, body] = [await scene.raw(), certs(scene.machine.ekChain)];
    const [first = new Uint8Array()] = pieces(body);
    const answer = await raw.ask("POST", V1.EK, { ...body, payload: first }, [block(OptionNumber.Block1, 0, true, 2)]);
    expect(answer, "2.31");
    expectFacts("Block1", optionUint(answer.options, OptionNumber.Block1), 0x0a);
  }),
  row("BL-10", "the bodies of two peers do not mix", async (scene) => {
    const [one, other, body] = [await scene.raw(), await scene.raw(), certs(scene.machine.ekChain)];
    const [good, bad] = [pieces(body), pieces({ ...body, payload: flipped(body.payload) })];
    for (const [num, payload] of good.entries()) {
      const more = num < good.length - 1;
      const options = [block(OptionNumber.Block1, num, more, 2)];
      expect(await one.ask("POST", V1.EK, { ...body, payload }, options), more ? "2.31" : "2.01");
      const turned = { ...body, payload: bad[num] ?? payload };
      expect(await other.ask("POST", V1.EK, turned, options), more ? "2.31" : "4.03");
    }
  }),
  row(
    "BL-11",
    "a body announced as too large is refused before it is sent",
    async (scene) => {
      const options = [block(OptionNumber.Block1, 0, true), uintOption(OptionNumber.Size1, 10_000_000)];
      const answer = await (await scene.raw()).ask("POST", V1.EK, asCbor(new Uint8Array(1024)), options);
      expect(answer, "4.13");
      expectFacts("Size1 is there", optionValue(answer.options, OptionNumber.Size1) !== undefined, true);
    },
    "RFC 7959, 2.9.3",
  ),
  row(
    "BL-12",
    "a body that grows too large is refused",
    async (scene) => {
      const raw = await scene.raw();
      const options = [block(OptionNumber.Block1, 0xffff, true)];
      expect(await raw.ask("POST", V1.EK, asCbor(new Uint8Array(1024)), options), "4.13");
    },
    "RFC 7959, 2.9.3",
  ),
  row(
    "BL-13",
    "the reserved block size is refused",
    async (scene) => {
      const raw = await scene.raw();
      expect(await raw.ask("POST", V1.EK, asCbor(new Uint8Array(16)), [uintOption(OptionNumber.Block1, 7)]), "4.00");
      expect(
        await raw.ask("GET", V1.VERSION, { payload: new Uint8Array() }, [uintOption(OptionNumber.Block2, 7)]),
        "4.00",
      );
    },
    "RFC 7959, 2.2",
  ),
  row(
    "BL-14",
    "a block that is shorter than it says is refused",
    async (scene) => {
      const raw = await scene.raw();
      expect(await raw.ask("POST", V1.EK, asCbor(new Uint8Array(10)), [block(OptionNumber.Block1, 0, true)]), "4.00");
    },
    "RFC 7959, 2.2",
  ),
  row(
    "BL-15",
    "an answer comes in the blocks that are asked for",
    async (scene) => {
      await attest(scene.me, scene.enrolled);
      expect(await write(scene.me, scene.enrolled, "a", FILE), "2.01");
      const query = [await grantFor(scene.me, scene.enrolled, { method: "GET", name: "a" })];
      const answer = expect(await scene.me.get(file("a"), { query, blockSize: 64 }), "2.05");
      expectSame("the file", answer.payload, FILE);
      const sizes = scene.me.wire.seen
        .filter(({ direction }) => direction === "from-token")
        .map(({ message }) => message?.payload.byteLength ?? 0);
      expectFacts(
        "blocks of 64 bytes",
        sizes.filter((size) => size === 64).length >= Math.floor(FILE.byteLength / 64),
        true,
      );
    },
    "RFC 7959, 2.4",
  ),
  row(
    "BL-16",
    "a block behind the end is refused",
    async (scene) => {
      const options = [block(OptionNumber.Block2, 9, false)];
      expect(await (await scene.raw()).ask("GET", V1.VERSION, { payload: new Uint8Array() }, options), "4.00");
    },
    "RFC 7959, 2.4",
  ),
  row(
    "BL-17",
    "an unfinished read is served on while the session lives",
    async (scene) => {
      const { query, raw } = await halfRead(scene);
      expectSame("the second block", expect(await readBlock(raw, query, 1), "2.05").payload, FILE.subarray(1024, 2048));
    },
    "RFC 7959, 2.4",
  ),
  row(
    "BL-18",
    "an unfinished read is served to nobody once the session ended",
    async (scene) => {
      const { query, raw } = await halfRead(scene);
      await scene.me.silentFor(3_000);
      expectOneOf(await readBlock(raw, query, 1), GONE);
    },
    "docs/api.md, Extension 1; defect 2 of the reference",
  ),
  row(
    "BL-19",
    "an unfinished read is not served to another port",
    async (scene) => {
      const { query } = await halfRead(scene);
      expectOneOf(await readBlock(await scene.raw(), query, 1), GONE);
    },
    "docs/api.md, Extension 1; defect 2 of the reference",
  ),
  row("BL-20", "reference values of 6000 bytes come in whole", async ({ me, machine }) => {
    const id = await openContext(me, machine);
    const body = asCbor(await signed(machine, rimOfBytes(6000), await me.nonce()));
    expect(await me.post(context(id, "/rim"), body, { blockSize: 128 }), "2.01");
  }),
];

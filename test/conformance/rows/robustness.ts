import {
  Code,
  codeText,
  emptyMessage,
  encodeMessage,
  MessageType,
  OptionNumber,
  textOption,
} from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { expect, expectFacts, expectOther, expectSame } from "../answer.ts";
import { asBytes, asCbor, type Client } from "../client.ts";
import { attest, context, enrol, file, filledContext, sendEk } from "../flows.ts";
import { signed, text } from "../platform.ts";
import { type RawPeer, requestOf } from "../raw-peer.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";
import { Unmet } from "../unmet.ts";

const NOTHING = { payload: new Uint8Array() };

function row(id: string, title: string, source: string, run: (scene: Scene) => Promise<void>): Row {
  return { id, title, source, state: "enrolled", run };
}

/** The token still answers. */
async function alive(scene: Scene): Promise<void> {
  expect(await (await scene.peer()).get(V1.VERSION), "2.05");
}

/** What a message that breaks the format is answered: RST to a confirmable one, nothing to any other. */
async function resetOrSilence(raw: RawPeer, datagram: Uint8Array, wanted: "RST" | "silence"): Promise<void> {
  raw.sendBytes(datagram);
  const answer = await raw.next(300);
  const seen = answer === undefined ? "silence" : answer.type === MessageType.Rst ? "RST" : `type ${answer.type}`;
  if (seen !== wanted) throw new Unmet(`${Buffer.from(datagram).toString("hex")}: ${wanted} expected, ${seen} seen`);
}

function malformed(
  id: string,
  title: string,
  wanted: "RST" | "silence",
  datagram: Uint8Array,
  source = "RFC 7252, 4.2",
): Row {
  return row(id, title, source, async (scene) => {
    await resetOrSilence(await scene.raw(), datagram, wanted);
    await alive(scene);
  });
}

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** The session's nonce is still this one: metadata signed over it opens an attestation. */
async function stillGood(client: Client, { enrolled }: Scene, nonce: Uint8Array): Promise<void> {
  expect(await client.post(V1.ATTEST, asCbor(await signed(enrolled.machine, enrolled.metadata, nonce))), "2.01");
}

async function enrolAndAttest(scene: Scene): Promise<void> {
  const made = await scene.platform();
  await enrol(scene.me, made);
  await attest(scene.me, made);
}

export const robustnessRows: readonly Row[] = [
  row(
    "RB-01",
    "the same confirmable message again gets the same answer, and runs once",
    "RFC 7252, 4.5; defect 11 of the reference",
    async (scene) => {
      const raw = await scene.raw();
      const sent = raw.send(requestOf("GET", V1.NONCE, NOTHING));
      const first = await raw.answerTo(sent, "GET nonce");
      raw.sendBytes(encodeMessage(sent));
      expectSame("the nonce", (await raw.answerTo(sent, "GET nonce again")).payload, first.payload);
    },
  ),
  row(
    "RB-02",
    "an enrolment that is finished by a message sent twice is answered twice",
    "RFC 7252, 4.5; defect 11 of the reference",
    async (scene) => {
      const { me } = scene;
      const path = context(await filledContext(me, await scene.platform()));
      let lost = 0;
      me.wire.fate = (direction, _n, message) =>
        direction === "from-token" && message?.code === Code.Changed && lost++ === 0 ? "lose" : "pass";
      expect(await me.post(path), "2.04");
      expectFacts("answers lost", lost > 0, true);
    },
  ),
  row("RB-03", "the same non-confirmable message again is not answered again", "RFC 7252, 4.5", async (scene) => {
    const raw = await scene.raw();
    const sent = raw.send({ ...requestOf("GET", V1.NONCE, NOTHING), type: MessageType.Non });
    expectFacts("answer", codeText((await raw.next())?.code ?? 0), "2.05");
    raw.sendBytes(encodeMessage(sent));
    await raw.hearsNothing("the message again");
  }),
  row(
    "RB-04",
    "a non-confirmable request gets a non-confirmable answer with its token",
    "RFC 7252, 5.2.3",
    async (scene) => {
      const raw = await scene.raw();
      raw.send({ ...requestOf("GET", V1.VERSION, NOTHING), type: MessageType.Non, coapToken: bytes(1, 2, 3) });
      const answer = await raw.next();
      expectFacts("type and code", [answer?.type, codeText(answer?.code ?? 0)], [MessageType.Non, "2.05"]);
      expectSame("token", answer?.coapToken ?? bytes(), bytes(1, 2, 3));
    },
  ),
  row("RB-05", "the answer carries the request's token, of eight bytes too", "RFC 7252, 5.3.1", async (scene) => {
    const raw = await scene.raw();
    const coapToken = bytes(1, 2, 3, 4, 5, 6, 7, 8);
    raw.send({ ...requestOf("GET", V1.VERSION, NOTHING), coapToken });
    expectSame("token", (await raw.next())?.coapToken ?? bytes(), coapToken);
  }),
  row("RB-06", "a message id that comes again with another token is a new request", "RFC 7252, 4.4", async (scene) => {
    const raw = await scene.raw();
    const request = { ...requestOf("GET", V1.NONCE, NOTHING), messageId: 7 };
    const first = await raw.answerTo(raw.send({ ...request, coapToken: bytes(1) }), "GET nonce");
    const second = await raw.answerTo(raw.send({ ...request, coapToken: bytes(2) }), "GET nonce");
    expectOther("nonces", first.payload, second.payload);
  }),
  row(
    "RB-07",
    "a message id and a token that come again with another query are a new request",
    "docs/api.md, Every request; D-35",
    async (scene) => {
      const raw = await scene.raw();
      const ask = async (query: string) => {
        const options = [textOption(OptionNumber.UriQuery, query)];
        const fields = { messageId: 7, coapToken: bytes(1) };
        const sent = raw.send({ ...requestOf("GET", V1.NONCE, NOTHING, options), ...fields });
        return raw.answerTo(sent, `GET nonce?${query}`);
      };
      const [first, second] = [expect(await ask("a=1"), "2.05"), expect(await ask("a=2"), "2.05")];
      expectOther("nonces", first.payload, second.payload);
    },
  ),
  malformed(
    "RB-11",
    "a ping is answered with a RST",
    "RST",
    encodeMessage(emptyMessage(MessageType.Con, 99)),
    "RFC 7252, 4.3",
  ),
  malformed("RB-12", "an empty datagram is passed over", "silence", bytes()),
  malformed("RB-13", "a datagram of three bytes is passed over", "silence", bytes(0x40, 0x01, 0x00)),
  malformed(
    "RB-14",
    "another version of the protocol is passed over",
    "silence",
    bytes(0x80, 0x01, 0, 1),
    "RFC 7252, 3",
  ),
  malformed(
    "RB-15",
    "a token of nine bytes is a format error",
    "RST",
    bytes(0x49, 0x01, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    "RFC 7252, 3",
  ),
  malformed(
    "RB-16",
    "a payload marker without a payload is a format error",
    "RST",
    bytes(0x40, 0x01, 0, 1, 0xff),
    "RFC 7252, 3",
  ),
  malformed("RB-17", "a code of a reserved class is a format error", "RST", bytes(0x40, 0x21, 0, 1)),
  malformed(
    "RB-18",
    "bytes behind an empty message are a format error",
    "RST",
    bytes(0x40, 0x00, 0, 1, 0xb1, 0x61),
    "RFC 7252, 4.1",
  ),
  malformed(
    "RB-19",
    "an option longer than its message is a format error",
    "RST",
    bytes(0x40, 0x01, 0, 1, 0xbd, 0xff),
    "RFC 7252, 3.1",
  ),
  malformed(
    "RB-20",
    "a reserved option delta is a format error",
    "RST",
    bytes(0x40, 0x01, 0, 1, 0xf1, 0x00),
    "RFC 7252, 3.1",
  ),
  malformed(
    "RB-21",
    "the same errors in a non-confirmable message are passed over",
    "silence",
    bytes(0x50, 0x01, 0, 1, 0xff),
  ),
  malformed("RB-22", "an acknowledgement nobody waits for is passed over", "silence", bytes(0x60, 0x45, 0, 1)),
  row("RB-23", "two hundred datagrams of noise stop nothing", "RFC 7252, 4.2", async (scene) => {
    const [raw, nonce] = [await scene.raw(), await scene.me.nonce()];
    for (let i = 0; i < 200; i++) raw.sendBytes(scene.random.bytes(1 + (i % 90)));
    await scene.wait(100);
    await stillGood(scene.me, scene, nonce);
  }),
  row(
    "RB-24",
    "a hundred peers and three hundred requests stop no attested session",
    "docs/api.md, Sessions",
    async (scene) => {
      await attest(scene.me, scene.enrolled);
      for (let i = 0; i < 100; i++) {
        const raw = await scene.raw();
        for (let n = 0; n < 3; n++) raw.send(requestOf("GET", V1.NONCE, NOTHING));
      }
      await scene.wait(10);
      expect(await scene.me.ask("DELETE", file("a")), scene.by("4.01", "2.02"));
      await alive(scene);
    },
  ),
  row(
    "RB-25",
    "an option of 1200 bytes and a path of 300 segments are refused, not suffered",
    "RFC 7252, 5.4",
    async (scene) => {
      const raw = await scene.raw();
      const long = { number: 11, value: new Uint8Array(1200).fill(0x61) };
      expect(await raw.ask("GET", "/", NOTHING, [long]), "4.02");
      const segments = Array.from({ length: 300 }, () => ({ number: 11, value: text("a") }));
      expect(await raw.ask("GET", "/", NOTHING, segments), "4.04");
      await alive(scene);
    },
  ),
  row("RB-26", "a path that is no UTF-8 is refused", "RFC 7252, 5.4.3; RFC 3629", async (scene) => {
    const raw = await scene.raw();
    expect(await raw.ask("GET", "/", NOTHING, [{ number: 11, value: bytes(0xc3, 0x28) }]), "4.02");
  }),
  row(
    "RB-27",
    "a platform is provisioned and attests although every seventh request and every fifth answer is lost",
    "RFC 7252, 4.2",
    async (scene) => {
      const lost = (direction: string, n: number) => (direction === "to-token" ? n % 7 === 6 : n % 5 === 3);
      scene.me.wire.fate = (direction, n) => (lost(direction, n) ? "lose" : "pass");
      await enrolAndAttest(scene);
    },
  ),
  row(
    "RB-28",
    "a platform is provisioned and attests although every datagram is sent twice",
    "RFC 7252, 4.5",
    async (scene) => {
      const { me } = scene;
      const send = me.wire.send.bind(me.wire);
      me.wire.send = (datagram, to) => {
        send(datagram, to);
        send(datagram, to);
      };
      await enrolAndAttest(scene);
    },
  ),
  row("RB-29", "a RST to an answer ends nothing", "RFC 7252, 4.2", async (scene) => {
    const raw = await scene.raw();
    const sent = raw.send(requestOf("GET", V1.NONCE, NOTHING));
    await raw.answerTo(sent, "GET nonce");
    raw.sendBytes(encodeMessage(emptyMessage(MessageType.Rst, sent.messageId)));
    expect(await raw.ask("GET", V1.NONCE), "2.05");
  }),
  row("RB-30", "a body where none belongs does no harm", "RFC 7252, 5.8.1", async (scene) => {
    const answer = await scene.me.ask("GET", V1.VERSION, asBytes(new Uint8Array(900)));
    expect(answer, "2.05");
    await sendEk(scene.me, scene.machine);
  }),
];

/** CO: CoAP messages and blocks that are to cost the token much, or to be taken for somebody else's. */
import {
  Code,
  codeText,
  decodeMessage,
  emptyMessage,
  encodeMessage,
  MessageType,
  NO_BYTES,
  NO_OPTIONS,
  OptionNumber,
  uintOption,
} from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { expect } from "../../conformance/answer.ts";
import { asBytes } from "../../conformance/client.ts";
import { attest, file, read, write } from "../../conformance/flows.ts";
import { type RawPeer, requestOf } from "../../conformance/raw-peer.ts";
import type { Scene } from "../../conformance/scene.ts";
import type { Attack } from "../attack.ts";
import { attestsSaid, enrolledAttests, said } from "../ways.ts";

const NOTHING = { payload: NO_BYTES };
const KILO = new Uint8Array(1024);
/** Of 1024 bytes each. */
const block1 = (number: number, more: boolean) => uintOption(OptionNumber.Block1, (number << 4) | (more ? 8 : 0) | 6);
const uploadTo = (path: string, number: number, more: boolean) =>
  requestOf("PUT", path, asBytes(KILO), [block1(number, more)]);

/** The largest body of a request: docs/api.md, Every request. */
const BODY_BYTES = 65_536;
/** IPv4 and UDP headers. */
const HEADERS_BYTES = 28;

/** Resets pings, and what else it did not ask for, as any CoAP endpoint does. */
function reset(victim: RawPeer, datagram: Uint8Array): void {
  const { type, messageId } = decodeMessage(datagram);
  if (type !== MessageType.Con && type !== MessageType.Non) return;
  victim.sendBytes(encodeMessage(emptyMessage(MessageType.Rst, messageId)));
}

type React = (victim: RawPeer, datagram: Uint8Array) => void;

/** What a victim gets for one datagram in its name: bytes on the wire to bytes on the wire. */
async function factorOf(scene: Scene, datagram: Uint8Array, react: React): Promise<number> {
  const victim = await scene.raw();
  let bytes = 0;
  victim.wire.onDatagram((got) => {
    bytes += got.byteLength + HEADERS_BYTES;
    react(victim, got);
  });
  victim.sendBytes(datagram);
  await scene.wait(300_000);
  return bytes / (datagram.byteLength + HEADERS_BYTES);
}

const small = (fields: Parameters<typeof encodeMessage>[0]) => encodeMessage(fields);
const base = { type: MessageType.Con, messageId: 1, coapToken: NO_BYTES, options: NO_OPTIONS, payload: NO_BYTES };

/** What anybody may send whose answer is long for it. */
const tempting: readonly Uint8Array[] = [
  small(emptyMessage(MessageType.Con, 1)),
  small({ ...base, code: Code.Get }),
  small({ ...base, code: Code.Post }),
  small({ ...base, ...requestOf("GET", V1.VERSION, NOTHING) }),
  small({ ...base, ...requestOf("GET", V1.NONCE, NOTHING) }),
  small({ ...base, ...requestOf("GET", V1.NONCE, NOTHING), type: MessageType.Non }),
  small({ ...base, ...requestOf("GET", V1.STORAGE, NOTHING) }),
  small({ ...base, ...requestOf("POST", V1.ATTEST, NOTHING) }),
  small({ ...base, ...requestOf("POST", V1.GRANT, NOTHING) }),
  small({ ...base, ...requestOf("FETCH", V1.PLATFORMS, NOTHING) }),
  small({ ...base, code: Code.Get, options: [{ number: 9, value: NO_BYTES }] }),
  Uint8Array.of(0x40, 1, 0, 1, 0xff),
];

/** "at most `most` times the bytes", with the worst that was measured. */
async function worstFactor(scene: Scene, most: number, react: React): Promise<string> {
  let worst = 0;
  for (const datagram of tempting) worst = Math.max(worst, await factorOf(scene, datagram, react));
  return worst <= most ? `at most ${most} times the bytes, ${worst.toFixed(2)} measured` : `${worst} times`;
}

/** What RFC 9000, 8.1 lets a server send to an address that is not validated. */
const AMPLIFICATION = 3;
/** A ping each second for a minute and a little: what a victim gets that answers them. */
const AMPLIFICATION_ANSWERED = 50;

/** A file of several blocks comes and goes, in an attested session. */
const storesFile = async ({ peer, enrolled }: Scene): Promise<string> => {
  const client = await peer();
  await attest(client, enrolled);
  expect(await write(client, enrolled, "long", new Uint8Array(5_000)), "2.01");
  return `${said(await read(client, enrolled, "long"))}, ${(await read(client, enrolled, "long")).payload.byteLength} bytes`;
};

const firstOf = (raw: RawPeer): string => {
  const message = raw.received.shift();
  return message === undefined ? "silence" : said(message);
};

export const transportAttacks: readonly Attack[] = [
  {
    id: "CO-01",
    title: "send an option of 1200 bytes",
    expected: "4.02",
    honest: "2.04",
    attack: async ({ raw }) =>
      said(
        await (await raw()).ask("GET", "/", NOTHING, [{ number: OptionNumber.UriPath, value: new Uint8Array(1200) }]),
      ),
    control: enrolledAttests,
  },
  {
    id: "CO-02",
    title: "send 1,300 empty options, the repeatable path among them",
    expected: "4.04",
    honest: "2.04",
    async attack({ raw }) {
      const many = Array.from({ length: 1_300 }, () => ({ number: OptionNumber.UriPath, value: NO_BYTES }));
      return said(await (await raw()).ask("GET", "/", NOTHING, many));
    },
    control: enrolledAttests,
  },
  {
    id: "CO-03",
    title: "send an option whose length goes past the message",
    expected: "RST",
    honest: "2.04",
    async attack({ raw }) {
      const peer = await raw();
      peer.sendBytes(Uint8Array.of(0x40, 1, 0, 1, 0xbe, 0xff, 0xff, 0x61));
      const answer = await peer.next();
      return answer?.type === MessageType.Rst ? "RST" : "something else";
    },
    control: enrolledAttests,
  },
  {
    id: "CO-04",
    title: "begin 64 KiB uploads from 500 ports and leave them unfinished",
    expected: "16 of 500 go on, 1 MiB at most",
    honest: "2.05, 5000 bytes",
    async attack(scene) {
      const peers: RawPeer[] = [];
      for (let i = 0; i < 500; i++) {
        const raw = await scene.raw();
        expect(await raw.answerTo(raw.send(uploadTo(V1.EK, 0, true)), "the first block"), "2.31");
        peers.push(raw);
      }
      let kept = 0;
      for (const raw of peers.toReversed()) {
        const { code } = await raw.answerTo(raw.send(uploadTo(V1.EK, 1, true)), "the second block");
        if (code === Code.Continue) kept++;
      }
      return `${kept} of 500 go on, ${(kept * BODY_BYTES) / 2 ** 20} MiB at most`;
    },
    control: storesFile,
  },
  {
    id: "CO-05",
    title: "send a body of more than 65,536 bytes, block by block",
    expected: "4.13",
    honest: "2.05, 5000 bytes",
    async attack({ raw }) {
      const peer = await raw();
      for (let n = 0; n < 66; n++) {
        const answer = await peer.answerTo(peer.send(uploadTo(V1.EK, n, true)), "a block");
        if (answer.code !== Code.Continue) return said(answer);
      }
      return "2.31 to all";
    },
    control: storesFile,
  },
  {
    id: "CO-06",
    title: "announce a body of 4 GiB in Size1",
    expected: "4.13",
    honest: "2.05, 5000 bytes",
    async attack({ raw }) {
      const options = [block1(0, true), uintOption(OptionNumber.Size1, 0xffff_ffff)];
      return said(await (await raw()).ask("PUT", V1.EK, asBytes(KILO), options));
    },
    control: storesFile,
  },
  {
    id: "CO-07",
    title: "begin a body with its last possible block (number 2^20 - 1)",
    expected: "4.13",
    honest: "2.05, 5000 bytes",
    attack: async ({ raw }) => said(await (await raw()).ask("POST", V1.EK, asBytes(KILO), [block1(0xf_ffff, true)])),
    control: storesFile,
  },
  {
    id: "CO-08",
    title: "go on with the upload of another port",
    expected: "4.08",
    honest: "2.05, 5000 bytes",
    async attack({ raw }) {
      const [victim, thief] = [await raw(), await raw()];
      await victim.answerTo(victim.send(uploadTo(V1.EK, 0, true)), "the first block");
      return said(await thief.answerTo(thief.send(uploadTo(V1.EK, 1, false)), "the second block"));
    },
    control: storesFile,
  },
  {
    id: "CO-09",
    title: "let the token answer somebody who did not ask (a spoofed source address)",
    expected: `at most ${AMPLIFICATION} times the bytes`,
    honest: "2.04",
    attack: (scene) => worstFactor(scene, AMPLIFICATION, () => undefined),
    control: enrolledAttests,
  },
  {
    id: "CO-10",
    title: "use another peer's message id and token to get the answer that it was given",
    expected: "another nonce",
    honest: "the same nonce",
    async attack({ raw }) {
      const [victim, thief] = [await raw(), await raw()];
      const sent = victim.send(requestOf("GET", V1.NONCE, NOTHING));
      const answer = await victim.answerTo(sent, "GET nonce");
      thief.sendBytes(encodeMessage(sent));
      const stolen = await thief.answerTo(sent, "GET nonce");
      return Buffer.from(answer.payload).equals(stolen.payload) ? "the same nonce" : "another nonce";
    },
    control: async ({ raw }) => {
      const peer = await raw();
      const sent = peer.send(requestOf("GET", V1.NONCE, NOTHING));
      const answer = await peer.answerTo(sent, "GET nonce");
      peer.sendBytes(encodeMessage(sent));
      const again = await peer.answerTo(sent, "GET nonce again");
      return Buffer.from(answer.payload).equals(again.payload) ? "the same nonce" : "another nonce";
    },
  },
  {
    id: "CO-11",
    title: "take a port over and ask something else with a message id that was used",
    expected: "4.04 not attested",
    honest: "2.04",
    async attack({ raw }) {
      const peer = await raw();
      const sent = peer.send(requestOf("GET", V1.NONCE, NOTHING));
      await peer.answerTo(sent, "GET nonce");
      const other = peer.send({ ...requestOf("GET", `${V1.STORAGE}/key`, NOTHING), messageId: sent.messageId });
      return said(await peer.answerTo(other, "GET file"));
    },
    control: enrolledAttests,
  },
  {
    id: "CO-12",
    title: "open sessions from 900 ports while somebody is green",
    expected: "lamps G, 4.01",
    honest: "2.04",
    async attack(scene) {
      const { me, enrolled } = scene;
      await attest(me, enrolled);
      for (let i = 0; i < 900; i++) (await scene.raw()).send(requestOf("GET", V1.NONCE, NOTHING));
      await scene.wait(10);
      return `lamps ${scene.lamps}, ${said(await me.get(file("none"))).slice(0, 4)}`;
    },
    control: async ({ me, enrolled }) => attestsSaid(me, enrolled),
  },
  {
    id: "CO-13",
    title: "send 20,000 datagrams of noise",
    expected: "nothing but RSTs and refusals",
    honest: "2.04",
    async attack(scene) {
      const raw = await scene.raw();
      for (let i = 0; i < 20_000; i++) raw.sendBytes(scene.random.bytes(1 + (i % 60)));
      await scene.wait(10);
      const wrong = raw.received.find(({ type, code }) => type !== MessageType.Rst && code < 0x80);
      return wrong === undefined ? "nothing but RSTs and refusals" : codeText(wrong.code);
    },
    control: enrolledAttests,
  },
  {
    id: "CO-14",
    title: "answer what the token never asked",
    expected: "silence",
    honest: "2.04",
    async attack({ raw }) {
      const peer = await raw();
      for (const type of [MessageType.Ack, MessageType.Rst]) {
        peer.sendBytes(encodeMessage({ ...base, type, code: type === MessageType.Ack ? Code.Content : Code.Empty }));
      }
      await peer.next(500);
      return firstOf(peer);
    },
    control: enrolledAttests,
  },
  {
    id: "CO-15",
    title: "let the token ping somebody for ever who did not ask, but answers pings as any CoAP endpoint",
    expected: `at most ${AMPLIFICATION_ANSWERED} times the bytes`,
    honest: "2.04",
    attack: (scene) => worstFactor(scene, AMPLIFICATION_ANSWERED, reset),
    control: enrolledAttests,
  },
];

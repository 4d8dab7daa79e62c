/** SE: other programs of the computer, and who has a session without a right to it. */
import { concat, utf8 } from "../../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { encodeMessage, NO_BYTES, OptionNumber, uintOption } from "../../../shared/coap/index.ts";
import { Limit, PlatformList, PlatformRemove, Rim, SESSION_MS, V1 } from "../../../shared/protocol/index.ts";
import { bodyOf, expect } from "../../conformance/answer.ts";
import { asBytes } from "../../conformance/client.ts";
import {
  asOwner,
  attest,
  enrol,
  failAttestation,
  file,
  grantFor,
  postSigned,
  read,
  withGrant,
  write,
} from "../../conformance/flows.ts";
import type { Platform } from "../../conformance/platform.ts";
import { type RawPeer, requestOf } from "../../conformance/raw-peer.ts";
import type { Scene } from "../../conformance/scene.ts";
import type { Attack } from "../attack.ts";
import { enrolledAttests, enrolSaid, said } from "../ways.ts";

const SECRET = utf8("secret");
const LARGE = new Uint8Array(5_000).fill(1);

/** An attested session with a file, and whoever writes messages out from its address and port: the program that took the port over. */
async function takenOver(scene: Scene, granted: boolean) {
  const { me, enrolled } = scene;
  await attest(me, enrolled);
  const wrote = granted ? await write(me, enrolled, "key", SECRET) : await me.ask("PUT", file("key"), asBytes(SECRET));
  expect(wrote, "2.01");
  return scene.rawOf(me);
}

/** What the very datagram that read a file is answered, sent again behind so long a silence. */
async function readAgain({ me, enrolled }: Scene, thief: RawPeer, silentMs: number): Promise<string> {
  const query = await grantFor(me, enrolled, { method: "GET", name: "key" });
  thief.received.length = 0; // what the session's own program was answered
  const uri = { number: OptionNumber.UriQuery, value: utf8(query) };
  const sent = thief.send(requestOf("GET", `${V1.STORAGE}/key`, { payload: NO_BYTES }, [uri]));
  expect(await thief.answerTo(sent, "the first"), "2.05");
  await me.silentFor(silentMs);
  thief.received.length = 0; // the token may have pinged
  thief.sendBytes(encodeMessage(sent));
  return said(await thief.answerTo(sent, "the second"));
}

/** What is said to the first platform for which there is no room; each enrols as `grown`. */
async function enrolUntilFull(scene: Scene, grown = (platform: Platform) => platform): Promise<string> {
  const { peer, platform, softwareMachine } = scene;
  const [client, machine] = [await peer(), softwareMachine()];
  for (let i = 0; i < 2 * Limit.PLATFORMS; i++) {
    const last = await enrolSaid(client, grown(await platform(machine)));
    if (last !== "2.04") return last;
  }
  return "no end";
}

/** With values of banks that nobody asks for; 5.4 KB of them. */
function withIdleBanks(platform: Platform): Platform {
  const { banks, update_ctr } = decodeCbor(Rim, platform.rim);
  const idle = [0x0c, 0x0d].map((algo_id) => {
    const pcr = Array.from({ length: 24 }, () => new Uint8Array(algo_id === 0x0c ? 48 : 64));
    return { algo_id, pcrs: 0xffffff, pcr };
  });
  const own = banks.filter(({ algo_id }) => algo_id < 0x0c);
  return { ...platform, rim: encodeCbor(Rim, { update_ctr, banks: [...own, ...idle] }) };
}

/** The owner takes platforms away that nobody attested. */
async function removeFlood({ me, random, keys }: Scene, count: number): Promise<void> {
  const listed = await asOwner(me, keys.owner.issuing, random, { method: "FETCH", path: V1.PLATFORMS });
  const flood = bodyOf(listed, PlatformList).platforms.filter(({ attested }) => attested === 0);
  if (flood.length === 0) throw new Error("no platform of the attacker's");
  for (const { id } of flood.slice(0, count)) {
    const body = encodeCbor(PlatformRemove, { id });
    const request = { method: "POST", path: `${V1.PLATFORMS}/remove`, body } as const;
    expect(await asOwner(me, keys.owner.issuing, random, request), "2.02");
  }
}

const reads = async ({ me, enrolled }: Scene): Promise<string> => said(await read(me, enrolled, "key"));

/** A name that is no file's, written with the AIK's consent. */
function named(id: string, title: string, expected: string, name: string): Attack {
  return {
    id,
    title,
    expected,
    honest: "2.01",
    async attack({ me, enrolled }) {
      await attest(me, enrolled);
      return said(await withGrant(me, enrolled, { method: "PUT", name, body: SECRET }));
    },
    control: async ({ me, enrolled }) => said(await write(me, enrolled, "a..b", SECRET)),
  };
}

const NO_NAME = "4.03 not the name of a file";
const block1 = (number: number, more: boolean) => uintOption(OptionNumber.Block1, (number << 4) | (more ? 8 : 0) | 2);

export const sessionAttacks: readonly Attack[] = [
  {
    id: "SE-01",
    title: "take over the port of an attested session and read its file",
    expected: "4.01 a grant is needed",
    honest: "2.05",
    async attack(scene) {
      const thief = await takenOver(scene, true);
      return said(await thief.ask("GET", `${V1.STORAGE}/key`));
    },
    control: reads,
  },
  {
    id: "SE-02",
    title: "compat: take over the port of an attested session and read its file",
    expected: "2.05",
    honest: "4.04 not attested",
    profile: "compat",
    async attack(scene) {
      const thief = await takenOver(scene, false);
      return said(await thief.ask("GET", `${V1.STORAGE}/key`));
    },
    control: async ({ peer }) => said(await (await peer()).get(file("key"))),
  },
  {
    id: "SE-03",
    title: "take over the port of an attested session and keep its lamp green with pings",
    expected: "lamps G after 59 s",
    honest: "lamps - after 59 s",
    async attack(scene) {
      await takenOver(scene, true);
      await scene.wait(59_000); // the port answers the token's pings, whoever has it
      return `lamps ${scene.lamps} after 59 s`;
    },
    async control(scene) {
      await scene.me.silentFor(59_000);
      return `lamps ${scene.lamps} after 59 s`;
    },
  },
  {
    id: "SE-04",
    title: "ask from another port of the computer, while a session is green",
    expected: "4.04 not attested",
    honest: "2.05",
    async attack(scene) {
      await takenOver(scene, true);
      return said(await (await scene.peer()).get(file("key")));
    },
    control: reads,
  },
  {
    id: "SE-05",
    title: "finish the unfinished upload of a port that was taken over, with other bytes",
    expected: "4.08",
    honest: "2.05",
    async attack(scene) {
      const thief = await takenOver(scene, true);
      const body = concat(new Uint8Array(64).fill(1), new Uint8Array(10).fill(2));
      const query = await grantFor(scene.me, scene.enrolled, { method: "PUT", name: "key", body });
      thief.received.length = 0; // what the session's own program was answered
      const uri = { number: OptionNumber.UriQuery, value: utf8(query) };
      const begun = await thief.ask("PUT", `${V1.STORAGE}/key`, asBytes(body.subarray(0, 64)), [uri, block1(0, true)]);
      expect(begun, "2.31");
      return said(await thief.ask("PUT", `${V1.STORAGE}/key`, asBytes(new Uint8Array(10)), [block1(1, false)]));
    },
    control: reads,
  },
  {
    id: "SE-06",
    title: "read the file of another platform",
    expected: "4.04 no such file",
    honest: "2.05",
    async attack(scene) {
      await takenOver(scene, true);
      const other = await scene.platform(scene.softwareMachine({ aik: "restricted-rsa" }));
      const peer = await scene.peer();
      await enrol(peer, other);
      await attest(peer, other);
      return said(await read(peer, other, "key"));
    },
    control: reads,
  },
  {
    id: "SE-07",
    title: "use a grant to read for writing",
    expected: "4.01 a grant is needed",
    honest: "2.05",
    async attack(scene) {
      await takenOver(scene, true);
      const query = [await grantFor(scene.me, scene.enrolled, { method: "GET", name: "key" })];
      return said(await scene.me.ask("PUT", file("key"), asBytes(SECRET), { query }));
    },
    control: reads,
  },
  {
    id: "SE-08",
    title: "guess grants",
    expected: "4.01 a grant is needed",
    honest: "2.05",
    async attack(scene) {
      await takenOver(scene, true);
      let last = "";
      for (let i = 0; i < 200; i++) {
        const guess = Buffer.from(scene.random.bytes(16)).toString("hex");
        last = said(await scene.me.get(file("key"), { query: [`grant=${guess}`] }));
        if (!last.startsWith("4.01")) break;
      }
      return last;
    },
    control: reads,
  },
  {
    id: "SE-09",
    title: "keep green although the session's next evidence was red",
    expected: "4.04 not attested",
    honest: "2.04",
    async attack({ me, enrolled }) {
      await attest(me, enrolled);
      expect(await failAttestation(me, enrolled), "4.03");
      return said(await me.get(file("key")));
    },
    control: enrolledAttests,
  },
  named("SE-10", "name a file ..", NO_NAME, ".."),
  named("SE-11", "name a file with a slash in its one segment", NO_NAME, "../flash.img"),
  named("SE-12", "name a file with a NUL", NO_NAME, "key\0.txt"),
  named("SE-13", "leave the name empty", NO_NAME, ""),
  {
    id: "SE-14",
    title: "name a file with bytes that are no UTF-8",
    expected: "4.02",
    honest: "2.05",
    async attack(scene) {
      const thief = await takenOver(scene, true);
      const bad = { number: OptionNumber.UriPath, value: Uint8Array.of(0xc0, 0xae) };
      return said(await thief.ask("GET", V1.STORAGE, undefined, [bad]));
    },
    control: reads,
  },
  {
    id: "SE-15",
    title: "remove a platform with another key than the owner's issuing key",
    expected: "4.03",
    honest: "2.05",
    async attack({ me, random, vendor }) {
      return said(await asOwner(me, vendor, random, { method: "FETCH", path: V1.PLATFORMS }));
    },
    control: async ({ me, random, keys }) =>
      said(await asOwner(me, keys.owner.issuing, random, { method: "FETCH", path: V1.PLATFORMS })),
  },
  {
    id: "SE-16",
    title: "ask a token as a stranger which platforms it knows",
    expected: "the same answer",
    honest: "2.01",
    async attack({ me, enrolled, platform, softwareMachine }) {
      const stranger = softwareMachine({ aik: "restricted-rsa" });
      const known = said(await postSigned(me, stranger, V1.ATTEST, enrolled.metadata));
      const unknown = said(await postSigned(me, stranger, V1.ATTEST, (await platform()).metadata));
      return known === unknown ? "the same answer" : `${known} and ${unknown}`;
    },
    control: async ({ me, enrolled }) => said(await postSigned(me, enrolled.machine, V1.ATTEST, enrolled.metadata)),
  },
  {
    id: "SE-17",
    title: "fill the flash: enrol one TPM of a trusted vendor under one name after the other",
    expected: "5.00",
    honest: "green 2.04, an older file 2.05, a newcomer in the place of a removed one 2.04",
    async attack(scene) {
      const { me, enrolled } = scene;
      await attest(me, enrolled);
      expect(await write(me, enrolled, "key", SECRET), "2.01");
      return enrolUntilFull(scene);
    },
    async control(scene) {
      const { platform, softwareMachine } = scene;
      const green = await enrolledAttests(scene);
      const older = await reads(scene);
      await removeFlood(scene, 1);
      const newcomer = await enrolSaid(await scene.peer(), await platform(softwareMachine()));
      return `green ${green}, an older file ${older}, a newcomer in the place of a removed one ${newcomer}`;
    },
  },
  {
    id: "SE-18",
    title: "send the very datagram that read a file once more, behind the end of the session",
    expected: "4.04 not attested",
    honest: "2.05",
    attack: async (scene) => readAgain(scene, await takenOver(scene, true), SESSION_MS),
    async control(scene) {
      await attest(scene.me, scene.enrolled);
      return readAgain(scene, scene.rawOf(scene.me), 0); // RFC 7252, section 4.5: the answer was lost
    },
  },
  {
    id: "SE-19",
    title: "fill the flash with long reference values, so that enrolled platforms cannot write",
    expected: "5.00",
    honest: "green 2.04, the older file 2.05; replaced when the flood is removed 2.04",
    async attack(scene) {
      const { me, enrolled } = scene;
      await attest(me, enrolled);
      expect(await write(me, enrolled, "key", SECRET), "2.01");
      expect(await write(me, enrolled, "large", LARGE), "2.01");
      await enrolUntilFull(scene, withIdleBanks);
      await enrolUntilFull(scene);
      await attest(me, enrolled);
      return said(await write(me, enrolled, "large", LARGE));
    },
    async control(scene) {
      const { me, enrolled } = scene;
      const green = await enrolledAttests(scene);
      const older = await reads(scene);
      await removeFlood(scene, Infinity);
      const replaced = said(await write(me, enrolled, "large", LARGE));
      return `green ${green}, the older file ${older}; replaced when the flood is removed ${replaced}`;
    },
  },
];

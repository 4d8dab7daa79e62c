/** RL: somebody between the token and a computer that is what it should be. */

import { powerCycle } from "../../../attester/dlme/index.ts";
import { equal, utf8 } from "../../../shared/bytes/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { expect } from "../../conformance/answer.ts";
import { asBytes } from "../../conformance/client.ts";
import { attest, enrol, file, grantFor, read, requestGrant, startAttestation, write } from "../../conformance/flows.ts";
import { withByte } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import type { Attack } from "../attack.ts";
import { bootSomethingElse, genuine } from "../genuine.ts";
import { attestsSaid, said } from "../ways.ts";

const KEY = utf8("the disk's key, thirty-two bytes");

type Stored = Pick<Scene, "me" | "enrolled">;

const stored = async ({ me, enrolled }: Stored): Promise<void> => {
  await attest(me, enrolled);
  expect(await write(me, enrolled, "key", KEY), "2.01");
};

const readsWhatItWrote = async ({ me, enrolled }: Stored): Promise<string> => {
  const answer = await read(me, enrolled, "key");
  return `${said(answer)}, ${equal(answer.payload, KEY) ? "as written" : "something else"}`;
};

/** A session with a file, attested by a boot that is over: the link did not end with it, and answered for a minute. */
async function keptOverReboot(scene: Scene): Promise<Stored> {
  const { machine, client, platform } = await genuine();
  const kept = { me: await scene.peer(), enrolled: await scene.platform(machine) };
  await enrol(kept.me, kept.enrolled);
  await stored(kept);
  await powerCycle(client, platform, "orderly");
  await bootSomethingElse(client);
  await scene.wait(60_000);
  return kept;
}

export const relayAttacks: readonly Attack[] = [
  {
    id: "RL-01",
    title: "from a false computer, have a genuine machine elsewhere sign and quote for it",
    expected: "2.04, lamps G",
    honest: "4.04 this platform is not enrolled, or another key signed for it",
    async attack(scene) {
      const { me, enrolled, wait } = scene;
      // The false computer has the stick. It hands on what the token says; each signature is the genuine machine's, which sees nothing amiss.
      const verdict = await attestsSaid(me, enrolled);
      await wait(1);
      return `${verdict}, lamps ${scene.lamps}`;
    },
    async control({ peer, enrolled, softwareMachine }) {
      const alone = { ...enrolled, machine: softwareMachine({ aik: "restricted-rsa" }) };
      return said(await startAttestation(await peer(), alone));
    },
  },
  {
    id: "RL-02",
    title: "relay to a genuine machine that booted something else",
    expected: "4.03 the PCRs are not as recorded",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { machine, client } = await genuine();
      const platform = await scene.platform(machine);
      await enrol(scene.me, platform);
      await bootSomethingElse(client);
      return attestsSaid(await scene.peer(), platform);
    },
    async control(scene) {
      const platform = await scene.platform((await genuine()).machine);
      await enrol(scene.me, platform);
      return attestsSaid(await scene.peer(), platform);
    },
  },
  {
    id: "RL-03",
    title: "listen on the link while a file is read",
    expected: "the file, in the clear",
    honest: "2.05, as written",
    async attack(scene) {
      await stored(scene);
      const { me, enrolled } = scene;
      expect(await read(me, enrolled, "key"), "2.05");
      const heard = me.wire.seen.some(({ datagram }) => Buffer.from(datagram).includes(Buffer.from(KEY)));
      return heard ? "the file, in the clear" : "nothing";
    },
    control: readsWhatItWrote,
  },
  {
    id: "RL-04",
    title: "change a file on its way to the token",
    expected: "4.01 a grant is needed",
    honest: "2.05, as written",
    async attack(scene) {
      await stored(scene);
      const { me, enrolled } = scene;
      const query = [await grantFor(me, enrolled, { method: "PUT", name: "key", body: KEY })];
      return said(await me.ask("PUT", file("key"), asBytes(KEY.map((byte) => byte ^ 1)), { query }));
    },
    control: readsWhatItWrote,
  },
  {
    id: "RL-05",
    title: "change a file on its way from the token",
    expected: "2.05, something else",
    honest: "2.05, as written",
    async attack(scene) {
      await stored(scene);
      const { enrolled } = scene;
      const victim = await scene.peer();
      await attest(victim, enrolled);
      victim.wire.change = (datagram) =>
        Buffer.from(datagram).includes(Buffer.from(KEY)) ? withByte(datagram, -1, (byte) => byte ^ 1) : datagram;
      const answer = await read(victim, enrolled, "key");
      return `${said(answer)}, ${equal(answer.payload, KEY) ? "as written" : "something else"}`;
    },
    control: readsWhatItWrote,
  },
  {
    id: "RL-06",
    title: "ask with a relayed session for another file than the machine's AIK allowed",
    expected: "4.01 a grant is needed",
    honest: "2.05, as written",
    async attack(scene) {
      await stored(scene);
      const query = [await grantFor(scene.me, scene.enrolled, { method: "GET", name: "other" })];
      return said(await scene.me.get(file("key"), { query }));
    },
    control: readsWhatItWrote,
  },
  {
    id: "RL-07",
    title: "hold a write back, and let it through behind a later one",
    expected: "4.01 a grant is needed",
    honest: "2.05, as written",
    async attack(scene) {
      const { me, enrolled, wait } = scene;
      await attest(me, enrolled);
      const former = utf8("the key of the day before");
      const query = [await grantFor(me, enrolled, { method: "PUT", name: "key", body: former })];
      await stored(scene);
      await wait(60_000); // the session lives on by the answers to the token's pings
      return said(await me.ask("PUT", file("key"), asBytes(former), { query }));
    },
    control: readsWhatItWrote,
  },
  {
    id: "RL-08",
    title: "keep a session over a reboot by answering the token's pings, and read with the AIK of the other boot",
    expected: "2.05, as written, lamps G",
    honest: "4.04 not attested",
    state: "owned",
    async attack(scene) {
      const kept = await keptOverReboot(scene);
      return `${await readsWhatItWrote(kept)}, lamps ${scene.lamps}`;
    },
    async control(scene) {
      const { me, enrolled } = await keptOverReboot(scene);
      await attestsSaid(await scene.peer(), enrolled);
      return said(await requestGrant(me, enrolled.machine, `${V1.STORAGE}/key`, { method: "GET" }));
    },
  },
];

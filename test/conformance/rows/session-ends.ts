import { OptionNumber, optionUint } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { expect, expectFacts } from "../answer.ts";
import { asCbor, type Client } from "../client.ts";
import {
  aikBody,
  attest,
  context,
  file,
  openAttestation,
  openContext,
  sendAik,
  sendEk,
  sendEvidence,
  sendMeta,
} from "../flows.ts";
import { type Platform, signed } from "../platform.ts";
import type { Row } from "../row.ts";

const SOURCE = "docs/api.md, Sessions";

/** Whether the session still holds this nonce: 2.01 when it does, 4.03 when not. */
async function trying(client: Client, { machine, metadata }: Platform, nonce: Uint8Array) {
  return client.post(V1.ATTEST, asCbor(await signed(machine, metadata, nonce)));
}

export const sessionEndRows: readonly Row[] = [
  {
    id: "SE-09",
    title: "EKs end with the session",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const ek = await sendEk(me, machine);
      await me.silentFor(3_000);
      expect(await me.post(V1.AIK, aikBody(machine.aikPublic, ek)), "4.04");
    },
  },
  {
    id: "SE-10",
    title: "provisioning contexts end with the session",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, platform }) {
      const id = await openContext(me, machine);
      await me.silentFor(3_000);
      expect(await sendMeta(me, id, await platform()), "4.04");
      expect(await me.post(context(id)), "4.04");
    },
  },
  {
    id: "SE-11",
    title: "attestation contexts end with the session",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      await me.silentFor(3_000);
      expect(await sendEvidence(me, id, await enrolled.machine.quote(request)), "4.04");
    },
  },
  {
    id: "SE-12",
    title: "what a session proved ends with it",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled }) {
      await attest(me, enrolled);
      await me.silentFor(3_000);
      expect(await me.ask("DELETE", file("a")), "4.04");
    },
  },
  {
    id: "SE-13",
    title: "what a session proved lives while messages come",
    source: SOURCE,
    state: "enrolled",
    async run({ me, enrolled, by }) {
      await attest(me, enrolled);
      for (let i = 0; i < 3; i++) {
        await me.silentFor(2_000);
        await me.ping();
      }
      expect(await me.ask("DELETE", file("a")), by("4.01", "2.02"));
    },
  },
  {
    id: "SE-14",
    title: "the end of one session leaves others alone",
    source: SOURCE,
    state: "enrolled",
    async run(scene) {
      const { me, enrolled } = scene;
      const peer = await scene.peer();
      const [mine, other] = [await me.nonce(), await peer.nonce()];
      me.wire.shut = true;
      await peer.silentFor(2_000);
      await peer.ping();
      await peer.silentFor(1_500);
      me.wire.shut = false;
      expect(await trying(peer, enrolled, other), "2.01");
      expect(await trying(me, enrolled, mine), "4.03");
    },
  },
  {
    id: "SE-15",
    title: "a datagram that is no CoAP message renews nothing",
    source: `${SOURCE}; RFC 7252, 4.2`,
    state: "enrolled",
    async run({ me, enrolled }) {
      const nonce = await me.nonce();
      await me.silentFor(2_000);
      me.wire.send(Uint8Array.of(0xff, 0xff, 0xff), me.token);
      await me.silentFor(1_500);
      expect(await trying(me, enrolled, nonce), "4.03");
    },
  },
  {
    id: "SE-16",
    title: "another source port is another session",
    source: SOURCE,
    state: "enrolled",
    async run(scene) {
      const { me, enrolled } = scene;
      const nonce = await me.nonce();
      const peer = await scene.peer();
      expect(await trying(peer, enrolled, nonce), "4.03");
      expect(await trying(me, enrolled, nonce), "2.01");
    },
  },
  {
    id: "SE-17",
    title: "the 33rd session takes the place of the one that was silent longest",
    source: SOURCE,
    state: "enrolled",
    async run(scene) {
      const { me, enrolled } = scene;
      const second = await scene.peer();
      const [mine, other] = [await me.nonce(), await second.nonce()];
      for (let i = 0; i < 31; i++) await (await scene.peer()).nonce();
      expect(await trying(second, enrolled, other), "2.01");
      expect(await trying(me, enrolled, mine), "4.03");
    },
  },
  {
    id: "SE-18",
    title: "a newcomer never takes the place of an attested session",
    source: SOURCE,
    state: "enrolled",
    async run(scene) {
      const { me, enrolled, by } = scene;
      await attest(me, enrolled);
      for (let i = 0; i < 40; i++) await (await scene.peer()).nonce();
      expect(await me.ask("DELETE", file("a")), by("4.01", "2.02"));
    },
  },
  {
    id: "SE-19",
    title: "when all sessions are attested a newcomer is told to come back",
    source: `${SOURCE}; RFC 7252, 5.9.3.4`,
    state: "enrolled",
    async run(scene) {
      for (let i = 0; i < 32; i++) await attest(i === 0 ? scene.me : await scene.peer(), scene.enrolled);
      const answer = expect(await (await scene.peer()).get(V1.NONCE), "5.03");
      const after = optionUint(answer.options, OptionNumber.MaxAge) ?? 0;
      expectFacts("seconds to wait, one to three", after >= 1 && after <= 3, true);
    },
  },
  {
    id: "SE-20",
    title: "ids are numbers that cannot be guessed: no two of a session follow each other",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const ids: number[] = [];
      for (let i = 0; i < 4; i++) {
        const { ek, aik } = await sendAik(me, machine, await sendEk(me, machine));
        ids.push(ek, aik);
      }
      const steps = ids.slice(1).map((id, i) => Math.abs(id - (ids[i] ?? 0)));
      expectFacts(
        "steps over 65535",
        steps.every((step) => step > 0xffff),
        true,
      );
    },
  },
];

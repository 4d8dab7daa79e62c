/** RP: what was right once, or for somebody else. */
import { encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { authorizationFor, PlatformRemove, V1 } from "../../../shared/protocol/index.ts";
import { expect } from "../../conformance/answer.ts";
import { asCbor } from "../../conformance/client.ts";
import {
  asOwner,
  attest,
  file,
  grantFor,
  openAttestation,
  read,
  sendEvidence,
  startAttestation,
  write,
} from "../../conformance/flows.ts";
import { signed } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import type { Attack } from "../attack.ts";
import { enrolledAttests, evidenceSaid, said } from "../ways.ts";

const SECRET = Uint8Array.of(1, 2, 3);

/** Behind EXCHANGE_LIFETIME (247 s; RFC 7252, section 4.8.2) no message is known for one that came before. */
const FORGOTTEN_MS = 300_000;

/** An attested session with a file in it. */
async function withFile({ me, enrolled }: Scene): Promise<void> {
  await attest(me, enrolled);
  expect(await write(me, enrolled, "key", SECRET), "2.01");
}

const readsFile = async (scene: Scene): Promise<string> => said(await read(scene.me, scene.enrolled, "key"));

/** The signed object that opens an attestation, over this nonce. */
const opening = async ({ enrolled }: Scene, nonce: Uint8Array) =>
  asCbor(await signed(enrolled.machine, enrolled.metadata, nonce));

export const replayedAttacks: readonly Attack[] = [
  {
    id: "RP-01",
    title: "send evidence twice in its context",
    expected: "4.04 no such attestation",
    honest: "2.04",
    async attack({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const evidence = await enrolled.machine.quote(request);
      await sendEvidence(me, id, evidence);
      return said(await sendEvidence(me, id, evidence));
    },
    control: enrolledAttests,
  },
  {
    id: "RP-02",
    title: "send the evidence of an earlier attestation in a new context",
    expected: "4.03 the quote answers another nonce",
    honest: "2.04",
    async attack({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const evidence = await enrolled.machine.quote(request);
      expect(await sendEvidence(me, id, evidence), "2.04");
      return evidenceSaid(me, enrolled, async () => evidence);
    },
    control: enrolledAttests,
  },
  {
    id: "RP-03",
    title: "send evidence that answers the nonce of another session",
    expected: "4.03 the quote answers another nonce",
    honest: "2.04",
    async attack({ me, peer, enrolled }) {
      const victim = await openAttestation(await peer(), enrolled);
      return evidenceSaid(me, enrolled, () => enrolled.machine.quote(victim.request));
    },
    control: enrolledAttests,
  },
  {
    id: "RP-04",
    title: "answer the attestation context of another peer",
    expected: "4.04 no such attestation",
    honest: "2.04",
    async attack({ me, peer, enrolled }) {
      const { id, request } = await openAttestation(await peer(), enrolled);
      return said(await sendEvidence(me, id, await enrolled.machine.quote(request)));
    },
    control: enrolledAttests,
  },
  {
    id: "RP-05",
    title: "send signed metadata again",
    expected: "4.03 no nonce",
    honest: "2.01",
    async attack(scene) {
      const body = await opening(scene, await scene.me.nonce());
      expect(await scene.me.post(V1.ATTEST, body), "2.01");
      return said(await scene.me.post(V1.ATTEST, body));
    },
    control: async ({ me, enrolled }) => said(await startAttestation(me, enrolled)),
  },
  {
    id: "RP-06",
    title: "send signed metadata again, after asking for a new nonce",
    expected: "4.04 this platform is not enrolled, or another key signed for it",
    honest: "2.01",
    async attack(scene) {
      const body = await opening(scene, await scene.me.nonce());
      expect(await scene.me.post(V1.ATTEST, body), "2.01");
      await scene.me.nonce();
      return said(await scene.me.post(V1.ATTEST, body));
    },
    control: async ({ me, enrolled }) => said(await startAttestation(me, enrolled)),
  },
  {
    id: "RP-07",
    title: "open an attestation with metadata signed over the nonce of another session",
    expected: "4.04 this platform is not enrolled, or another key signed for it",
    honest: "2.01",
    async attack(scene) {
      const body = await opening(scene, await (await scene.peer()).nonce());
      await scene.me.nonce();
      return said(await scene.me.post(V1.ATTEST, body));
    },
    control: async ({ me, enrolled }) => said(await startAttestation(me, enrolled)),
  },
  {
    id: "RP-08",
    title: "use the proof for a file (its grant) twice",
    expected: "4.01 a grant is needed",
    honest: "2.05",
    async attack(scene) {
      await withFile(scene);
      const query = [await grantFor(scene.me, scene.enrolled, { method: "GET", name: "key" })];
      expect(await scene.me.get(file("key"), { query }), "2.05");
      return said(await scene.me.get(file("key"), { query }));
    },
    control: readsFile,
  },
  {
    id: "RP-09",
    title: "use the grant of one session in another, attested one",
    expected: "4.01 a grant is needed",
    honest: "2.05",
    async attack(scene) {
      await withFile(scene);
      const query = [await grantFor(scene.me, scene.enrolled, { method: "GET", name: "key" })];
      const thief = await scene.peer();
      await attest(thief, scene.enrolled);
      return said(await thief.get(file("key"), { query }));
    },
    control: readsFile,
  },
  {
    id: "RP-10",
    title: "ask for a grant with what the AIK signed for an earlier one",
    expected: "4.03",
    honest: "2.05",
    async attack(scene) {
      await withFile(scene);
      const terms = { method: "GET", path: `${V1.STORAGE}/key`, body: new Uint8Array() };
      const nonce = await scene.me.nonce();
      const body = asCbor(await signed(scene.enrolled.machine, authorizationFor(terms, nonce), nonce));
      expect(await scene.me.post(V1.GRANT, body), "2.01");
      await scene.me.nonce();
      return said(await scene.me.post(V1.GRANT, body));
    },
    control: readsFile,
  },
  {
    id: "RP-11",
    title: "send the whole recorded conversation of a green session again, from its own port, after it ended",
    expected: "4.04 not attested, lamps -",
    honest: "2.04",
    async attack(scene) {
      const victim = await scene.peer();
      await attest(victim, scene.enrolled);
      const recorded = victim.wire.seen.filter(({ direction }) => direction === "to-token");
      await victim.silentFor(FORGOTTEN_MS);
      const raw = scene.rawOf(victim);
      for (const { datagram } of recorded) {
        raw.sendBytes(datagram);
        await scene.wait(1);
      }
      const lamps = scene.lamps;
      return `${said(await victim.get(file("key")))}, lamps ${lamps}`;
    },
    control: enrolledAttests,
  },
  {
    id: "RP-12",
    title: "send the owner's signed request for the list of platforms again",
    expected: "4.03",
    honest: "2.05",
    async attack(scene) {
      const { me, keys, random } = scene;
      expect(await asOwner(me, keys.owner.issuing, random, { method: "FETCH", path: V1.PLATFORMS }), "2.05");
      const sent = me.wire.seen.findLast(({ direction, message }) => direction === "to-token" && message?.code === 5);
      await me.nonce();
      const body = asCbor(sent?.message?.payload ?? encodeItem(new Map()));
      return said(await me.ask("FETCH", V1.PLATFORMS, body));
    },
    control: async ({ me, keys, random }) =>
      said(await asOwner(me, keys.owner.issuing, random, { method: "FETCH", path: V1.PLATFORMS })),
  },
  {
    id: "RP-13",
    title: "hand the owner this token's nonce while it means another of its tokens, and have a platform removed here",
    expected: "4.03 for token 1A2B3C4D5E6F7081",
    honest: "2.05",
    async attack({ me, keys, random, enrolled }) {
      const body = encodeCbor(PlatformRemove, { id: digest("sha256", enrolled.metadata) }); // from a list that was changed
      const request = { method: "POST", path: `${V1.PLATFORMS}/remove`, body, token: "1A2B3C4D5E6F7081" } as const;
      return said(await asOwner(me, keys.owner.issuing, random, request));
    },
    control: async ({ me, keys, random }) =>
      said(await asOwner(me, keys.owner.issuing, random, { method: "FETCH", path: V1.PLATFORMS })),
  },
];

import { encodeCbor } from "../../../shared/cbor/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { PlatformRemove, V1 } from "../../../shared/protocol/index.ts";
import { expect, expectFacts } from "../answer.ts";
import { asItem } from "../client.ts";
import {
  asOwner,
  attest,
  attestation,
  context,
  enrol,
  failAttestation,
  filledContext,
  openAttestation,
  startAttestation,
} from "../flows.ts";
import { offerChain, provisionToken } from "../owner.ts";
import { COMPAT_ONLY, type Row, STRICT_ONLY, type State } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/blink-codes.md";

function row(id: string, title: string, state: State, run: (scene: Scene) => Promise<void>, source = SOURCE): Row {
  return { id, title, source, state, needs: ["lamps"], run };
}

const THREE_PULSES = "G100 -100 G100 -100 G100 -100";

export const lampRows: readonly Row[] = [
  row("LD-01", "a token without an owner shows red", "blank", async ({ expectLamps }) => {
    await expectLamps("no owner", "R12000");
  }),
  row("LD-02", "a token that gets its owner blinks green once", "blank", async (scene) => {
    await provisionToken(scene);
    await scene.expectLamps("provisioned", "G100 -100");
  }),
  row("LD-03", "a refused owner changes nothing", "blank", async ({ me, keys, expectLamps }) => {
    expect(await offerChain(me, keys.owner.chain.slice(0, 1)), "4.03");
    await expectLamps("refused", "R3000");
  }),
  row("LD-04", "an idle token blinks both lamps for 100 ms every 5 s", "owned", async ({ expectLamps }) => {
    await expectLamps("idle", "GR100 -4900 GR100 -4900 GR100 -4900");
  }),
  row("LD-05", "a platform that is provisioned blinks green three times", "owned", async (scene) => {
    await enrol(scene.me, await scene.platform());
    await scene.expectLamps("platform provisioned", THREE_PULSES);
  }),
  row("LD-06", "a platform that is refused changes nothing", "enrolled", async (scene) => {
    const id = await filledContext(scene.me, scene.enrolled);
    await scene.wait(1_000);
    expect(await scene.me.post(context(id)), "4.03");
    await scene.expectLamps("platform refused", "-3000");
  }),
  row("LD-07", "an attested session shows green, until it ends", "enrolled", async (scene) => {
    await attest(scene.me, scene.enrolled);
    scene.me.wire.shut = true;
    await scene.expectLamps("attested, then idle", "G3000 GR100 -4900 GR100");
  }),
  row("LD-08", "an attested session shows green as long as it lives", "enrolled", async (scene) => {
    await attest(scene.me, scene.enrolled);
    for (let i = 0; i < 5; i++) {
      await scene.expectLamps("attested", "G2000");
      await scene.me.ping();
    }
  }),
  row("LD-09", "a failed attestation shows red for 5 s", "enrolled", async (scene) => {
    expect(await failAttestation(scene.me, scene.enrolled), "4.03");
    await scene.expectLamps("failed, then idle", "R5000 GR100 -1000");
  }),
  row(
    "LD-10",
    "a failure of one session leaves the green of another",
    "enrolled",
    async (scene) => {
      await attest(scene.me, scene.enrolled);
      expect(await failAttestation(await scene.peer(), scene.enrolled), "4.03");
      await scene.me.silentFor(2_000);
      await scene.me.ping();
      await scene.me.silentFor(2_000);
      await scene.me.ping();
      await scene.expectLamps("one attested, one failed", "GR1000 G1000");
    },
    `${SOURCE}; defect 4 of the reference`,
  ),
  row(
    "LD-11",
    "the provisioning of another platform leaves green on",
    "enrolled",
    async (scene) => {
      await attest(scene.me, scene.enrolled);
      await enrol(await scene.peer(), await scene.platform());
      await scene.expectLamps("attested and provisioned", "G2500");
    },
    `${SOURCE}; defect 4 of the reference`,
  ),
  row(
    "LD-12",
    "a session that is attested twice lets green go when it ends",
    "enrolled",
    async (scene) => {
      await attest(scene.me, scene.enrolled);
      await attest(scene.me, scene.enrolled);
      scene.me.wire.shut = true;
      await scene.expectLamps("attested twice", "G3000 GR100 -1000");
    },
    `${SOURCE}; defect 3 of the reference`,
  ),
  row("LD-13", "green goes with the last of two attested sessions", "enrolled", async (scene) => {
    const peer = await scene.peer();
    await attest(scene.me, scene.enrolled);
    await attest(peer, scene.enrolled);
    scene.me.wire.shut = true;
    await peer.silentFor(2_000);
    await peer.ping();
    peer.wire.shut = true;
    await scene.expectLamps("two attested", "G3000 GR100 -1000");
  }),
  row(
    "LD-14",
    "a success while red shows is seen at once",
    "enrolled",
    async (scene) => {
      expect(await failAttestation(await scene.peer(), scene.enrolled), "4.03");
      await scene.wait(1_000);
      await attest(scene.me, scene.enrolled);
      await scene.expectLamps("success during red", "GR1000");
    },
    `${SOURCE}; defect 4 of the reference`,
  ),
  {
    ...row(
      "LD-15",
      "a failure of the same session puts its green out",
      "enrolled",
      async (scene) => {
        await attest(scene.me, scene.enrolled);
        expect(await failAttestation(scene.me, scene.enrolled), "4.03");
        await scene.expectLamps("failed after success", "R5000 GR100 -1000");
      },
      `${SOURCE}; D-58`,
    ),
    profiles: STRICT_ONLY,
  },
  {
    ...row(
      "LD-16",
      "a failure of the same session leaves its green",
      "enrolled",
      async (scene) => {
        await attest(scene.me, scene.enrolled);
        expect(await failAttestation(scene.me, scene.enrolled), "4.03");
        await scene.expectLamps("failed after success", "GR2000");
      },
      `${SOURCE}; D-58`,
    ),
    profiles: COMPAT_ONLY,
  },
  row("LD-17", "an attestation that is refused before there is evidence shows nothing", "enrolled", async (scene) => {
    await scene.wait(500);
    expect(await startAttestation(scene.me, await scene.platform()), "4.04");
    await scene.expectLamps("unknown platform", "-3000");
  }),
  {
    ...row(
      "LD-18",
      "malformed evidence shows nothing",
      "enrolled",
      async (scene) => {
        const { id } = await openAttestation(scene.me, scene.enrolled);
        await scene.wait(500);
        expect(await scene.me.post(attestation(id), asItem({})), "4.00");
        await scene.expectLamps("malformed evidence", "-3000");
      },
      `${SOURCE}; D-50`,
    ),
    profiles: STRICT_ONLY,
  },
  {
    ...row(
      "LD-19",
      "malformed evidence shows red",
      "enrolled",
      async (scene) => {
        const { id } = await openAttestation(scene.me, scene.enrolled);
        expect(await scene.me.post(attestation(id), asItem({})), "4.03");
        await scene.expectLamps("malformed evidence", "R5000 GR100");
      },
      `${SOURCE}; D-50`,
    ),
    profiles: COMPAT_ONLY,
  },
  row("LD-20", "a platform that is removed puts its green out", "enrolled", async (scene) => {
    const { random, keys, platform, me } = scene;
    const [made, peer, other] = [await platform(), await scene.peer(), await scene.peer()];
    await enrol(peer, made);
    await attest(peer, made);
    await attest(other, made);
    await peer.silentFor(1_000);
    expectFacts("lamps before", scene.lamps, "G");
    const body = encodeCbor(PlatformRemove, { id: digest("sha256", made.metadata) });
    expect(
      await asOwner(me, keys.owner.issuing, random, { method: "POST", path: `${V1.PLATFORMS}/remove`, body }),
      "2.02",
    );
    await scene.expectLamps("removed", "GR100 -1000");
  }),
  row("LD-21", "fifty newcomers leave green on", "enrolled", async (scene) => {
    await attest(scene.me, scene.enrolled);
    for (let i = 0; i < 50; i++) await (await scene.peer()).nonce();
    await scene.expectLamps("flooded", "G2000");
  }),
  {
    ...row("LD-22", "after a power cut an idle token is idle", "enrolled", async (scene) => {
      await attest(scene.me, scene.enrolled);
      await scene.restart();
      await scene.expectLamps("restarted", "GR100 -4900 GR100");
    }),
    needs: ["lamps", "power"],
  },
];

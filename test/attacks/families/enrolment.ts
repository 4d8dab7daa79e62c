/** ID: keys and names that are not one TPM's. */
import { decode, encode } from "../../../shared/bytes/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { Tpm2bPublic, TpmAlg, TpmaObjectBit, type TpmtPublic } from "../../../shared/tpm/index.ts";
import {
  activate,
  aikBody,
  context,
  offered,
  openContext,
  postSigned,
  sendEk,
  sendMeta,
} from "../../conformance/flows.ts";
import type { Machine } from "../../conformance/machine.ts";
import { withByte } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import { Unmet } from "../../conformance/unmet.ts";
import type { Attack } from "../attack.ts";
import { genuine } from "../genuine.ts";
import { enrolledAttests, enrolSaid, said } from "../ways.ts";

const NO_PROOF = "4.03 the TPM did not prove that AIK and EK are its own";
const NO_AIK = "4.03 the AIK is not the kind of key that this profile accepts";

const enrols = async ({ peer, platform }: Scene): Promise<string> => enrolSaid(await peer(), await platform());

/** A public area that is not the AIK's, with an EK of the vendor: what the token says of it. */
function offering(
  id: string,
  title: string,
  expected: string,
  aik: (own: TpmtPublic, scene: Scene) => TpmtPublic | Promise<TpmtPublic>,
): Attack {
  return {
    id,
    title,
    expected,
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { me, machine } = scene;
      const area = await aik(decode(Tpm2bPublic, machine.aikPublic), scene);
      return said(await me.post(V1.AIK, aikBody(encode(Tpm2bPublic, area), await sendEk(me, machine))));
    },
    control: enrols,
  };
}

/** A machine made of parts of two. */
function mixed(id: string, title: string, parts: (scene: Scene) => Promise<Machine>): Attack {
  return {
    id,
    title,
    expected: NO_PROOF,
    honest: "2.04",
    state: "owned",
    attack: async (scene) => enrolSaid(scene.me, await scene.platform(await parts(scene))),
    control: async (scene) => enrolSaid(await scene.peer(), await scene.platform((await genuine()).machine)),
  };
}

/** What TPM2_ActivateCredential is answered with, as the secret. */
function guessing(id: string, title: string, guess: (secret: Uint8Array) => Uint8Array): Attack {
  return {
    id,
    title,
    expected: NO_PROOF,
    honest: "2.04",
    state: "owned",
    async attack({ me, machine }) {
      const keys = await offered(me, machine);
      return said(await activate(me, { ...keys, secret: guess(keys.secret) }));
    },
    control: enrols,
  };
}

const without = (bit: number) => (own: TpmtPublic) => ({ ...own, objectAttributes: own.objectAttributes & ~bit });

function rsaOf(area: TpmtPublic) {
  if (area.type !== TpmAlg.RSA) throw new Unmet("no RSA key");
  return area;
}
function eccOf(area: TpmtPublic) {
  if (area.type !== TpmAlg.ECC) throw new Unmet("no ECC key");
  return area;
}

export const enrolmentAttacks: readonly Attack[] = [
  offering("ID-01", "offer the EK in the place of the AIK", NO_AIK, async () => {
    const { identity } = await genuine();
    return identity.ek.publicArea;
  }),
  mixed("ID-02", "offer the EK of a real TPM with an AIK of one's own in software", async (scene) => {
    const [{ machine: real }, own] = [await genuine(), scene.softwareMachine()];
    return { ...own, ekChain: real.ekChain, activate: (challenge) => real.activate(challenge) };
  }),
  mixed("ID-03", "offer the AIK of a real TPM with the EK of another", async (scene) => {
    const [{ machine: real }, own] = [await genuine(), scene.softwareMachine()];
    return { ...real, ekChain: own.ekChain, activate: (challenge) => own.activate(challenge) };
  }),
  guessing("ID-04", "answer the credential's challenge with zeros", (secret) => new Uint8Array(secret.byteLength)),
  guessing("ID-05", "answer it with nothing", () => new Uint8Array()),
  guessing("ID-06", "answer it with the first half of the secret", (secret) => secret.slice(0, 16)),
  {
    id: "ID-07",
    title: "answer the challenge for one AIK with the secret that was made for another",
    expected: NO_PROOF,
    honest: "2.04",
    state: "owned",
    async attack({ me, machine }) {
      const [one, other] = [await offered(me, machine), await offered(me, machine)];
      return said(await activate(me, { ...one, secret: other.secret }));
    },
    control: enrols,
  },
  offering("ID-08", "offer an AIK that may leave its TPM (no fixedTPM)", NO_AIK, without(TpmaObjectBit.FIXED_TPM)),
  offering(
    "ID-09",
    "offer an AIK that came from outside the TPM (no sensitiveDataOrigin)",
    NO_AIK,
    without(TpmaObjectBit.SENSITIVE_DATA_ORIGIN),
  ),
  offering("ID-10", "offer an RSA AIK with exponent 3", NO_AIK, (_own, scene) => {
    const area = rsaOf(scene.software({ aik: "restricted-rsa" }).aikPublic);
    return { ...area, parameters: { ...area.parameters, exponent: 3 } };
  }),
  offering("ID-11", "offer a P-256 AIK whose point is not on the curve", NO_AIK, (own) => {
    const area = eccOf(own);
    return { ...area, unique: { x: area.unique.x, y: area.unique.x } };
  }),
  {
    id: "ID-12",
    title: "enrol under the name of a platform that is enrolled",
    expected: "4.03 this platform is already enrolled",
    honest: "2.04",
    attack: ({ me, enrolled, softwareMachine }) =>
      enrolSaid(me, { ...enrolled, machine: softwareMachine({ aik: "restricted-rsa" }) }),
    control: enrolledAttests,
  },
  {
    id: "ID-13",
    title: "put metadata that another key signed into one's context",
    expected: "4.03 the metadata is not signed by the AIK",
    honest: "2.04",
    state: "owned",
    async attack({ me, machine, platform, softwareMachine }) {
      const id = await openContext(me, machine);
      const other = softwareMachine({ aik: "restricted-rsa" });
      return said(await postSigned(me, other, context(id, "/meta"), (await platform()).metadata));
    },
    control: enrols,
  },
  {
    id: "ID-14",
    title: "finish a platform without reference values",
    expected: "4.03 RIM is missing",
    honest: "2.04",
    state: "owned",
    async attack({ me, machine, platform }) {
      const id = await openContext(me, machine);
      await sendMeta(me, id, await platform());
      return said(await me.post(context(id)));
    },
    control: enrols,
  },
  {
    id: "ID-15",
    title: "use the EK that another peer sent",
    expected: "4.04 no such EK",
    honest: "2.04",
    state: "owned",
    async attack({ me, peer, machine }) {
      const ek = await sendEk(await peer(), machine);
      return said(await me.post(V1.AIK, aikBody(machine.aikPublic, ek)));
    },
    control: enrols,
  },
  {
    id: "ID-16",
    title: "attest as an enrolled platform with another TPM of the same vendor",
    expected: "4.04 this platform is not enrolled, or another key signed for it",
    honest: "2.04",
    async attack({ me, enrolled }) {
      const { machine } = await genuine();
      return said(await postSigned(me, machine, V1.ATTEST, enrolled.metadata));
    },
    control: enrolledAttests,
  },
  offering("ID-17", "offer an RSA AIK with an even modulus", NO_AIK, (_own, scene) => {
    const area = rsaOf(scene.software({ aik: "restricted-rsa" }).aikPublic);
    return { ...area, unique: withByte(area.unique, -1, (byte) => byte & 0xfe) };
  }),
];

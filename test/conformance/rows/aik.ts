import { encode, utf8 } from "../../../shared/bytes/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import { Challenge, V1 } from "../../../shared/protocol/index.ts";
import { TpmaObjectBit as Bit, Tpm2bPublic, TpmAlg, type TpmtPublic } from "../../../shared/tpm/index.ts";
import type { AikKind } from "../../support/fake-attester.ts";
import { bodyOf, expect, expectFacts, expectOther, idOf } from "../answer.ts";
import { activate, aikBody, another, offered, sendAik, sendEk } from "../flows.ts";
import { COMPAT_ONLY, type ProfileName, type Row, STRICT_ONLY } from "../row.ts";
import type { Scene } from "../scene.ts";
import { Unmet } from "../unmet.ts";

const SOURCE = "docs/api.md, The AIK";

function judged(
  code: "2.01" | "4.03",
  id: string,
  title: string,
  aik: (scene: Scene) => Uint8Array,
  profiles?: readonly ProfileName[],
): Row {
  return {
    id,
    title,
    source: SOURCE,
    ...(profiles === undefined ? {} : { profiles }),
    state: "owned",
    needs: ["software-tpm"],
    async run(scene) {
      const { me, machine } = scene;
      expect(await me.post(V1.AIK, aikBody(aik(scene), await sendEk(me, machine))), code);
    },
  };
}

const publicArea = (area: TpmtPublic): Uint8Array => encode(Tpm2bPublic, area);
const kind = (aik: AikKind) => (scene: Scene) => publicArea(scene.software({ aik }).aikPublic);
/** The profile's AIK with something special about it. */
const changed = (change: (area: TpmtPublic) => TpmtPublic) => (scene: Scene) =>
  publicArea(change(scene.software().aikPublic));
const without = (bit: number) => changed((area) => ({ ...area, objectAttributes: area.objectAttributes & ~bit }));
const taken = judged.bind(undefined, "2.01");
const refused = judged.bind(undefined, "4.03");

function rsaWith(change: { readonly keyBits?: number; readonly exponent?: number }) {
  return (scene: Scene): Uint8Array => {
    const area = scene.software({ aik: scene.by("restricted-rsa", "reference") }).aikPublic;
    if (area.type !== TpmAlg.RSA) throw new Error("an RSA key was made");
    const unique = change.keyBits === undefined ? area.unique : area.unique.slice(0, change.keyBits / 8);
    return publicArea({ ...area, parameters: { ...area.parameters, ...change }, unique });
  };
}

export const aikRows: readonly Row[] = [
  {
    id: "AK-01",
    title: "an AIK gets an id and a challenge, both parts with their 2-byte sizes",
    source: "docs/api.md, Resources; TPM 2.0 Part 1, 24",
    state: "owned",
    async run({ me, machine }) {
      const answer = await me.post(V1.AIK, aikBody(machine.aikPublic, await sendEk(me, machine)));
      idOf(expect(answer, { code: "2.01", format: ContentFormat.Cbor }));
      const { idObject, encSecret } = bodyOf(answer, Challenge);
      const size = (bytes: Uint8Array) => (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0) + 2;
      expectFacts("sizes", [idObject.byteLength, encSecret.byteLength], [size(idObject), size(encSecret)]);
    },
  },
  taken("AK-02", "a restricted RSA-2048 key is taken", kind("restricted-rsa"), STRICT_ONLY),
  taken("AK-03", "a restricted P-256 key is taken", kind("restricted-ecc"), STRICT_ONLY),
  taken("AK-04", "the reference's unrestricted key is taken", kind("reference"), COMPAT_ONLY),
  refused("AK-05", "an unrestricted key is refused: evidence could be forged with it", kind("reference"), STRICT_ONLY),
  refused("AK-06", "a restricted RSA key is refused", kind("restricted-rsa"), COMPAT_ONLY),
  refused("AK-07", "a P-256 key is refused", kind("restricted-ecc"), COMPAT_ONLY),
  refused("AK-08", "a key that may leave its TPM is refused (fixedTPM)", without(Bit.FIXED_TPM)),
  refused("AK-09", "a key that may move to another parent is refused (fixedParent)", without(Bit.FIXED_PARENT)),
  refused("AK-10", "a key made outside a TPM is refused (sensitiveDataOrigin)", without(Bit.SENSITIVE_DATA_ORIGIN)),
  refused("AK-11", "a key that asks for a policy session is refused (userWithAuth)", without(Bit.USER_WITH_AUTH)),
  refused("AK-12", "a key that dictionary attacks can lock is refused (noDA)", without(Bit.NO_DA)),
  refused("AK-13", "a key that does not sign is refused (sign)", without(Bit.SIGN)),
  refused(
    "AK-14",
    "a key with a policy is refused",
    changed((area) => ({ ...area, authPolicy: new Uint8Array(32) })),
  ),
  refused(
    "AK-15",
    "a key named by SHA-1 is refused",
    changed((area) => ({ ...area, nameAlg: TpmAlg.SHA1 })),
  ),
  refused(
    "AK-16",
    "a storage key is refused",
    changed((area) => ({ ...area, objectAttributes: Bit.RESTRICTED | Bit.DECRYPT })),
  ),
  refused("AK-17", "an RSA key of 1024 bits is refused", rsaWith({ keyBits: 1024 }), STRICT_ONLY),
  taken("AK-18", "an RSA key of 1024 bits is taken, as by the reference", rsaWith({ keyBits: 1024 }), COMPAT_ONLY),
  refused("AK-19", "an RSA key with another exponent than 65537 is refused", rsaWith({ exponent: 3 })),
  taken("AK-20", "exponent 65537 written out is the same as 0", rsaWith({ exponent: 65_537 })),
  {
    id: "AK-21",
    title: "bytes that are no TPM2B_PUBLIC are refused, and so is a byte behind one",
    source: `${SOURCE}; TPM 2.0 Part 2, 12.2.5`,
    state: "owned",
    async run({ me, machine }) {
      const ek = await sendEk(me, machine);
      const longer = Uint8Array.from([...machine.aikPublic, 0]);
      for (const bad of [utf8("no key"), longer, machine.aikPublic.subarray(1), machine.aikPublic.subarray(0, 40)]) {
        expect(await me.post(V1.AIK, aikBody(bad, ek)), "4.03");
      }
    },
  },
  {
    id: "AK-22",
    title: "an EK id that was never given is unknown",
    source: "docs/api.md, Resources",
    state: "owned",
    async run({ me, machine }) {
      const ek = await sendEk(me, machine);
      expect(await me.post(V1.AIK, aikBody(machine.aikPublic, another(ek))), "4.04");
    },
  },
  {
    id: "AK-23",
    title: "the EK id of another session is unknown",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run(scene) {
      const { me, machine } = scene;
      const foreign = await sendEk(await scene.peer(), machine);
      await sendEk(me, machine);
      expect(await me.post(V1.AIK, aikBody(machine.aikPublic, foreign)), "4.04");
    },
  },
  {
    id: "AK-24",
    title: "an AIK uses its EK's id not up",
    source: "docs/api.md, Resources",
    state: "owned",
    async run({ me, machine }) {
      const ek = await sendEk(me, machine);
      const [one, other] = [await sendAik(me, machine, ek), await sendAik(me, machine, ek)];
      if (one.aik === other.aik) throw new Unmet(`the id ${one.aik} twice`);
    },
  },
  {
    id: "AK-25",
    title: "no two challenges are the same",
    source: "TPM 2.0 Part 1, 24",
    state: "owned",
    async run({ me, machine }) {
      const ek = await sendEk(me, machine);
      const [one, other] = [await sendAik(me, machine, ek), await sendAik(me, machine, ek)];
      expectOther("encSecret", one.challenge.encSecret, other.challenge.encSecret);
      expectOther("idObject", one.challenge.idObject, other.challenge.idObject);
      expectOther("secret", await machine.activate(one.challenge), await machine.activate(other.challenge));
    },
  },
  {
    id: "AK-26",
    title: "the challenge opens with exactly this EK and AIK",
    source: "TPM 2.0 Part 1, 24",
    state: "owned",
    async run({ me, machine }) {
      const { secret, ...ids } = await offered(me, machine);
      expectFacts("bytes of the secret", secret.byteLength, 32);
      expect(await activate(me, { ...ids, secret }), "2.01");
    },
  },
  {
    id: "AK-27",
    title: "a TPM, not only its likeness, opens the challenge",
    source: "TPM 2.0 Part 3, 12.5",
    state: "owned",
    needs: ["tpm"],
    async run({ me, tpm }) {
      expect(await activate(me, await offered(me, tpm)), "2.01");
    },
  },
];

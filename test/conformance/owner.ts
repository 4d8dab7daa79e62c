import type { PrivateKey, PublicKey } from "../../shared/crypto/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import { buildTokenCertificate, type Certificate, type Csr, type Issuer, parseCsr } from "../../shared/x509/index.ts";
import { ca, type Party, p256, type Wish } from "../support/x509.ts";
import { decoded, expect } from "./answer.ts";
import { asBytes, type Client } from "./client.ts";
import { certs } from "./flows.ts";
import type { Keys } from "./keys.ts";
import type { Scene } from "./scene.ts";
import { NotHere } from "./unmet.ts";

export const ders = (chain: readonly Certificate[]): readonly Uint8Array[] => chain.map(({ der }) => der);

/** POST token_provision with these certificates. */
export const offerChain = (client: Client, chain: readonly Certificate[]) =>
  client.post(V1.TOKEN_PROVISION, certs(ders(chain)));

/** The token's certification request, for the owner's own chain. */
export async function requestCsr(client: Client, chain: readonly Certificate[]): Promise<Csr> {
  const answer = expect(await offerChain(client, chain), "2.01");
  return decoded(answer.what, () => parseCsr(answer.payload));
}

const LIFE = { notBefore: Date.UTC(2026, 0, 1), notAfter: undefined };

/** A token certificate for a request; for another key where one is given. */
export function issue({ random }: Scene, csr: Csr, issuer: Issuer, publicKey: PublicKey = csr.publicKey): Certificate {
  return buildTokenCertificate({ subject: csr.subject, publicKey, ...LIFE }, issuer, random);
}

export const complete = (client: Client, certificate: Certificate) =>
  client.post(V1.PROVISION_COMPLETE, asBytes(certificate.der));

/** The token gets its owner. */
export async function provisionToken(scene: Scene, client: Client = scene.me): Promise<void> {
  const { chain, issuing } = scene.keys.owner;
  const csr = await requestCsr(client, chain);
  expect(await complete(client, issue(scene, csr, issuing)), "2.01");
}

/** The owner's root with its key, to make bad chains below it. */
export function rootOf({ owner }: Keys): Party {
  if (owner.rootKey === undefined) throw new NotHere("the key of the owner's root is not the suite's");
  return { certificate: owner.root, key: owner.rootKey };
}

/** A CA below another; one thing of it may be wrong. */
export const caBelow = (issuer: Issuer, name: string, wish: Omit<Partial<Wish>, "issuer"> = {}): Party => {
  const key: PrivateKey = wish.key ?? p256(name);
  return ca({ name, ...wish, key, issuer });
};

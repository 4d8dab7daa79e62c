import { equal } from "../../../shared/bytes/index.ts";
import {
  digestSize,
  ecKeyFromScalar,
  fieldSize,
  isOnCurve,
  rsaKeyFromPrimes,
  toBigInt,
} from "../../../shared/crypto/index.ts";
import {
  hashNameOf,
  publicKeyOf,
  TpmAlg,
  TpmRc,
  type TpmtPublic,
  type TpmtSensitive,
} from "../../../shared/tpm/index.ts";
import { blockSize, schemeHashOf, uniqueOf } from "./keyed-hash.ts";
import { checkAttributes, checkSchemes } from "./public-area.ts";
import { blaming, parameter, refuse } from "./refusal.ts";

/** Keys that were made elsewhere: what ObjectLoad and CryptValidateKeys of the reference implementation check (Part 3, 12.3). */

const PRIVATE = parameter(1);
const PUBLIC = parameter(2);

/** Refuses areas that are no key, or do not belong together. Without a name algorithm less can be checked. */
export function checkExternal(area: TpmtPublic, sensitive: TpmtSensitive | undefined): void {
  const hash = hashNameOf(area.nameAlg);
  blaming(PUBLIC, () =>
    sensitive === undefined || hash === undefined ? checkSchemes(area, undefined) : checkAttributes(area, undefined),
  );
  if (sensitive !== undefined) {
    if (sensitive.sensitiveType !== area.type) refuse(TpmRc.TYPE, PRIVATE);
    if (hash !== undefined && sensitive.authValue.byteLength > digestSize(hash)) refuse(TpmRc.SIZE, PRIVATE);
  }
  if (area.type === TpmAlg.RSA) checkRsa(area, sensitive);
  else if (area.type === TpmAlg.ECC) checkEcc(area, sensitive);
  else if (area.type === TpmAlg.KEYEDHASH && sensitive !== undefined) checkKeyedHash(area, sensitive);
}

type Area<T> = Extract<TpmtPublic, { type: T }>;

function checkRsa(area: Area<typeof TpmAlg.RSA>, sensitive: TpmtSensitive | undefined): void {
  const key = publicKeyOf(area);
  if (key?.type !== "rsa" || (key.n[0] ?? 0) < 0x80) refuse(TpmRc.KEY, PUBLIC);
  if (key.e < 7) refuse(TpmRc.VALUE, PUBLIC);
  if (sensitive === undefined) return;
  const prime = sensitive.sensitive;
  if (prime.byteLength * 2 !== key.n.byteLength || (prime[0] ?? 0) < 0x80) refuse(TpmRc.KEY_SIZE, PRIVATE);
  const [n, p] = [toBigInt(key.n), toBigInt(prime)];
  const fits = n % p === 0n && rsaKeyFromPrimes(p, n / p, key.e, key.n.byteLength * 8) !== undefined;
  if (!fits) refuse(TpmRc.BINDING);
}

function checkEcc(area: Area<typeof TpmAlg.ECC>, sensitive: TpmtSensitive | undefined): void {
  const key = publicKeyOf(area);
  const named = area.nameAlg !== TpmAlg.NULL;
  if (sensitive === undefined) {
    const size = key?.type === "ec" ? fieldSize(key.curve) : -1;
    const { x, y } = area.unique;
    if (key?.type !== "ec" || x.byteLength !== size || y.byteLength !== size) refuse(TpmRc.KEY, PUBLIC);
    if (named && !isOnCurve(key)) refuse(TpmRc.ECC_POINT, PUBLIC);
    return;
  }
  if (key?.type !== "ec") refuse(TpmRc.KEY, PUBLIC);
  const made = ecKeyFromScalar(key.curve, sensitive.sensitive);
  if (made === undefined) refuse(TpmRc.KEY_SIZE);
  if (named && !(equal(made.x, key.x) && equal(made.y, key.y))) refuse(TpmRc.BINDING);
}

function checkKeyedHash(area: Area<typeof TpmAlg.KEYEDHASH>, sensitive: TpmtSensitive): void {
  const hash = hashNameOf(area.nameAlg);
  const used = schemeHashOf(area) ?? hash;
  if (used !== undefined && sensitive.sensitive.byteLength > blockSize(used)) refuse(TpmRc.KEY_SIZE, PRIVATE);
  if (hash === undefined) return;
  if (sensitive.seedValue.byteLength < digestSize(hash) / 2) refuse(TpmRc.KEY_SIZE, PRIVATE);
  if (!equal(uniqueOf(hash, sensitive), area.unique)) refuse(TpmRc.BINDING);
}

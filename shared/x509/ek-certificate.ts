/** What an EK certificate says of itself: TCG EK Credential Profile, sections 3.1.2 and 3.2. */
import type { Certificate } from "./certificate.ts";
import { attributeText } from "./name.ts";
import { Oid } from "./oid.ts";

const TPM_ATTRIBUTES: readonly string[] = [Oid.tpmManufacturer, Oid.tpmModel, Oid.tpmVersion];

export function namesEkUsage({ extensions }: Certificate): boolean {
  return extensions.extendedKeyUsage?.includes(Oid.ekCertificateUsage) ?? false;
}

function namesTpm({ extensions }: Certificate): boolean {
  const names = extensions.subjectAltName ?? [];
  return names.some(
    (name) => name.kind === "directory" && TPM_ATTRIBUTES.every((type) => attributeText(name.name, type) !== undefined),
  );
}

/**
 * Is it for a TPM, by its extendedKeyUsage or by manufacturer, model and version in its subjectAltName? The profile demands the
 * second; one is enough, as TPMs were made that lack one or the other.
 */
export function saysTpm(certificate: Certificate): boolean {
  return namesEkUsage(certificate) || namesTpm(certificate);
}

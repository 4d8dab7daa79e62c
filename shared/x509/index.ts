export * from "./algorithm.ts";
export {
  buildCertificate,
  type Certificate,
  type CertificateSpec,
  isSelfIssued,
  isSignedBy,
  parseCertificate,
} from "./certificate.ts";
export * from "./csr.ts";
export { saysTpm } from "./ek-certificate.ts";
export * from "./extension-list.ts";
export * from "./extensions.ts";
export * from "./general-name.ts";
export * from "./issue.ts";
export type { ChainPurpose } from "./judge.ts";
export * from "./name.ts";
export * from "./oid.ts";
export * from "./owner-chain.ts";
export * from "./path.ts";
export * from "./pem.ts";
export * from "./public-key.ts";
export * from "./refusal.ts";

/** What the messages of both APIs may hold at most. Larger ones are malformed. */
export const Limit = {
  /** One certificate; real EK certificates reach 1705 bytes. */
  CERTIFICATE_BYTES: 4096,
  /** A chain without its root, or an owner chain with it. */
  CERTIFICATES: 4,
  NONCE_BYTES: 32,
  SECRET_BYTES: 32,
  /** TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, their sizes included. */
  ID_OBJECT_BYTES: 134,
  ENC_SECRET_BYTES: 514,
  /** RSA-4096. */
  SIGNATURE_BYTES: 512,
  /** Metadata text, in UTF-8. */
  TEXT_BYTES: 256,
  METADATA_BYTES: 1024,
  /** The reference's limit. */
  RIM_BYTES: 6000,
  ATTEST_BYTES: 1024,
  /** Of an event log: real machines have 60 to 150 in PCR 0 to 7. */
  LOG_EVENTS: 256,
  /** What a log says about one event, in UTF-8. */
  LOG_TEXT_BYTES: 64,
  /** A log of so many events, whatever its bank. */
  LOG_BYTES: 49_152,
  BANKS: 8,
  PCRS: 24,
  PCR_BYTES: 64,
  PUBLIC_BYTES: 1024,
  /** A name that the owner gave a platform, in UTF-8. */
  PLATFORM_NAME_BYTES: 64,
  PLATFORMS: 64,
  /** Hexadecimal digits. */
  DEVICE_ID_BYTES: 32,
  /** A path as text, all segments together. */
  PATH_BYTES: 512,
  GRANT_BYTES: 16,
  /** What an authorized request may ask with. */
  AUTHORIZED_BODY_BYTES: 1024,
  VERSIONS: 16,
} as const;

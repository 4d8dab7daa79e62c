/** Content-Formats: RFC 7252, section 12.3, and the registry it opens. */
export const ContentFormat = {
  Text: 0,
  LinkFormat: 40,
  OctetStream: 42,
  Json: 50,
  Cbor: 60,
} as const;

/** What the lamps learn of the token's domain. */
export type LedEvent =
  | {
      readonly type:
        | "token-provisioned"
        | "platform-provisioned"
        | "platform-refused"
        | "attested"
        | "attestation-failed"
        /** The stick was plugged in. */
        | "attached"
        /** The stick was unplugged. */
        | "detached"
        | "wiped";
    }
  /** API v1: so many attested sessions live now; each of their ends and beginnings is told. */
  | { readonly type: "attested-sessions"; readonly count: number };

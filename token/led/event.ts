/** What the lamps learn of the token's domain. */
export interface LedEvent {
  readonly type:
    | "token-provisioned"
    | "platform-provisioned"
    | "platform-refused"
    | "attested"
    | "attestation-failed"
    /** An attested session of API v1 ended. */
    | "session-ended"
    /** The stick was plugged in. */
    | "attached"
    /** The stick was unplugged. */
    | "detached"
    | "wiped";
}

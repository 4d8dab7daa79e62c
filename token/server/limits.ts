/** What the server keeps at most. Hostile peers cost no more than this. */
export interface ServerLimits {
  /** Sessions, all ports together. */
  readonly sessions: number;
  /** Of each kind (EK, AIK, platform provisioning, attestation) in one session; the oldest gives way. */
  readonly objects: number;
  /** Unused grants of one session; the oldest gives way. */
  readonly grants: number;
}

export const DEFAULT_LIMITS: ServerLimits = { sessions: 32, objects: 8, grants: 8 };

/**
 * The two profiles as one table: each row is one decision in which the reference firmware differs from what this project
 * holds to be right. Code asks for a row, never for the profile's name.
 */
export interface Profile {
  readonly name: "strict" | "compat";
  /** Which AIK is enrolled: a restricted one, or exactly the reference's, which can sign forged evidence too (D-01). */
  readonly aik: "restricted" | "reference";
  /** Whether a platform is enrolled only when PCR 17 and 18 show a dynamic launch (D-02). */
  readonly demandsDynamicLaunch: boolean;
  /** Whether reference values must cover the appraisal policy at enrolment; otherwise attestation finds out (D-03). */
  readonly rimCoversPolicy: boolean;
}

export const STRICT: Profile = { name: "strict", aik: "restricted", demandsDynamicLaunch: true, rimCoversPolicy: true };

export const COMPAT: Profile = {
  name: "compat",
  aik: "reference",
  demandsDynamicLaunch: false,
  rimCoversPolicy: false,
};

export function profileNamed(name: "strict" | "compat"): Profile {
  return name === "strict" ? STRICT : COMPAT;
}

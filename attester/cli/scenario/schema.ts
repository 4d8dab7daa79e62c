import * as v from "valibot";

/** The shape of a scenario file; docs/scenarios.md explains each step with an example. */

const MAX_DURATION_MS = 24 * 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** `250ms`, `10s` or `2m`, in milliseconds. */
const Duration = v.pipe(
  v.string("must be a duration such as 500ms, 10s or 2m"),
  v.regex(/^\d+(\.\d+)?(ms|s|m)$/, "must be a duration such as 500ms, 10s or 2m"),
  v.transform((text) => Number.parseFloat(text) * (UNIT_MS[text.replace(/^[\d.]+/, "")] ?? 1)),
  v.maxValue(MAX_DURATION_MS, "must be 24 hours at most"),
);

const LampNames = v.picklist(["dark", "green", "red", "green+red"], "must be dark, green, red or green+red");

/** What the computer starts with. Each file is a text that stands for its content, or `file:PATH` beside the scenario. */
const Boot = v.strictObject({
  loader: v.optional(v.string()),
  kernel: v.optional(v.string()),
  initrd: v.optional(v.string()),
  cmdline: v.optional(v.string()),
  /** Another platform from now on: `apu2`, or `file:PATH` of a profile. */
  platform: v.optional(v.string()),
  /** Whether the dynamic launch happens; without it PCR 17 and 18 stay all ones. */
  launch: v.optional(v.boolean(), true),
  /** How the TPM lost power before: after TPM2_Shutdown, or without. */
  power: v.optional(v.picklist(["orderly", "cut"]), "orderly"),
});

const Count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000));
const Share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
/** A share of all frames from now on, or `{next: N}`. */
const Dose = v.union([Share, v.strictObject({ next: Count })], "must be a share from 0 to 1, or {next: N}");

const Frames = v.strictObject({
  lose: v.optional(Dose, 0),
  damage: v.optional(Dose, 0),
  double: v.optional(Dose, 0),
  toward: v.optional(v.picklist(["both", "token", "computer"]), "both"),
});

const Expect = v.pipe(
  v.strictObject({
    lamps: v.optional(LampNames),
    /** How long to wait for what is expected; at once when absent. */
    within: v.optional(Duration, "0ms"),
    /** How long the lamps must stay so. */
    for: v.optional(Duration),
    /** The lamps from now on, each with the exact time that it shows. */
    timeline: v.optional(
      v.pipe(v.array(v.strictObject({ lamps: LampNames, for: Duration })), v.minLength(1), v.maxLength(100)),
    ),
    verdict: v.optional(v.picklist(["trusted", "refused"])),
    reason: v.optional(v.string()),
    /** Exactly the PCRs that the verdict names. */
    pcrs: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(23)))),
    /** An event of the token since the last boot, plug or attest step. */
    event: v.optional(v.string()),
    /** A part of a line of the token's or the attester's log. */
    log: v.optional(v.string()),
    platforms: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  }),
  v.check((expected) => Object.keys(expected).some((key) => key !== "within" && key !== "for"), "expects nothing"),
);

/** A step that takes nothing is written as its bare name. */
const Nothing = v.null("takes nothing");

export const steps = {
  plug: Nothing,
  unplug: Nothing,
  boot: v.pipe(
    v.nullable(Boot),
    v.transform((boot) => boot ?? v.parse(Boot, {})),
  ),
  shutdown: Nothing,
  provision: v.picklist(["token", "platform"], "must be token or platform"),
  attest: Nothing,
  press: Duration,
  "cut-power": v.picklist(["token", "tpm"], "must be token or tpm"),
  owner: v.picklist(["start", "stop"], "must be start or stop"),
  attester: v.picklist(["start", "stop"], "must be start or stop"),
  frames: Frames,
  wait: Duration,
  expect: Expect,
} as const;

export type StepName = keyof typeof steps;
export type StepValue<N extends StepName> = v.InferOutput<(typeof steps)[N]>;
export type Step = {
  readonly [N in StepName]: { readonly name: N; readonly value: StepValue<N>; readonly line: number };
}[StepName];

export const Header = v.strictObject({
  name: v.pipe(v.string("must be a text"), v.nonEmpty("must not be empty")),
  profile: v.optional(v.picklist(["compat", "strict"]), "compat"),
  key: v.optional(v.picklist(["rsa", "ecc"]), "rsa"),
  platform: v.optional(v.string(), "apu2"),
});

export interface Scenario extends v.InferOutput<typeof Header> {
  readonly file: string;
  readonly steps: readonly Step[];
}

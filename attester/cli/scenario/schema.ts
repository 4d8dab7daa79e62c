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
  /** So many frames that way go through first. */
  after: v.optional(Count, 0),
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
    platforms: v.optional(Count),
    /** The owner's names of platforms, those without one left out. */
    names: v.optional(v.array(v.string())),
    /** API v1: attested sessions that live. */
    sessions: v.optional(Count),
    /** Platforms of which the token keeps an event log. */
    logs: v.optional(Count),
    /** Files of all platforms in the token's storage. */
    files: v.optional(Count),
  }),
  v.check((expected) => Object.keys(expected).some((key) => key !== "within" && key !== "for"), "expects nothing"),
);

/** A step that takes nothing is written as its bare name. */
const Nothing = v.null("takes nothing");

/** What the token answers a host program; it does what was asked where nothing else is expected. `4.04` in YAML is a number. */
const Answer = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((answer) => (typeof answer === "number" ? answer.toFixed(2) : answer)),
  v.regex(/^([45]\.\d\d|silent)$/, "must be an error code such as 4.03, or silent"),
);

/** A host program by name. Programs of different names are different processes with ports of their own. */
const ProgramName = v.pipe(
  v.string("must be the name of a program"),
  v.regex(/^[a-z][a-z0-9-]{0,19}$/, "must be a name of lower-case letters and digits"),
);

const asked = {
  by: v.optional(ProgramName, "attester"),
  answer: v.optional(Answer),
};
/** The one AIK that an attester offers; otherwise the restricted one, then, with RSA, the reference's. */
const aik = v.optional(v.picklist(["restricted", "reference"]));

/** Event logs that an attester sends: none, or those of the boot before. */
const logs = v.optional(v.picklist(["none", "former"]));

const MAX_FILE_BYTES = 100_000;
const FileName = v.string("must be a file name");
const FileBytes = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_FILE_BYTES));

const Provision = v.pipe(
  v.union(
    [
      v.picklist(["token", "platform"]),
      v.strictObject({
        what: v.picklist(["token", "platform"]),
        by: v.optional(ProgramName),
        answer: asked.answer,
        aik,
        logs,
      }),
    ],
    "must be token or platform, or {what, by, answer, aik, logs}",
  ),
  v.transform((value) =>
    typeof value === "string"
      ? { what: value, by: undefined, answer: undefined, aik: undefined, logs: undefined }
      : value,
  ),
);

const Attest = v.strictObject({ ...asked, aik, logs });

const Write = v.pipe(
  v.strictObject({ ...asked, name: FileName, text: v.optional(v.string()), bytes: v.optional(FileBytes) }),
  v.check(({ text, bytes }) => (text === undefined) !== (bytes === undefined), "needs text or bytes"),
);

const Texts = v.union([v.string(), v.array(v.string())], "must be a text, or a list of texts that may be read");
const Read = v.pipe(
  v.strictObject({ ...asked, name: FileName, text: v.optional(Texts), bytes: v.optional(FileBytes) }),
  v.check(
    ({ text, bytes, answer }) => [text, bytes, answer].filter((given) => given !== undefined).length === 1,
    "needs text, bytes or answer",
  ),
);

const Watch = v.strictObject({ by: asked.by, every: v.optional(Duration, "60s") });

/** The owner's word about one platform: `apu2`, or `file:PATH`; the computer's own when absent. */
const ofPlatform = { of: v.optional(v.string()), answer: asked.answer };

const common = {
  plug: Nothing,
  unplug: Nothing,
  boot: v.pipe(
    v.nullable(Boot),
    v.transform((boot) => boot ?? v.parse(Boot, {})),
  ),
  shutdown: Nothing,
  press: Duration,
  "cut-power": v.union(
    [v.picklist(["token", "tpm"]), v.strictObject({ "token-after": Count })],
    "must be token, tpm or {token-after: N}",
  ),
  frames: Frames,
  wait: Duration,
  expect: Expect,
} as const;

/** The token asks: what runs on the computer are servers. */
const v0 = {
  ...common,
  provision: v.picklist(["token", "platform"], "must be token or platform"),
  attest: Nothing,
  owner: v.picklist(["start", "stop"], "must be start or stop"),
  attester: v.picklist(["start", "stop"], "must be start or stop"),
} as const;

/** The computer asks: each step runs a host program. */
const v1 = {
  ...common,
  provision: Provision,
  attest: v.pipe(
    v.nullable(Attest),
    v.transform((attest) => attest ?? v.parse(Attest, {})),
  ),
  watch: v.pipe(
    v.nullable(Watch),
    v.transform((watch) => watch ?? v.parse(Watch, {})),
  ),
  write: Write,
  read: Read,
  remove: v.strictObject({ ...asked, name: FileName }),
  kill: ProgramName,
  "take-port": v.strictObject({ by: ProgramName, from: v.optional(ProgramName, "attester") }),
  replay: v.strictObject(asked),
  flood: v.pipe(Count, v.maxValue(10_000)),
  measure: v.strictObject({ pcr: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(16)), text: v.string() }),
  "rename-platform": v.strictObject({ ...ofPlatform, to: v.string() }),
  "remove-platform": v.pipe(
    v.nullable(v.strictObject(ofPlatform)),
    v.transform((value) => value ?? v.parse(v.strictObject(ofPlatform), {})),
  ),
} as const;

export const steps = { v0, v1 } as const;

export type Api = keyof typeof steps;
export type StepName<A extends Api = Api> = A extends Api ? keyof (typeof steps)[A] : never;
export type StepOf<A extends Api> = {
  readonly [N in keyof (typeof steps)[A]]: {
    readonly name: N;
    readonly value: (typeof steps)[A][N] extends v.GenericSchema ? v.InferOutput<(typeof steps)[A][N]> : never;
    readonly line: number;
  };
}[keyof (typeof steps)[A]];
export type Step = StepOf<"v0"> | StepOf<"v1">;
export type StepValue<N extends StepName, A extends Api = Api> = Extract<StepOf<A>, { readonly name: N }>["value"];

/** As the token's: every attester of API v0 has the unrestricted key. */
const DEFAULT_PROFILE = { v0: "compat", v1: "strict" } as const;

export const Header = v.pipe(
  v.strictObject({
    name: v.pipe(v.string("must be a text"), v.nonEmpty("must not be empty")),
    api: v.optional(v.picklist(["v0", "v1"], "must be v0 or v1"), "v0"),
    profile: v.optional(v.picklist(["compat", "strict"])),
    key: v.optional(v.picklist(["rsa", "ecc"]), "rsa"),
    platform: v.optional(v.string(), "apu2"),
  }),
  v.transform((header) => ({ ...header, profile: header.profile ?? DEFAULT_PROFILE[header.api] })),
);

export interface Scenario extends v.InferOutput<typeof Header> {
  readonly file: string;
  readonly steps: readonly Step[];
}

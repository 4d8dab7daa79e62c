/** Two TPMs with the same history, the emulator and swtpm: each step goes to both, and the answers are compared. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../../../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../../../../hw/tpm/emulator/index.ts";
import { openSwtpm } from "../../../../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../../../../hw/tpm/swtpm-control.ts";
import { concat, decode, encode, fromHex, Reader, toHex, u16be, u32be } from "../../../../../shared/bytes/index.ts";
import type { TpmPlatform, TpmTransport } from "../../../../../shared/ports/index.ts";
import { type CommandSpec, decodeResponse, TpmCc } from "../../../../../shared/tpm/index.ts";
import { needs } from "../../../../support/programs.ts";
import { seededRandom } from "../../../../support/random.ts";
import { startSwtpm } from "../../../../support/swtpm.ts";

type SideName = "emulator" | "swtpm";

export interface Side {
  readonly name: SideName;
  readonly transport: TpmTransport;
  readonly platform: TpmPlatform;
  /** What a step kept for later ones: handles, names, sealed areas. */
  readonly kept: Map<string, Uint8Array>;
}

interface Answer {
  readonly rc: number;
  readonly bytes: Uint8Array;
}

export interface StepOptions {
  /** Compare the whole response; otherwise tag, code and size. */
  readonly bytes?: true | undefined;
  /** The body has an authorization area that is not `pw` or `policy:`. */
  readonly sessions?: true;
  /** Compare tag and code alone, where sizes depend on random numbers or on what a TPM implements. */
  readonly code?: true;
  /** Keep parts of the response under names, without sizes. `handle` is the new handle. */
  readonly keep?: Readonly<Record<string, (response: Response) => Uint8Array>>;
  /** Gets both whole answers, by the side's name. */
  readonly answers?: Map<string, Uint8Array>;
  /** Where the two are known to differ: the codes, and why. */
  readonly differs?: { readonly emulator: number; readonly swtpm: number; readonly because: string };
}

export interface Response {
  readonly handle: number;
  readonly parameters: Uint8Array;
}

/** The response as its command declares it. */
export function field<P, R>(spec: CommandSpec<P, R>, pick: (response: R) => Uint8Array) {
  return (response: Response) => pick(decode(spec.response, response.parameters));
}

const EMPTY_PASSWORD = "00000009 40000009 0000 00 0000";

function password(hex: string): string {
  const size = (n: number, digits: number) => n.toString(16).padStart(digits, "0");
  return `${size(9 + hex.length / 2, 8)} 40000009 0000 00 ${size(hex.length / 2, 4)} ${hex}`;
}

/**
 * Words of hexadecimal digits, and:
 * `pw` an authorization area with the empty password; `pw:aa` one with that password; `policy:name` one with the kept session;
 * `{name}` what was kept; `2b:word` the word with a 16-bit size; `aa*32` repeated.
 */
function assemble(side: Side, body: string): Uint8Array {
  return concat(
    ...body
      .split(/\s+/)
      .filter((word) => word !== "")
      .map((word) => one(side, word)),
  );
}

function one(side: Side, word: string): Uint8Array {
  if (word === "pw") return assemble(side, EMPTY_PASSWORD);
  if (word.startsWith("pw:")) return assemble(side, password(word.slice(3)));
  if (word.startsWith("policy:")) return assemble(side, `00000009 {${word.slice(7)}} 0000 01 0000`);
  if (word.startsWith("2b:")) {
    const content = one(side, word.slice(3));
    return concat(encode(u16be, content.byteLength), content);
  }
  const name = /^\{(\w+)\}$/.exec(word)?.[1];
  if (name !== undefined) return side.kept.get(name) ?? assert.fail(`${side.name}: ${name} was not kept`);
  const [, digits = word, times = "1"] = /^([0-9a-fA-F]+)\*(\d+)$/.exec(word) ?? [];
  return fromHex(digits.repeat(Number(times))) ?? assert.fail(`not hexadecimal: ${word}`);
}

function header(tag: number, size: number, code: number): Uint8Array {
  return concat(encode(u16be, tag), encode(u32be, size), encode(u32be, code));
}

export class Twins {
  readonly clock: VirtualClock;
  readonly sides: readonly Side[];
  readonly #stop: () => Promise<void>;
  steps = 0;
  /** What went differently, for the end of the story. */
  readonly differences: string[] = [];

  constructor(sides: readonly Side[], stop: () => Promise<void>, clock: VirtualClock) {
    this.sides = sides;
    this.#stop = stop;
    this.clock = clock;
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  async platform(act: (platform: TpmPlatform) => Promise<void>): Promise<void> {
    for (const { platform } of this.sides) await act(platform);
  }

  /** A well-formed header around `body`; the tag says sessions when the body has an authorization area, or when `sessions` says so. */
  async step(name: string, command: keyof typeof TpmCc, body: string, options: StepOptions = {}): Promise<number> {
    const sessions = options.sessions === true || /(^|\s)(pw|policy:)/.test(body);
    return this.#both(name, options, (side) => {
      const content = assemble(side, body);
      return concat(header(sessions ? 0x8002 : 0x8001, 10 + content.byteLength, TpmCc[command]), content);
    });
  }

  /** Exactly these bytes. */
  raw(name: string, bytes: string, options: StepOptions = {}): Promise<number> {
    return this.#both(name, options, (side) => assemble(side, bytes));
  }

  /** What `build` makes for each side. */
  send(name: string, build: (side: Side) => Uint8Array, options: StepOptions = {}): Promise<number> {
    return this.#both(name, options, build);
  }

  async #both(name: string, options: StepOptions, build: (side: Side) => Uint8Array): Promise<number> {
    this.steps++;
    const answers: Answer[] = [];
    for (const side of this.sides) {
      const bytes = await side.transport.send(build(side));
      const rc = new Reader(bytes.subarray(6)).u32be();
      answers.push({ rc, bytes });
      options.answers?.set(side.name, bytes);
      if (rc === 0) keep(side, bytes, options);
    }
    const [emulator, swtpm] = answers;
    assert.ok(emulator !== undefined && swtpm !== undefined);
    const expected = options.differs ?? { emulator: emulator.rc, swtpm: emulator.rc };
    const asExpected = emulator.rc === expected.emulator && swtpm.rc === expected.swtpm;
    const alike = options.differs !== undefined || shown(emulator, options) === shown(swtpm, options);
    if (!asExpected || !alike) {
      this.differences.push(`${name}: emulator ${shown(emulator, options)}; swtpm ${shown(swtpm, options)}`);
    }
    return emulator.rc;
  }
}

function shown({ rc, bytes }: Answer, { bytes: whole, code }: StepOptions): string {
  const tag = toHex(bytes.subarray(0, 2));
  const text = `tag ${tag}, code 0x${rc.toString(16).padStart(3, "0")}`;
  if (whole) return `${text}, ${toHex(bytes)}`;
  return code ? text : `${text}, ${bytes.byteLength} bytes`;
}

function keep(side: Side, bytes: Uint8Array, { keep: wanted = {} }: StepOptions): void {
  if (Object.keys(wanted).length === 0) return;
  const withHandle = Object.keys(wanted).some((name) => name.endsWith("Handle"));
  const { handles, parameters } = decodeResponse(bytes, withHandle ? 1 : 0);
  for (const [name, pick] of Object.entries(wanted)) side.kept.set(name, pick({ handle: handles[0] ?? 0, parameters }));
}

/** For `keep`: the new handle. Its name must end in "Handle". */
export const newHandle = ({ handle }: Response): Uint8Array => encode(u32be, handle);

async function openTwins(context: Mocha.Context): Promise<Twins> {
  needs(context, "swtpm");
  const swtpm = await startSwtpm();
  const clock = new VirtualClock();
  const emulator = createTpmEmulator({ random: seededRandom(1, "differential"), clock });
  const transport = await openSwtpm(swtpm.data);
  const control = await openSwtpmControl(swtpm.control);
  const stop = async () => {
    await transport.close();
    await control.close();
    await swtpm.stop();
  };
  const sides: readonly Side[] = [
    { name: "emulator", ...emulator, kept: new Map() },
    { name: "swtpm", transport, platform: control, kept: new Map() },
  ];
  return new Twins(sides, stop, clock);
}

/** A suite over fresh twins that have power and TPM2_Startup(CLEAR). */
export function story(title: string, tell: (twins: Twins) => Promise<void>): void {
  describe(title, () => {
    let twins: Twins | undefined;

    before(async function () {
      twins = await openTwins(this);
    });

    after(async () => {
      await twins?.stop();
    });

    it("goes the same way in both", async function () {
      this.timeout(20_000);
      if (twins === undefined) return assert.fail("no twins");
      await twins.platform((platform) => platform.power("on"));
      await twins.step("startup", "Startup", "0000");
      await tell(twins);
      assert.deepEqual(twins.differences, []);
      assert.ok(twins.steps > 1);
    });
  });
}

/** Steps of a generated history, as plain data: printed when they fail, played against each TPM by itself. */
import { concat, encode, fromHex, Reader, u16be, u32be } from "../../../../../../shared/bytes/index.ts";
import type { TpmPlatform, TpmTransport } from "../../../../../../shared/ports/index.ts";
import {
  commands,
  nameOfHandle,
  TpmaSessionBit,
  TpmCc,
  type TpmResponse,
  TpmRh,
} from "../../../../../../shared/tpm/index.ts";
import {
  type LiveSession,
  openAnswer,
  type SessionCommand,
  sessionKey,
  signedCommand,
  type Use,
} from "../live-session.ts";

/** A session of a command: a password in hexadecimal digits, or a session that was started as `session`. */
export type Auth =
  | { readonly password: string }
  | {
      readonly session: string;
      readonly attributes: number;
      /** authValue in hexadecimal digits as the caller believes it. */
      readonly auth: string;
      /** Only the HMAC is left out: the password stands there, as TPM2_PolicyPassword wants it, or nothing. */
      readonly plain?: true;
    };

export interface CommandStep {
  readonly kind: "command";
  readonly command: keyof typeof TpmCc;
  /** Names of what was kept, or handles in hexadecimal digits. */
  readonly handles: readonly string[];
  readonly auths: readonly Auth[];
  /** Words: see `words`. */
  readonly parameters: string;
  /** Under this name the new handle, the object's Name and the other parts of the answer are kept. */
  readonly as?: string;
  /** How much of good answers must be equal. Random keys and numbers are not; sizes may depend on them. */
  readonly compare: "all" | "size" | "code";
  /** Bytes that are cut off the end, or put there. */
  readonly cut?: number;
  readonly append?: string;
}

export type Step =
  | CommandStep
  | { readonly kind: "raw"; readonly hex: string }
  | { readonly kind: "platform"; readonly locality?: number; readonly power?: "cut"; readonly hash?: string };

export interface Outcome {
  readonly rc: number;
  /** What is compared. */
  readonly shown: string;
}

const NONE = new Uint8Array(0);
/** What a name stands for that was never kept: a slot that is often empty. */
const LOST = Uint8Array.of(0x80, 0, 0, 2);
const bytesOf = (hex: string) => fromHex(hex) ?? NONE;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** One TPM with what its answers left behind. */
export class Player {
  readonly #transport: TpmTransport;
  readonly #platform: TpmPlatform;
  readonly #kept = new Map<string, Uint8Array>();
  readonly #sessions = new Map<string, LiveSession>();

  constructor(transport: TpmTransport, platform: TpmPlatform) {
    this.#transport = transport;
    this.#platform = platform;
  }

  async play(step: Step): Promise<Outcome> {
    if (step.kind === "platform") {
      if (step.locality !== undefined) await this.#platform.setLocality(step.locality);
      if (step.power !== undefined) await this.#platform.power(step.power);
      if (step.hash !== undefined) await this.#platform.hashSequence(bytesOf(step.hash));
      return { rc: 0, shown: "done" };
    }
    const command = step.kind === "raw" ? undefined : this.#build(step);
    const bytes = step.kind === "raw" ? bytesOf(step.hex) : changed(step, command?.bytes ?? NONE);
    const answer = await this.#transport.send(bytes);
    const rc = new Reader(answer.subarray(6)).u32be();
    if (rc !== 0 || step.kind === "raw" || command === undefined) return { rc, shown: hex(answer) };
    return { rc, shown: this.#take(step, command.made, answer) };
  }

  /** The command without what is broken on purpose. */
  #build(step: CommandStep): { readonly made: SessionCommand; readonly bytes: Uint8Array } {
    const handles = step.handles.map((word) => ({ handle: this.#handle(word), name: this.#name(word) }));
    const uses = step.auths.map((auth) => this.#use(auth));
    const made = { code: TpmCc[step.command], handles, parameters: this.#words(step.parameters), uses };
    // Nothing can be encrypted there, but the TPM has something to refuse.
    const sent = made.parameters.byteLength < 2 && encrypts(uses) ? { ...made, parameters: new Uint8Array(2) } : made;
    return { made: sent, bytes: signedCommand(sent) };
  }

  #use(auth: Auth): SessionCommand["uses"][number] {
    const password = (value: string) => {
      return { sessionHandle: TpmRh.PW, nonce: NONE, sessionAttributes: 0, hmac: bytesOf(value) };
    };
    if ("password" in auth) return password(auth.password);
    const session = this.#sessions.get(auth.session);
    if (session === undefined) {
      return { sessionHandle: this.#handle(auth.session), nonce: NONE, sessionAttributes: auth.attributes, hmac: NONE };
    }
    const given = bytesOf(auth.auth);
    if (auth.plain)
      return { sessionHandle: session.handle, nonce: NONE, sessionAttributes: auth.attributes, hmac: given };
    const use: Use = { session, attributes: auth.attributes, auth: given };
    return use;
  }

  #handle(word: string): number {
    const known = this.#kept.get(`${word}.handle`) ?? (/^[0-9a-f]{8}$/.test(word) ? bytesOf(word) : LOST);
    return new Reader(known).u32be();
  }

  #name(word: string): Uint8Array {
    return this.#kept.get(`${word}.name`) ?? nameOfHandle(this.#handle(word));
  }

  /** Hexadecimal digits, `aa*9` repeated, `{x.part:default}` kept, `2b:` in front of a word its size. */
  #words(text: string): Uint8Array {
    return concat(
      ...text
        .split(" ")
        .filter((word) => word !== "")
        .map((word) => this.#word(word)),
    );
  }

  #word(word: string): Uint8Array {
    if (word.startsWith("2b:")) {
      const content = this.#word(word.slice(3));
      return concat(encode(u16be, content.byteLength), content);
    }
    const [, name, otherwise = ""] = /^\{([\w.]+)(?::(\w*))?\}$/.exec(word) ?? [];
    if (name !== undefined) return this.#kept.get(name) ?? bytesOf(otherwise);
    const [, digits = word, times = "1"] = /^([0-9a-f]+)\*(\d+)$/.exec(word) ?? [];
    return bytesOf(digits.repeat(Number(times)));
  }

  #take(step: CommandStep, made: SessionCommand, answer: Uint8Array): string {
    const spec = Object.values(commands).find(({ code }) => code === made.code);
    const newAuth = step.command === "HierarchyChangeAuth" ? made.parameters.subarray(2) : undefined;
    const signed = { ...made, uses: made.uses.map((use, i) => (isPlain(step, i) ? { ...NOBODY } : use)) };
    const open = (auth?: Uint8Array) => openAnswer(signed, answer, spec?.responseHandles ?? 0, auth);
    const response = newAuth === undefined ? open() : either(() => open(newAuth), open);
    this.#keep(step, response);
    step.auths.forEach((auth, i) => {
      const session = "session" in auth ? this.#sessions.get(auth.session) : undefined;
      const nonce = response.sessions[i]?.nonce;
      if (session !== undefined && nonce !== undefined) session.nonceTpm = nonce;
    });
    const attributes = response.sessions.map(({ sessionAttributes }) => sessionAttributes).join();
    const handle = response.handles.map((one) => one.toString(16)).join();
    const { parameters } = response;
    const content = step.compare === "all" ? hex(parameters) : step.compare === "size" ? parameters.byteLength : "";
    return `${handle} [${attributes}] ${content}`;
  }

  #keep(step: CommandStep, response: TpmResponse): void {
    const { as } = step;
    if (as === undefined) return;
    const [handle] = response.handles;
    if (handle !== undefined) this.#kept.set(`${as}.handle`, encode(u32be, handle));
    for (const [part, value] of partsOf(step.command, response.parameters)) this.#kept.set(`${as}.${part}`, value);
    if (step.command === "StartAuthSession" && handle !== undefined) this.#begin(step, as, handle, response);
  }

  #begin({ parameters, handles }: CommandStep, as: string, handle: number, { parameters: answer }: TpmResponse): void {
    const all = this.#words(parameters);
    const hash = ({ 4: "sha1", 11: "sha256", 12: "sha384" } as const)[new Reader(all.subarray(-2)).u16be()] ?? "sha256";
    const algorithm = new Reader(all.subarray(21)).u16be();
    const symmetric = algorithm === 6 ? "aes" : algorithm === 10 ? "xor" : "none";
    const nonceTpm = answer.subarray(2);
    const bound = handles[1] !== "40000007";
    const bits = { sha1: 160, sha256: 256, sha384: 384 }[hash];
    // Only what has an empty authValue is bound to here.
    const key = bound ? sessionKey(hash, NONE, nonceTpm, bits) : NONE;
    this.#sessions.set(as, { handle, hash, key, symmetric, nonceTpm });
  }
}

const NOBODY = { sessionHandle: TpmRh.PW, nonce: NONE, sessionAttributes: 0, hmac: NONE } as const;

function isPlain(step: CommandStep, i: number): boolean {
  const auth = step.auths[i];
  return auth !== undefined && "plain" in auth && auth.plain === true;
}

/** The new authValue is in the key of the answer, unless the session is bound to the entity: then it has the old one inside. */
function either<T>(one: () => T, other: () => T): T {
  try {
    return one();
  } catch {
    return other();
  }
}

function encrypts(uses: SessionCommand["uses"]): boolean {
  return uses.some((use) => "session" in use && (use.attributes & TpmaSessionBit.DECRYPT) !== 0);
}

/** With bytes cut off or added behind, and the size right again. */
function changed({ cut = 0, append = "" }: CommandStep, bytes: Uint8Array): Uint8Array {
  if (cut === 0 && append === "") return bytes;
  const made = concat(bytes.subarray(0, Math.max(10, bytes.byteLength - cut)), bytesOf(append));
  made.set(encode(u32be, made.byteLength), 2);
  return made;
}

/** Named parts of an answer that later steps want. */
function partsOf(command: keyof typeof TpmCc, parameters: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const from = new Reader(parameters);
  const sized = () => {
    const size = from.u16be();
    return concat(encode(u16be, size), from.bytes(size));
  };
  switch (command) {
    case "CreatePrimary":
      return [
        ["public", sized()],
        ["name", parameters.subarray(parameters.byteLength - 34)],
      ];
    case "Create":
      return [
        ["private", sized()],
        ["public", sized()],
      ];
    case "Load":
    case "LoadExternal":
      return [["name", parameters.subarray(2)]];
    case "CreateLoaded":
      return [
        ["private", sized()],
        ["public", sized()],
        ["name", parameters.subarray(parameters.byteLength - 34)],
      ];
    case "NV_ReadPublic":
      sized();
      return [["name", sized().subarray(2)]];
    case "ContextSave":
      return [["context", parameters]];
    case "Hash":
      return [
        ["digest", sized()],
        ["ticket", from.rest()],
      ];
    case "Sign":
      return [["signature", parameters]];
    case "PolicyGetDigest":
      return [["digest", parameters.subarray(2)]];
    default:
      return [];
  }
}

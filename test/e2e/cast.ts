/** Who takes part in the exchanges of both APIs, each a process of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Process, Processes } from "../support/process.ts";

/** The seven requests, in the order of the walk-through. */
export const SEVEN_REQUESTS = ["ek", "aik", "challenge", "metadata", "rim", "metadata", "quote"] as const;

/** A line of `token --json`. */
export interface TokenLine {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface Verdict {
  readonly trusted: boolean;
  readonly reason?: string;
}

export interface TokenArguments {
  readonly state: string;
  readonly attester: string;
  readonly more?: readonly string[];
}

export class Cast {
  readonly processes = new Processes();
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Runs a command that ends by itself, and well. */
  async command(...args: readonly string[]): Promise<string> {
    const { code, text } = await this.processes.run(args);
    assert.equal(code, 0, text);
    return text;
  }

  async owner(...expected: readonly string[]): Promise<{ readonly program: Process; readonly port: number }> {
    const expect = expected.flatMap((id) => ["--expect", id]);
    const program = this.processes.start(["owner", "serve", this.path("owner"), "--port", "0", ...expect]);
    const [, port] = await program.line(/serves API v0 on 127\.0\.0\.1:(\d+)\.$/);
    return { program, port: Number(port) };
  }

  /** The walk-through's computer. */
  async attester(
    tpm: string,
    more: readonly string[] = ["--launch"],
  ): Promise<{ readonly program: Process; readonly port: number }> {
    const how = ["--platform", "apu2", "--port", "0", "--no-aia", "--verbose", ...more];
    const program = this.processes.start(["attester", "serve", "--tpm", tpm, ...how]);
    const [, port] = await program.line(/^debug: Listening on 127\.0\.0\.1:(\d+)$/);
    return { program, port: Number(port) };
  }

  token({ state, attester, more = [] }: TokenArguments): Token {
    const roots = ["--owner-root", this.path("owner", "root.pem")];
    const where = ["--state", state, "--attester", attester];
    return new Token(
      this.processes.start(["token", "--api", "v0", "--json", "--net", "udp", ...where, ...roots, ...more]),
    );
  }
}

/** A running token, heard through its JSON lines and moved through its standard input. */
export class Token {
  readonly program: Process;

  constructor(program: Process) {
    this.program = program;
  }

  /** The next line that is of one of these types. */
  event(...types: readonly string[]): Promise<TokenLine> {
    return this.program.match(types.join(" or "), (line) => {
      const parsed: TokenLine = JSON.parse(line);
      return types.includes(parsed.type) ? parsed : undefined;
    });
  }

  async verdict(): Promise<Verdict> {
    const { verdict } = await this.event("attested", "attestation-failed");
    return verdict as Verdict;
  }

  async lamps(green: boolean, red: boolean): Promise<void> {
    await this.program.match(`lamps green=${green} red=${red}`, (line) => {
      const parsed: TokenLine = JSON.parse(line);
      return parsed.type === "lamps" && parsed["green"] === green && parsed["red"] === red ? true : undefined;
    });
  }

  async deviceId(): Promise<string> {
    const [, id] = await this.program.line(/Device id ([0-9A-F]{1,16})/);
    return id ?? "";
  }

  /** How often an event of this type was told. */
  count(type: string): number {
    return this.program.lines.filter((line) => (JSON.parse(line) as TokenLine).type === type).length;
  }

  /** Out and in again: one more attempt. */
  async replug(): Promise<void> {
    this.program.type("u");
    await this.event("detached");
    this.program.type("u");
    await this.event("attached");
  }

  async quit(): Promise<void> {
    this.program.type("q");
    assert.equal(await this.program.ended, 0, this.program.said());
  }
}

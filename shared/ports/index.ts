/**
 * The seams: what the rooms need from outside. An interface stands here only where at least two implementations do; each
 * comment states what an implementation must keep, and a contract suite in test/contract checks all of them.
 */

/** Ends what returned it. Calling it twice does nothing more. */
export type Unsubscribe = () => void;

/** Monotonic milliseconds. `after` runs once, never synchronously, in the order of due times, then of calls. */
export interface Clock {
  now(): number;
  after(ms: number, run: () => void): Unsubscribe;
}

/** Calendar time, apart from `Clock`: a token has none. Milliseconds since 1970-01-01T00:00:00Z. */
export interface Calendar {
  today(): number;
}

/** Cryptographic randomness, `size` bytes at a call. A seeded one is for simulation only and says so where it is chosen. */
export interface Random {
  bytes(size: number): Uint8Array;
}

/** Whole Ethernet frames, no preamble, no FCS. Delivery may fail silently, as on a wire. `mtu` counts the payload behind the 14-byte header. */
export interface FrameLink {
  readonly mtu: number;
  send(frame: Uint8Array): void;
  onFrame(listener: (frame: Uint8Array) => void): Unsubscribe;
  close(): Promise<void>;
}

/** One end of UDP traffic; `address` is a dotted IPv4 address. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** A bound UDP port. Delivery may fail silently; a listener that throws is a bug of the listener. */
export interface DatagramPort {
  readonly local: Peer;
  send(datagram: Uint8Array, to: Peer): void;
  onDatagram(listener: (datagram: Uint8Array, from: Peer) => void): Unsubscribe;
  close(): Promise<void>;
}

/** One command, one response, in order. Rejects only when the TPM was not reached. */
export interface TpmTransport {
  send(command: Uint8Array, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What a chipset does to a TPM: the emulator and swtpm's control channel have it, /dev/tpmrm0 has not and the caller says so. */
export interface TpmPlatform {
  /** The locality of the commands that follow, 0..4. */
  setLocality(locality: number): Promise<void>;
  /** _TPM_Hash_Start, _TPM_Hash_Data with `data`, _TPM_Hash_End: a dynamic launch at locality 4. */
  hashSequence(data: Uint8Array): Promise<void>;
  /** `on`: power where there was none. `orderly`: power cycle of a TPM that got TPM2_Shutdown. `cut`: power cycle without. */
  power(how: "on" | "orderly" | "cut"): Promise<void>;
}

export interface FlashGeometry {
  readonly pageBytes: number;
  readonly pages: number;
}

/** NOR-like: programming clears bits, erasing sets a page to 0xFF. Programming a bit from 0 to 1 throws: it is a bug of the caller. */
export interface Flash {
  readonly geometry: FlashGeometry;
  read(at: number, size: number): Uint8Array;
  program(at: number, data: Uint8Array): void;
  erase(page: number): void;
}

export interface Lamps {
  readonly green: boolean;
  readonly red: boolean;
}

/** The two lamps of the stick. Told on every change, never twice the same. */
export interface Leds {
  show(lamps: Lamps): void;
}

/** The one button of the stick. */
export interface Button {
  onChange(listener: (held: boolean) => void): Unsubscribe;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** A line for people, with its facts for programs. Never a secret among them. An Error there makes a line of level error that of a bug. */
export interface Log {
  write(level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** Gets a certificate from an AIA caIssuers address; undefined when it was not had within the implementation's limits. */
export interface CertificateFetcher {
  fetch(url: string): Promise<Uint8Array | undefined>;
}

/** What the attester says of its platform. */
export interface PlatformFacts {
  /** Six bytes. */
  readonly mac: Uint8Array;
  readonly manufacturer: string;
  readonly productName: string;
  readonly serialNumber: string;
}

/** Where the facts come from: SMBIOS and the PCI network cards of this machine, or a profile. Rejects with a sentence when they cannot be had. */
export interface PlatformInfo {
  read(): Promise<PlatformFacts>;
}

/**
 * The TCG event logs of the last boot, byte for byte as their writers left them: the firmware's, then the dynamic launch's, those of them that
 * there are. Read anew at each call. Rejects with a sentence when one is there that cannot be read.
 */
export interface EventLogs {
  read(): Promise<readonly Uint8Array[]>;
}

/** What another kernel is started with, byte for byte. */
export interface KexecTarget {
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array | undefined;
  /** Without NUL. */
  readonly commandLine: string;
}

export type KexecOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** `absent`: there is no kexec here. `rights`: not for this user. `refused`: the kernel or the boot files do not allow it. */
      readonly reason: "absent" | "rights" | "refused";
      /** A sentence without its full stop. */
      readonly detail: string;
    };

/**
 * Another kernel in the place of the one that runs, without a reset of the machine. Refusals are values; what was loaded before a refused
 * `load` is not to be jumped into.
 */
export interface Kexec {
  /** Whether a load has a chance, without one. */
  check(): Promise<KexecOutcome>;
  /** Loads exactly these bytes, in the place of what was loaded before. */
  load(target: KexecTarget): Promise<KexecOutcome>;
  /** Forgets what was loaded; nothing loaded is fine. */
  unload(): Promise<KexecOutcome>;
  /** Starts what was loaded. Real machines do not come back from it; a simulated one resolves. */
  jump(): Promise<KexecOutcome>;
}

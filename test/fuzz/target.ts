/** What takes inputs: a decoder, or something that strangers send to. */
export interface Feed {
  /** Good inputs that only what was opened knows; they are changed as the seeds are. */
  readonly heard?: readonly Uint8Array[];
  /** False when it was refused, or not answered. Whatever it throws is a failure. */
  take(input: Uint8Array): boolean;
  /** After the last input: honest work still goes. Throws where it does not. */
  end(): void | Promise<void>;
}

export interface Target {
  readonly name: string;
  /** Whether what an input does depends on those before it. */
  readonly remembers: boolean;
  readonly seeds: readonly Uint8Array[];
  readonly tokens: readonly Uint8Array[];
  readonly corpus: readonly Uint8Array[];
  /** Puts checksums right; done to every other input. */
  readonly mend?: ((input: Uint8Array) => Uint8Array) | undefined;
  open(): Feed | Promise<Feed>;
}

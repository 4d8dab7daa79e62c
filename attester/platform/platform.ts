import { CodecError } from "../../shared/bytes/index.ts";
import type { PlatformFacts, PlatformInfo } from "../../shared/ports/index.ts";
import { type NetworkInterface, selectNetworkCard } from "./network.ts";
import { decodeSystemInformation, smbiosGeneration } from "./smbios.ts";

/** One measurement of the firmware (SRTM) into PCR 0 to 7. */
export interface FirmwareEvent {
  readonly pcr: number;
  /** Name of the event type, TCG PC Client Platform Firmware Profile, table 27, or its number as `0x80000001`. */
  readonly event: string;
  readonly data: Uint8Array;
  /** `hashed`: each bank gets its own digest. `padded-sha1`: each bank gets the SHA-1 digest, filled up with zeros. */
  readonly style: "hashed" | "padded-sha1";
}

/** The platform an attester speaks for: its facts, and what its firmware measures where the boot is simulated. */
export interface AttesterPlatform extends PlatformFacts {
  /** Which SMBIOS entry point the facts came through. */
  readonly smbiosGeneration: 2 | 3;
  readonly firmware: readonly FirmwareEvent[];
}

/** Facts with the SMBIOS entry point they came through, where it is known. */
export type DescribedFacts = PlatformFacts & { readonly smbiosGeneration?: 2 | 3 };

/** The platform's facts cannot be had; the message is a sentence for the user. */
export class PlatformError extends Error {
  override readonly name = "PlatformError";
}

/** What the operating system shows of the machine; hw/host has the one for Linux. Rejects with a sentence when a part is not readable. */
export interface HostSource {
  smbiosEntryPoint(): Promise<Uint8Array>;
  smbiosTable(): Promise<Uint8Array>;
  networkInterfaces(): Promise<readonly NetworkInterface[]>;
}

const OTHER_WAY = "give a profile instead: --platform apu2, or --platform FILE";

async function part<T>(what: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    const problem = cause instanceof CodecError ? `the ${what} is malformed: ${cause.message}` : errorText(cause);
    throw new PlatformError(`${problem}; ${OTHER_WAY}`, { cause });
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** PlatformInfo of this machine: SMBIOS type 1 and the first PCI network card. Rejects with PlatformError. */
export function hostPlatform(source: HostSource): PlatformInfo & { read(): Promise<DescribedFacts> } {
  return {
    async read() {
      const generation = await part("SMBIOS entry point", async () =>
        smbiosGeneration(await source.smbiosEntryPoint()),
      );
      const system = await part("SMBIOS table", async () => decodeSystemInformation(await source.smbiosTable()));
      for (const [name, value] of Object.entries(system)) {
        if (value === "") throw new PlatformError(`SMBIOS type 1 names no ${WORDS[name] ?? name}; ${OTHER_WAY}`);
      }
      const card = selectNetworkCard(await part("list of network cards", () => source.networkInterfaces()));
      if (card === undefined) throw new PlatformError(`this machine has no PCI network card; ${OTHER_WAY}`);
      return { mac: card.mac, ...system, smbiosGeneration: generation };
    },
  };
}

const WORDS: Readonly<Record<string, string>> = {
  manufacturer: "manufacturer",
  productName: "product name",
  serialNumber: "serial number",
};

/** PlatformInfo that says what a profile says. */
export function profilePlatform(profile: AttesterPlatform): PlatformInfo & { read(): Promise<DescribedFacts> } {
  return { read: () => Promise.resolve(profile) };
}

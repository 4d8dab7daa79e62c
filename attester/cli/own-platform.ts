import { readFileBytes } from "../../hw/files/index.ts";
import { readProfileFile } from "../../hw/files/profiles.ts";
import { linuxHost } from "../../hw/host/index.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import { type Certificate, readCertificates } from "../../shared/x509/index.ts";
import {
  builtInProfiles,
  type DescribedFacts,
  type FirmwareEvent,
  hostPlatform,
  parseProfile,
} from "../platform/index.ts";
import { Exit, Stop } from "./exit.ts";

const MAX_CHAIN_BYTES = 256 * 1024;

/** What the platform says of itself, and what its firmware measures where that is known. */
export type OwnPlatform = DescribedFacts & { readonly firmware?: readonly FirmwareEvent[] };

/** What --platform names. */
export async function readPlatform(text: string): Promise<OwnPlatform> {
  if (text === "host") return hostPlatform(linuxHost()).read();
  return builtInProfiles.get(text) ?? parseProfile(readProfileFile(text), text);
}

/** The certificates of all files of --ek-chain. */
export function readIssuers(files: readonly string[]): readonly Certificate[] {
  return files.flatMap((file) => {
    try {
      return readCertificates(readFileBytes(file, MAX_CHAIN_BYTES));
    } catch (error) {
      if (error instanceof CodecError)
        throw new Stop(Exit.Usage, `${file} holds no certificate, PEM or DER: ${error.message}`, { cause: error });
      throw error;
    }
  });
}

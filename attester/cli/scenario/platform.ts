import { dirname, resolve } from "node:path";
import { FileError } from "../../../hw/files/index.ts";
import { readProfileFile } from "../../../hw/files/profiles.ts";
import { type AttesterPlatform, builtInProfiles, ProfileError, parseProfile } from "../../platform/index.ts";
import { Exit, Stop } from "../exit.ts";

const FILE_PREFIX = "file:";

/** The platform that a scenario names: a built-in profile, or `file:PATH` of one beside the scenario. Throws Stop with a sentence. */
export function platformOf(platform: string, scenarioFile: string): AttesterPlatform {
  if (!platform.startsWith(FILE_PREFIX)) {
    const known = builtInProfiles.get(platform);
    if (known !== undefined) return known;
    throw new Stop(
      Exit.Usage,
      `${scenarioFile}: platform ${platform} is not known; ${FILE_PREFIX}PATH names a profile`,
    );
  }
  const path = resolve(dirname(scenarioFile), platform.slice(FILE_PREFIX.length));
  try {
    return parseProfile(readProfileFile(path), path);
  } catch (error) {
    if (error instanceof FileError || error instanceof ProfileError) {
      throw new Stop(Exit.Usage, `${scenarioFile}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

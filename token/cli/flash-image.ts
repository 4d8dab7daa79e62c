import { isStandardOutput, STANDARD, writeLocal } from "../../attester/cli/local-files.ts";
import { FileError, readFileBytes } from "../../hw/files/index.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { isErased } from "../storage/format.ts";
import { openStore, StorageError } from "../storage/index.ts";
import { hasState, replaceStateFlash } from "./state.ts";
import { demandYes, withFlash } from "./stopped.ts";

/** `fobnail token flash export` and `import`: the whole image, with the token's private key in it. */

const IMAGE_BYTES = STICK_GEOMETRY.pageBytes * STICK_GEOMETRY.pages;

/** Also of a flash that is damaged: somebody may want to look at it. Rejects with FileError. */
export function exportFlash(file: string, state: string): Promise<void> {
  return withFlash(state, async (flash) => {
    const { pageBytes, pages } = flash.geometry;
    const image = flash.read(0, pageBytes * pages);
    const say = isStandardOutput(file) ? console.error : console.log;
    await writeLocal(file, image);
    const name = file === STANDARD ? "standard output" : file;
    say(`${name}: ${image.byteLength} bytes. It holds the token's private key: whoever has it has the token`);
  });
}

export async function importFlash(file: string, yes: boolean, state: string): Promise<void> {
  const image = readImage(file);
  if (hasState(state) && !yes) {
    const question = `Replace the token in ${state}, with all its keys and platforms?`;
    await demandYes(question, { done: "replaces it", undone: "not imported" });
  }
  replaceStateFlash(state, image);
  console.log(`${state}: imported from ${file}`);
}

/** Throws FileError for anything but the whole image of a token's storage. */
function readImage(file: string): Uint8Array {
  const image = readFileBytes(file, IMAGE_BYTES);
  if (image.byteLength !== IMAGE_BYTES) {
    throw new FileError(`${file} is not the flash image of a token: ${image.byteLength} bytes, not ${IMAGE_BYTES}`);
  }
  if (isErased(image)) throw new FileError(`${file} is not the flash image of a token: nothing is in it`);
  try {
    openStore(createRamFlash(STICK_GEOMETRY, image)); // a copy: what is to be finished in it, the token finishes
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    throw new FileError(`${file} is not the flash image of a token: ${error.message}`, { cause: error });
  }
  return image;
}

import { InvalidArgumentError } from "commander";
import { utf8 } from "../../../shared/bytes/index.ts";
import { Limit } from "../../../shared/protocol/index.ts";

/** An option's text as the name of a platform. */
export function platformName(text: string): string {
  if (/\p{Cc}/u.test(text) || utf8(text).byteLength > Limit.PLATFORM_NAME_BYTES) {
    throw new InvalidArgumentError(`At most ${Limit.PLATFORM_NAME_BYTES} bytes of text belong here.`);
  }
  return text;
}

import type { Random } from "../../../shared/ports/index.ts";

/** The stream of each part goes on where it was, however often it is asked for. */
export function oneStreamEach(random: (part: string) => Random): (part: string) => Random {
  const streams = new Map<string, Random>();
  return (part) => {
    const stream = streams.get(part) ?? random(part);
    streams.set(part, stream);
    return stream;
  };
}

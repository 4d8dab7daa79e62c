import type { Clock, DatagramPort, Flash, Leds, Random } from "../../../shared/ports/index.ts";
import type { FileLimits } from "../../../token/domain/files.ts";
import type { Profile } from "../../../token/domain/profile.ts";

/** One way in which a token can be wrong: each part stands between the honest token and the world. */
export interface Lie {
  /** What the token does, as a sentence part: "takes a nonce twice". */
  readonly name: string;
  readonly port?: (honest: DatagramPort, clock: Clock) => DatagramPort;
  readonly profile?: (honest: Profile) => Profile;
  readonly random?: (honest: Random) => Random;
  readonly clock?: (honest: Clock) => Clock;
  readonly leds?: (honest: Leds, clock: Clock) => Leds;
  readonly flash?: (honest: Flash) => Flash;
  readonly storage?: Partial<FileLimits>;
}

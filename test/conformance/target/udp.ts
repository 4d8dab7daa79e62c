import { openUdpPort } from "../../../hw/net/udp.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { CoapError, createEndpoint } from "../../../shared/coap/index.ts";
import type { DatagramPort, Peer } from "../../../shared/ports/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { certs, enrol } from "../flows.ts";
import type { Keys } from "../keys.ts";
import type { Machine } from "../machine.ts";
import { provisionToken } from "../owner.ts";
import type { Need, ProfileName, Row } from "../row.ts";
import { Scene } from "../scene.ts";
import { realTime } from "../time.ts";
import { NotHere } from "../unmet.ts";
import type { Stage, Target } from "./target.ts";

export interface UdpTargetOptions {
  readonly token: Peer;
  readonly profile: ProfileName;
  readonly keys: Keys;
  readonly machine: Machine;
  readonly tpm?: Machine | undefined;
  /** UDP port on the token's network; of this machine unless said otherwise. */
  readonly open?: () => Promise<DatagramPort>;
  readonly name?: string;
}

const openHere = (): Promise<DatagramPort> => openUdpPort("0.0.0.0", 0);

/** Sessions of the rows before live on for a while; with more of them than this the token might run out. */
const MAX_RECENT_PORTS = 20;
const SESSION_END_MS = 3_200;

/** Why rows cannot be tried on a token that somebody else runs. */
const OUT_OF_REACH: Partial<Record<Need, string>> = {
  lamps: "the lamps of this token cannot be seen from here",
  power: "this token's power is not at hand",
  "small-flash": "this token's storage would have to be filled",
};

/** Any running token. It keeps what it learns: its owner, once; platforms are removed behind each row. */
export async function udpTarget(options: UdpTargetOptions): Promise<Target> {
  const { token, profile, keys, machine, tpm, open = openHere } = options;
  const { clock } = realTime;
  let recent: readonly number[] = [];

  const openPort = async (): Promise<DatagramPort> => {
    recent = [...recent, clock.now()];
    return open();
  };

  const roomForSessions = async (): Promise<void> => {
    const latest = recent.at(-MAX_RECENT_PORTS) ?? Number.NEGATIVE_INFINITY;
    await realTime.wait(Math.max(0, latest + SESSION_END_MS - clock.now()));
    recent = recent.filter((at) => clock.now() - at < SESSION_END_MS);
  };

  const target: Target = {
    name: options.name ?? `udp:${token.address}:${token.port}`,
    profile,
    keys,
    machine,
    tpm,
    stays: true,
    async stage(row) {
      const missing = missingFor(row, options);
      if (missing !== undefined) throw new NotHere(missing);
      await roomForSessions();
      const bare: Omit<Stage, "enrolled"> = { token, time: realTime, openPort, close: async () => undefined };
      return prepared(row, target, bare);
    },
    close: async () => undefined,
  };
  return target;
}

function missingFor({ needs = [] }: Row, { keys, tpm }: UdpTargetOptions): string | undefined {
  const here = needs.flatMap((need) => OUT_OF_REACH[need] ?? []);
  if (here[0] !== undefined) return here[0];
  if (needs.includes("software-tpm") && keys.vendor === undefined) return "needs keys of the suite's own: --keys DIR";
  if (needs.includes("owner-root") && keys.owner.rootKey === undefined) return "needs the owner root's key: --keys DIR";
  if (needs.includes("tpm") && tpm === undefined) return "needs a TPM: --tpm";
  return undefined;
}

/** Brings the token into the state that the row begins with, if that can be done. */
async function prepared(row: Row, target: Target, stage: Omit<Stage, "enrolled">): Promise<Stage> {
  const unknown = { metadata: new Uint8Array(), rim: new Uint8Array(), machine: target.machine };
  const scene = await Scene.on({ ...target, stays: false }, { ...stage, enrolled: unknown }, systemRandom);
  try {
    const blank = (await scene.me.post(V1.EK, certs([]))).code === NOT_FOUND;
    if (row.state === "blank" && !blank) throw new NotHere("the token has an owner already");
    if (row.state !== "blank" && blank) await provisionToken(scene);
    if (row.state !== "enrolled") return { ...stage, enrolled: unknown };
    const enrolled = await scene.platform();
    await enrol(scene.me, enrolled);
    return { ...stage, enrolled };
  } finally {
    await scene.close();
  }
}

const NOT_FOUND = 0x84;

/** Whether a token answers there at all. */
export async function answers(token: Peer, open = openHere): Promise<boolean> {
  const port = await open();
  const endpoint = createEndpoint({ port, clock: realTime.clock, random: systemRandom });
  try {
    await endpoint.request(token, { method: "GET", path: V1.VERSION, timeoutMs: 3_000 });
    return true;
  } catch (error) {
    if (error instanceof CoapError) return false;
    throw error;
  } finally {
    endpoint.close();
    await port.close();
  }
}

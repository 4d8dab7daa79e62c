import { type LogEvent, replayLog } from "../../../shared/event-log/index.ts";
import { hashNameOf, type PcrBank, pcrNumbers, pcrValue } from "../../../shared/tpm/index.ts";

/** A PCR that somebody extended, and that the logs do not mention in its bank. */
export interface Unlogged {
  readonly bank: string;
  readonly pcr: number;
  readonly tpm: Uint8Array;
  /** The logs are of a kind that tells of this PCR. Others have no log here, as PCR 10, which IMA extends. */
  readonly belongs: boolean;
}

/** What a firmware's log accounts for, and a dynamic launch's. */
const KINDS = [
  { from: 0, to: 7 },
  { from: 17, to: 18 },
] as const;
/** Those that are all ones until a dynamic launch: PC Client PTP, 4.6.2. */
const DYNAMIC = { from: 17, to: 22 } as const;
const ALL_ONES = 0xff;
/** PCR 0 starts with the locality of TPM2_Startup in its last byte, or with 4 behind an H-CRTM. */
const MAX_START = 4;

interface Range {
  readonly from: number;
  readonly to: number;
}

/** In banks that the logs tell of: PCRs that hold another value than their start and are in no log. */
export function unloggedPcrs(banks: readonly PcrBank[], events: readonly LogEvent[]): readonly Unlogged[] {
  return banks.flatMap((bank) => {
    const name = hashNameOf(bank.hash);
    if (name === undefined) return [];
    const logged = [...replayLog(events, bank.hash).keys()];
    if (logged.length === 0) return [];
    const told = KINDS.filter((kind) => logged.some((pcr) => isIn(pcr, kind)));
    return pcrNumbers(bank.pcrSelect).flatMap((pcr) => {
      const tpm = pcrValue(bank, pcr);
      if (tpm === undefined || logged.includes(pcr) || isStart(pcr, tpm)) return [];
      return [{ bank: name, pcr, tpm, belongs: told.some((kind) => isIn(pcr, kind)) }];
    });
  });
}

const isIn = (pcr: number, { from, to }: Range) => pcr >= from && pcr <= to;

function isStart(pcr: number, value: Uint8Array): boolean {
  if (isIn(pcr, DYNAMIC) && value.every((byte) => byte === ALL_ONES)) return true;
  const last = pcr === 0 ? MAX_START : 0;
  return value.every((byte, at) => byte <= (at === value.byteLength - 1 ? last : 0));
}

import { utf8 } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import type { KexecTarget } from "../../shared/ports/index.ts";
import { hashNameOf } from "../../shared/tpm/index.ts";

/** What the gate measures before it opens: what comes next, and that nobody is the small OS any more. */

/** What is started behind the gate. Without either, whoever asked goes on with the exit code. */
export interface GateTarget {
  /** A command line for the shell. */
  readonly command?: string | undefined;
  readonly kexec?: KexecTarget | undefined;
}

/** Where the gate stands: what the TPM lets it extend decides which PCRs it uses. */
export interface GateWay {
  /** The locality of the extends. */
  readonly locality: 0 | 2;
  readonly targetPcr: number;
  /** Of what was attested; a cap goes into each. */
  readonly capPcrs: readonly number[];
}

/** With the chipset's side of the TPM: PCR 17 and 18 hold the launch that was attested, PCR 19 is for what it starts. */
export const LAUNCH_WAY: GateWay = { locality: 2, targetPcr: 19, capPcrs: [17, 18] };
/** As over /dev/tpmrm0, where 17 to 19 are closed: PCR 14 is the operating system's, PCR 7 is part of the default policy. */
export const PLAIN_WAY: GateWay = { locality: 0, targetPcr: 14, capPcrs: [7] };

/** One event of the gate, for TPM and log: each bank gets the hash of `data`. */
export interface GateEvent {
  readonly step: "target" | "cap";
  readonly pcr: number;
  /** The event's text. */
  readonly event: string;
  readonly data: Uint8Array;
}

/** What a cap is the hash of. */
const CAP = utf8("fobnail gate: passed");

/** In the order in which they are extended: command, kernel, initrd, command line, each where there is one; then the caps. */
export function gateEvents(way: GateWay, { command, kexec }: GateTarget): readonly GateEvent[] {
  const target = (what: string, data: Uint8Array | undefined): readonly GateEvent[] => {
    if (data === undefined) return [];
    return [{ step: "target", pcr: way.targetPcr, event: `Measured ${what} into PCR${way.targetPcr}`, data }];
  };
  return [
    ...target("target command", command === undefined ? undefined : utf8(command)),
    ...target("target kernel", kexec?.kernel),
    ...target("target initramfs", kexec?.initrd),
    ...target("target command line", kexec === undefined ? undefined : utf8(kexec.commandLine)),
    ...way.capPcrs.map((pcr): GateEvent => ({ step: "cap", pcr, event: `Capped PCR${pcr} at the gate`, data: CAP })),
  ];
}

/** RangeError when the bank's hash is not one of ours. */
export function gateDigest({ data }: GateEvent, bank: number): Uint8Array {
  const name = hashNameOf(bank);
  if (name === undefined) throw new RangeError(`TPM_ALG_ID 0x${bank.toString(16)} is no hash known here`);
  return digest(name, data);
}

import { type Command, InvalidArgumentError } from "commander";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { hashNameOf, pcrNumbers } from "../../../shared/tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { lookCommand, withTpm } from "./look.ts";

const BANKS = ["sha1", "sha256", "sha384", "sha512"] as const;
type BankName = (typeof BANKS)[number];

interface PcrArguments {
  readonly tpm?: string;
  readonly bank?: BankName;
  readonly json: boolean;
}

function bankName(text: string): BankName {
  const name = BANKS.find((bank) => bank === text);
  if (name === undefined) throw new InvalidArgumentError(`One of ${BANKS.join(", ")} belongs here.`);
  return name;
}

/** `fobnail tpm pcr`. */
export function pcrCommand(): Command {
  return lookCommand("pcr", "what the PCRs hold")
    .option("--bank <hash>", "this bank only", bankName)
    .action(({ tpm, bank, json }: PcrArguments) =>
      withTpm(tpm, async (client) => {
        const active = await client.activeBanks();
        const wanted = active.filter(({ hash }) => bank === undefined || hashNameOf(hash) === bank);
        if (wanted.length === 0) throw new Stop(Exit.Refused, `the TPM has no active ${bank ?? ""} bank`);
        const banks = (await client.readPcrs(wanted)).map(({ hash, pcrSelect, values }) => ({
          bank: hashNameOf(hash) ?? `0x${hash.toString(16)}`,
          pcrs: pcrNumbers(pcrSelect).map((pcr, i) => ({ pcr, value: toHex(values[i] ?? new Uint8Array(0)) })),
        }));
        if (json) return console.log(jsonLine({ banks }));
        for (const { bank: name, pcrs } of banks) {
          console.log(`${name}:`);
          for (const { pcr, value } of pcrs) console.log(`  ${String(pcr).padStart(2)}  ${value}`);
        }
      }),
    );
}

import type { Command } from "commander";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { hashNameOf, TpmCap, TpmHt, TpmPt } from "../../../shared/tpm/index.ts";
import type { TpmClient } from "../../tpm/index.ts";
import { lookCommand, withTpm } from "./look.ts";

interface StatusArguments {
  readonly tpm?: string;
  readonly json: boolean;
}

/** More than a group of properties has. */
const MANY = 128;
/** TPM_PT_PERMANENT, Part 2, 8.6. */
const IN_LOCKOUT = 1 << 9;

/** `fobnail tpm status`. */
export function statusCommand(): Command {
  return lookCommand("status", "who made the TPM, its clock, counters, lockout, banks, keys and certificates").action(
    ({ tpm: spec, json }: StatusArguments) =>
      withTpm(spec, async (client, { describe, platform }) => {
        const facts = { tpm: describe, launch: platform !== undefined, ...(await factsOf(client)) };
        if (json) return console.log(jsonLine(facts));
        for (const [name, value] of Object.entries(rowsOf(facts))) console.log(`${name.padEnd(16)}${value}`);
      }),
  );
}

async function propertiesOf(client: TpmClient, from: number): Promise<ReadonlyMap<number, number>> {
  const { capability, data } = await client.getCapability(TpmCap.TPM_PROPERTIES, from, MANY);
  return new Map(capability === TpmCap.TPM_PROPERTIES ? data.map(({ property, value }) => [property, value]) : []);
}

async function factsOf(client: TpmClient) {
  const fixed = await propertiesOf(client, TpmPt.FAMILY_INDICATOR);
  const variable = await propertiesOf(client, TpmPt.PERMANENT);
  const { clockInfo } = await client.readClock();
  const persistent = await client.handles(TpmHt.PERSISTENT);
  return {
    manufacturer: words(fixed, TpmPt.MANUFACTURER),
    vendor: words(fixed, TpmPt.VENDOR_STRING_1, TpmPt.VENDOR_STRING_2, TpmPt.VENDOR_STRING_3, TpmPt.VENDOR_STRING_4),
    firmware: `${hex(fixed.get(TpmPt.FIRMWARE_VERSION_1))}.${hex(fixed.get(TpmPt.FIRMWARE_VERSION_2))}`,
    clockMs: Number(clockInfo.clock),
    safe: Boolean(clockInfo.safe),
    resetCount: clockInfo.resetCount,
    restartCount: clockInfo.restartCount,
    failedTries: variable.get(TpmPt.LOCKOUT_COUNTER) ?? 0,
    maxTries: variable.get(TpmPt.MAX_AUTH_FAIL) ?? 0,
    lockedOut: ((variable.get(TpmPt.PERMANENT) ?? 0) & IN_LOCKOUT) !== 0,
    banks: (await client.activeBanks()).map(({ hash }) => hashNameOf(hash) ?? hex(hash)),
    persistent: persistent.map(hex),
    ekCertificates: {
      rsa: (await client.readEkCertificate("rsa")) !== undefined,
      ecc: (await client.readEkCertificate("ecc")) !== undefined,
    },
  };
}
type Facts = Awaited<ReturnType<typeof factsOf>> & { readonly tpm: string; readonly launch: boolean };

function rowsOf(facts: Facts): Readonly<Record<string, string>> {
  const { rsa, ecc } = facts.ekCertificates;
  const certificates = [rsa ? "RSA" : "", ecc ? "P-256" : ""].filter((kind) => kind !== "").join(", ");
  return {
    TPM: facts.tpm,
    manufacturer: `${facts.manufacturer} (${facts.vendor}), firmware ${facts.firmware}`,
    clock: `${facts.clockMs} ms, ${facts.safe ? "safe" : "not safe"}`,
    resets: `${facts.resetCount}, and ${facts.restartCount} restarts`,
    lockout: `${facts.failedTries} of ${facts.maxTries} failed tries${facts.lockedOut ? ": locked out" : ""}`,
    banks: facts.banks.join(", "),
    "persistent keys": facts.persistent.join(", ") || "none",
    "EK certificates": certificates || "none: fobnail tpm manufacture",
    "dynamic launch": facts.launch ? "can be simulated" : "done by this computer, if at all",
  };
}

const hex = (value = 0): string => `0x${value.toString(16)}`;

/** Four characters a property, NUL where there are fewer. */
function words(properties: ReadonlyMap<number, number>, ...names: readonly number[]): string {
  const codes = names.flatMap((name) => [24, 16, 8, 0].map((shift) => ((properties.get(name) ?? 0) >>> shift) & 0xff));
  const printable = codes.filter((code) => code >= 0x20 && code < 0x7f);
  return String.fromCharCode(...printable).trim();
}

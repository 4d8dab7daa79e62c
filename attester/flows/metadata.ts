import { encodeCbor } from "../../shared/cbor/index.ts";
import type { PlatformFacts } from "../../shared/ports/index.ts";
import { Metadata } from "../../shared/protocol/index.ts";
import type { DescribedFacts } from "../platform/index.ts";

/** The platform's metadata as it is signed. */
export function encodeMetadata(facts: PlatformFacts): Uint8Array {
  return encodeCbor(Metadata, {
    version: 1,
    mac: facts.mac,
    manufacturer: facts.manufacturer,
    product_name: facts.productName,
    serial_number: facts.serialNumber,
  });
}

/** The lines that the reference attester prints for each metadata request; bytes of the MAC are filled with blanks ("%2X"). */
export function metadataLines(facts: DescribedFacts): readonly string[] {
  const mac = Array.from(facts.mac, (byte) => byte.toString(16).toUpperCase().padStart(2, " ")).join(":");
  return [
    `MAC: ${mac}`,
    ...(facts.smbiosGeneration === undefined ? [] : [`SMBIOSv${facts.smbiosGeneration}`]),
    `Manufacturer >${facts.manufacturer}<`,
    `Product Name >${facts.productName}<`,
    `Serial Number >${facts.serialNumber}<`,
  ];
}

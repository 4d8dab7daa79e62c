import assert from "node:assert/strict";
import * as usbip from "../../hw/usb-device/usbip/index.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import * as coap from "../../shared/coap/index.ts";
import * as eem from "../../shared/eem/index.ts";
import * as efi from "../../shared/event-log/efi.ts";
import * as imaTemplate from "../../shared/event-log/ima-template.ts";
import * as eventLog from "../../shared/event-log/index.ts";
import * as specId from "../../shared/event-log/spec-id.ts";
import * as net from "../../shared/net/index.ts";
import * as protocol from "../../shared/protocol/index.ts";
import * as tpm from "../../shared/tpm/index.ts";
import * as usb from "../../shared/usb/index.ts";
import * as x509 from "../../shared/x509/index.ts";
import { fuzzInputs } from "../support/fuzz.ts";
import { campaign } from "./campaign.ts";
import type { Decoder } from "./decoder.ts";
import { families, inventory } from "./inventory.ts";
import { decoderTarget } from "./targets.ts";

const toText = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** True when decoded, false when refused with CodecError; anything else is thrown. */
function isAccepted({ decode }: Decoder, input: Uint8Array): boolean {
  try {
    decode(input);
    return true;
  } catch (error) {
    if (error instanceof CodecError) return false;
    throw error;
  }
}

function checkSeeds({ name, decode, recode, seeds }: Decoder): void {
  assert.ok(seeds.length > 0, `${name}: no seed`);
  for (const seed of seeds) {
    decode(seed);
    if (recode !== undefined) assert.equal(toText(recode(seed)), toText(seed));
  }
}

/** An exception that nothing needs any more is a failure, too. */
function checkPrefixes(decoder: Decoder): void {
  let accepted = 0;
  for (const seed of decoder.seeds) {
    for (let size = 0; size < seed.byteLength; size++) {
      if (!isAccepted(decoder, seed.slice(0, size))) continue;
      accepted++;
      assert.ok(decoder.exceptions.prefix, `a prefix of ${size} bytes was accepted`);
    }
  }
  if (decoder.exceptions.prefix !== undefined) assert.notEqual(accepted, 0, "an exception for prefixes that is none");
}

function checkTrailing(decoder: Decoder): void {
  let accepted = 0;
  for (const seed of decoder.seeds) {
    for (const byte of [0x00, 0xff]) {
      if (!isAccepted(decoder, Uint8Array.from([...seed, byte]))) continue;
      accepted++;
      assert.ok(decoder.exceptions.trailing, `a trailing byte ${byte} was accepted`);
    }
  }
  if (decoder.exceptions.trailing !== undefined) assert.notEqual(accepted, 0, "an exception for a byte that is none");
}

/** As `npm run fuzz` does it, in this process. */
async function fuzz(decoder: Decoder, family: (typeof families)[number]): Promise<void> {
  const target = decoderTarget(decoder, family);
  for (const input of target.corpus) isAccepted(decoder, input);
  const { failure, inputs, accepted } = await campaign(target, { inputs: fuzzInputs, seconds: 600, seed: 0 });
  assert.equal(failure, undefined);
  assert.notEqual(accepted, inputs, "no input was refused");
}

describe("every decoder", () => {
  for (const family of families) {
    for (const decoder of family.decoders) {
      it(`${decoder.name}: seeds both ways, no prefix, nothing behind, CodecError only`, async function () {
        this.timeout(600_000);
        checkSeeds(decoder);
        checkPrefixes(decoder);
        checkTrailing(decoder);
        await fuzz(decoder, family);
      });
    }
  }

  it("stands in the inventory once", () => {
    const names = inventory.map(({ name }) => name);
    assert.deepEqual([...new Set(names)], names);
  });

  it("that shared rooms and USB/IP export stands in the inventory", () => {
    const rooms = { coap, eem, efi, eventLog, imaTemplate, specId, net, protocol, tpm, usb, usbip, x509 };
    const listed = new Set(inventory.map(({ source }) => source));
    const missing = Object.entries(rooms).flatMap(([room, exported]) =>
      Object.entries(exported)
        .filter(([, value]) => typeof value === "object" && value !== null && "read" in value && !listed.has(value))
        .map(([name]) => `${room}: ${name}`),
    );
    assert.deepEqual(missing, []);
  });

  it("of a TPM command and of its response stands in the inventory", () => {
    const listed = new Set(inventory.map(({ source }) => source));
    for (const { name, parameters, response } of Object.values(tpm.commands)) {
      assert.ok(listed.has(parameters) && listed.has(response), name);
    }
  });
});

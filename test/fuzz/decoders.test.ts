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
import { fuzzDecoder } from "../support/fuzz.ts";
import type { Decoder } from "./decoder.ts";
import { captureDecoders } from "./decoders/capture.ts";
import { certificateDecoders } from "./decoders/certificates.ts";
import { eventLogDecoders } from "./decoders/event-logs.ts";
import { fileDecoders } from "./decoders/files.ts";
import { linkDecoders } from "./decoders/link.ts";
import { messageDecoders } from "./decoders/messages.ts";
import { osDecoders } from "./decoders/os.ts";
import { tpmDecoders } from "./decoders/tpm.ts";
import { tpmServerDecoders } from "./decoders/tpm-server.ts";
import { usbipDecoders } from "./decoders/usbip.ts";
import { usbredirDecoders } from "./decoders/usbredir.ts";
import { v1MessageDecoders } from "./decoders/v1-messages.ts";

/** Larger seeds make most changes miss what matters, and the runs long. */
const MAX_SEED_BYTES = 2048;

/** Every decoder once. */
const inventory: readonly Decoder[] = [
  ...linkDecoders,
  ...usbipDecoders,
  ...usbredirDecoders,
  ...captureDecoders,
  ...messageDecoders,
  ...v1MessageDecoders,
  ...certificateDecoders,
  ...tpmDecoders,
  ...tpmServerDecoders,
  ...fileDecoders,
  ...osDecoders,
  ...eventLogDecoders,
];

const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
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

/** Where one encoding belongs to one value, what was accepted is written again as it was. */
function fuzz({ name, decode, recode, seeds, exceptions }: Decoder): void {
  const canonical = exceptions.loose === undefined ? recode : undefined;
  let count = 0;
  const small = seeds.filter((seed) => seed.byteLength <= MAX_SEED_BYTES);
  fuzzDecoder(
    name,
    (raw) => {
      const input = exceptions.mend !== undefined && ++count % 2 === 0 ? exceptions.mend(raw) : raw;
      if (canonical === undefined) decode(input);
      else if (!isSame(canonical(input), input)) throw new Error(`is written as ${toText(canonical(input))}`);
    },
    small,
  );
}

describe("every decoder", () => {
  for (const decoder of inventory) {
    it(`${decoder.name}: seeds both ways, no prefix, nothing behind, CodecError only`, function () {
      this.timeout(600_000);
      checkSeeds(decoder);
      checkPrefixes(decoder);
      checkTrailing(decoder);
      fuzz(decoder);
    });
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

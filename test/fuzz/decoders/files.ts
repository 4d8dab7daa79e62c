/** Decoders of files, of the machine's tables, of flash, and of texts that users write. */
import { InvalidArgumentError } from "commander";
import { PredictionError, parsePrediction } from "../../../attester/cli/dlme/prediction-file.ts";
import { predictionJson } from "../../../attester/cli/dlme/report.ts";
import { parseScenario, ScenarioFileError } from "../../../attester/cli/scenario/load.ts";
import { buildBzImage, parseBzImage } from "../../../attester/dlme/bzimage.ts";
import {
  measurementsOf,
  parseSecureLoader,
  predict,
  sampleKernel,
  sampleLaunch,
} from "../../../attester/dlme/index.ts";
import {
  decodeSystemInformation,
  ProfileError,
  parseProfile,
  SmbiosEntryPoint32,
  SmbiosEntryPoint64,
  SmbiosEntryPointMisprinted,
  smbiosGeneration,
} from "../../../attester/platform/index.ts";
import { cutToDer, splitDer } from "../../../attester/tpm/index.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { parseDocument } from "../../../hw/files/profiles.ts";
import { FileError } from "../../../hw/files/text.ts";
import { decodeNvState, encodeNvState, newNvState } from "../../../hw/tpm/emulator/state.ts";
import { ramOf, VolatileFile, volatileOf } from "../../../hw/tpm/emulator/volatile.ts";
import { parseTpmSpec, TpmSpecError } from "../../../hw/tpm/spec.ts";
import { concat, fromHex, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { parseHostPort } from "../../../token/cli/address.ts";
import { encodeRecord, PageHeader, pageHeader, RecordHeader, unseal } from "../../../token/storage/format.ts";
import { CommitData, PageHeader1 } from "../../../token/storage/format1.ts";
import { furnished } from "../../hw/tpm/emulator/seeds.ts";
import { seededRandom } from "../../support/random.ts";
import { entryPoint32, entryPoint64, smbiosStructure, smbiosTable, systemInformation } from "../../support/smbios.ts";
import { both, type Decoder, hex, ofCodec, ofFunction, refusing } from "../decoder.ts";
import { vector } from "./messages.ts";
import { openImage, openRecords, sampleImage, sampleRecords } from "./storage.ts";

/** All bytes add up to zero. */
function withByteSum(input: Uint8Array): Uint8Array {
  const at = input[3] === 0x33 ? 5 : 4;
  const mended = input.slice();
  if (at >= mended.byteLength) return mended;
  mended[at] = 0;
  mended[at] = -mended.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return mended;
}

const STATE_HEAD_BYTES = 42;

function withStateDigest(input: Uint8Array): Uint8Array {
  if (input.byteLength < STATE_HEAD_BYTES) return input;
  return concat(
    input.subarray(0, 10),
    digest("sha256", input.subarray(STATE_HEAD_BYTES)),
    input.subarray(STATE_HEAD_BYTES),
  );
}

const { syssize: _, ...setup } = parseBzImage(sampleKernel()).header;
const kernel = buildBzImage({ ...setup, setup_sects: 1 }, new Uint8Array(48).fill(0x90));
const record = encodeRecord({ kind: 1, version: 3, total: 2, offset: 0 }, utf8("k"), hex("0102"));
const page = pageHeader({ sequence: 7, previous: 6, first: 2 });
const oem = smbiosStructure(11, [1], ["x".repeat(300), [0xff]]);
const BEHIND = "what lies behind is not looked at";
const state = furnished().state.load() ?? new Uint8Array(0);
const { engine } = furnished();
const volatile = volatileOf(engine, true);
const volatileState = volatile === undefined ? new Uint8Array(0) : VolatileFile.encode(volatile);
const clock = new VirtualClock();
/** A TPM that goes on, and the state of which is taken at once. */
function goneOnFrom(input: Uint8Array) {
  const { nv } = engine;
  return volatileOf({ nv, ram: ramOf(VolatileFile.decode(input), { nv }, clock) }, true);
}

const certificate = vector("ek_cert.der");

const text = (input: Uint8Array) => Buffer.from(input).toString("utf8");
const profile = [
  "{mac: 00:0D:B9:53:D2:50, manufacturer: PC, product_name: apu2, serial_number: '1'}",
  "mac: 00:0D:B9:53:D2:50\nmanufacturer: a\nproduct_name: b\nserial_number: c\nfirmware: [{pcr: 0, event: EV_IPL, data: 'c0'}]",
].map((words) => utf8(words));
const scenario = [
  "name: a\nsteps: [plug, boot: {kernel: a, launch: false}]",
  "name: c\napi: v1\nsteps:\n- attest\n- write: {name: f, text: t}\n- read: {name: f, by: thief, answer: 4.01}",
  "name: b\nsteps:\n- frames: {lose: {next: 2}}\n- expect: {lamps: green, within: 10s, pcrs: [17]}",
].map((words) => utf8(words));
const prediction = utf8(
  JSON.stringify(predictionJson(predict(measurementsOf({ firmware: [], launch: sampleLaunch() }), [TpmAlg.SHA1]))),
);
const TEXT = { prefix: "a text that is right, too, when it is shorter" };

export const fileDecoders: readonly Decoder[] = [
  ofCodec("SMBIOS entry point, 32 bits", SmbiosEntryPoint32, [entryPoint32()]),
  ofCodec("SMBIOS entry point, 32 bits, misprinted length", SmbiosEntryPointMisprinted, [entryPoint32(0x1e)]),
  ofCodec("SMBIOS entry point, 64 bits", SmbiosEntryPoint64, [entryPoint64()]),
  ofFunction("SMBIOS generation", smbiosGeneration, [entryPoint32(), entryPoint32(0x1e), entryPoint64()], {
    mend: withByteSum,
  }),
  ofFunction("SMBIOS table", decodeSystemInformation, [smbiosTable(), smbiosTable(oem, systemInformation())], {
    trailing: BEHIND,
    prefix: "what lies behind System Information is not looked at",
  }),
  ofFunction("SMBIOS System Information", decodeSystemInformation, [systemInformation()], { trailing: BEHIND }),
  both("bzImage", parseBzImage, ({ header, protectedMode }) => buildBzImage(header, protectedMode), [kernel], {
    trailing: BEHIND,
    loose: "the setup sectors hold code, and what lies behind is not looked at",
  }),
  both(
    "Secure Loader image",
    parseSecureLoader,
    ({ measured, data }) => concat(measured, data),
    [hex("0100 0900 0102030405"), hex("0400 0800 01020304")],
    { trailing: "data tags lie behind" },
  ),
  ofFunction("certificate in an NV index", cutToDer, [certificate], { trailing: "padding is cut off" }),
  ofFunction("certificates in NV indices", splitDer, [concat(certificate, certificate)], {
    prefix: "a chain may have fewer certificates, or none",
    trailing: "padding is cut off",
  }),
  ofCodec("storage: page header", PageHeader, [page.slice(0, -4)]),
  ofCodec("storage: page header of format 1", PageHeader1, [hex("464f424e 0001 ffff 00000007")]),
  ofCodec("storage: record header", RecordHeader, [record.header.slice(0, -4)]),
  ofCodec("storage: commit of format 1", CommitData, [hex("00000001 0002")]),
  ofFunction(
    "storage: sealed header",
    refusing((input) => unseal(PageHeader, input)),
    [page],
  ),
  ofFunction("storage: image", openImage, [sampleImage], {
    prefix: "missing bytes are erased ones here, as after a power cut",
    trailing: "an image has the size of its flash",
  }),
  ofFunction("storage: records with right checksums", openRecords, [sampleRecords], {
    prefix: "fewer records",
    trailing: "a byte is not yet a record",
  }),
  both("TPM emulator's state", decodeNvState, encodeNvState, [state, encodeNvState(newNvState(seededRandom(1)))], {
    mend: withStateDigest,
    loose: "what was saved without the kind of the start is written with it",
  }),
  both("TPM emulator's volatile state", VolatileFile.decode, VolatileFile.encode, [volatileState], {
    mend: withStateDigest,
  }),
  ofFunction("TPM emulator that goes on from it", refusing(goneOnFrom, RangeError), [volatileState], {
    mend: withStateDigest,
  }),
  both(
    "hexadecimal",
    refusing((input) => fromHex(text(input))),
    (bytes) => utf8(toHex(bytes)),
    [utf8("00c0ffee")],
    {
      prefix: "fewer pairs",
      loose: "upper case is read",
    },
  ),
  ofFunction("--tpm", refusing((input) => parseTpmSpec(text(input)), TpmSpecError), [utf8("swtpm:localhost:2321,ctrl=2322"), utf8("device:/dev/tpm0")], { ...TEXT, trailing: "a longer path" }), // biome-ignore format: x
  ofFunction("HOST:PORT", refusing((input) => parseHostPort(text(input)), InvalidArgumentError), [utf8("example.com:5683")], TEXT), // biome-ignore format: x
  ofFunction(
    "platform profile",
    refusing((input) => parseProfile(refusing(() => parseDocument(text(input), "profile"), FileError)(input), "profile"), ProfileError), // biome-ignore format: x
    profile,
    TEXT,
  ),
  ofFunction("prediction", refusing((input) => parsePrediction(text(input)), PredictionError), [prediction]), // biome-ignore format: x
  ofFunction("scenario", refusing((input) => parseScenario(text(input), "short.yaml"), ScenarioFileError), scenario, TEXT), // biome-ignore format: x
];

/** Decoders of what a TPM and its users say. */
import { type Codec, encode } from "../../../shared/bytes/index.ts";
import {
  type AnyCommandSpec,
  aikRestrictedEcc,
  commandByCode,
  commands,
  decodeCommand,
  decodeResponse,
  decodeResponseCode,
  encodeCommand,
  encodeResponse,
  TpmAlg,
  TpmSt,
} from "../../../shared/tpm/index.ts";
import { seeds as commandSeeds, furnished } from "../../hw/tpm/emulator/seeds.ts";
import { samples } from "../../shared/tpm/samples.ts";
import { both, type Decoder, ofCodec, ofFunction } from "../decoder.ts";

const OPEN = { prefix: "takes all bytes that are left", trailing: "takes all bytes that are left" };

const structures: readonly Decoder[] = [...new Set(samples.map(({ codec }) => codec))].map((codec) => {
  const ours = samples.filter((sample) => sample.codec === codec);
  const [first] = ours;
  const encoded = ours.map(({ value }) => encode(codec, value));
  return ofCodec(first?.name ?? "", codec, encoded, first?.open === true ? OPEN : {});
});

const handleCount = (code: number) => commandByCode(code)?.handles.length;

/** What the emulator was asked and what it answered. */
const bench = furnished();
const exchanges = commandSeeds.map((bytes) => {
  const command = decodeCommand(bytes, handleCount);
  const spec = commandByCode(command.commandCode);
  const answer = bench.engine.execute(bytes);
  return { bytes, command, answer, response: decodeResponse(answer, spec?.responseHandles ?? 0) };
});
const answered = exchanges.filter(({ response }) => response.responseCode === 0);

const bytes = (size: number) => new Uint8Array(size).fill(7);
const nv = { nvIndex: 0x01000002, nameAlg: 0x0b, attributes: 0x02060006, authPolicy: bytes(0), dataSize: 64 };
const creationData = {
  pcrSelect: [{ hash: 0x0b, pcrSelect: 0xff }],
  pcrDigest: bytes(32),
  locality: 1,
  parentNameAlg: 0x0b,
  parentName: bytes(34),
  parentQualifiedName: bytes(34),
  outsideInfo: bytes(0),
};
const context = { sequence: 1n, savedHandle: 0x80000000, hierarchy: 0x40000001, contextBlob: bytes(60) };

/** What that exchange has no example of. */
const more = new Map<unknown, Uint8Array>();
function example<T>(codec: Codec<T>, value: T): void {
  more.set(codec, encode(codec, value));
}
example(commands.Startup.response, {});
example(commands.Create.response, {
  outPrivate: bytes(80),
  outPublic: aikRestrictedEcc,
  creationData,
  creationHash: bytes(32),
  creationTicket: { tag: TpmSt.CREATION, hierarchy: 0x40000001, digest: bytes(32) },
});
example(commands.Load.response, { name: bytes(34) });
example(commands.ReadPublic.response, { outPublic: aikRestrictedEcc, name: bytes(34), qualifiedName: bytes(34) });
example(commands.ActivateCredential.response, { certInfo: bytes(32) });
example(commands.Sign.response, {
  signature: { sigAlg: TpmAlg.ECDSA, hash: TpmAlg.SHA256, signatureR: bytes(32), signatureS: bytes(32) },
});
example(commands.ContextSave.parameters, {});
example(commands.ContextSave.response, { context });
example(commands.ContextLoad.parameters, { context });
example(commands.ContextLoad.response, {});
example(commands.NV_DefineSpace.response, {});
example(commands.NV_ReadPublic.response, { nvPublic: nv, nvName: bytes(34) });
example(commands.NV_Write.response, {});
example(commands.NV_Read.response, { data: bytes(32) });

const noResponse = [
  commands.TestParms,
  commands.PolicyRestart,
  commands.PolicyPCR,
  commands.PolicyAuthValue,
  commands.PolicyPassword,
  commands.PolicyCommandCode,
  commands.PolicyOR,
  commands.HMAC_Start,
  commands.Clear,
  commands.ClearControl,
  commands.HierarchyChangeAuth,
  commands.DictionaryAttackLockReset,
  commands.DictionaryAttackParameters,
  commands.NV_Increment,
  commands.NV_SetBits,
  commands.NV_Extend,
];
for (const { response } of noResponse) example(response, {});
const digests = [{ hashAlg: TpmAlg.SHA256, digest: bytes(32) }] as const;
const signature = { sigAlg: TpmAlg.RSASSA, hash: TpmAlg.SHA256, sig: bytes(256) } as const;
example(commands.GetTestResult.response, { outData: bytes(4), testResult: 0 });
example(commands.HMAC.response, { outHMAC: bytes(32) });
example(commands.EventSequenceComplete.response, { results: digests });
example(commands.PCR_Event.response, { digests });
example(commands.LoadExternal.response, { name: bytes(34) });
example(commands.CreateLoaded.response, { outPrivate: bytes(80), outPublic: aikRestrictedEcc, name: bytes(34) });
example(commands.Unseal.response, { outData: bytes(20) });
example(commands.Certify.response, { certifyInfo: bytes(100), signature });
example(commands.VerifySignature.response, {
  validation: { tag: TpmSt.VERIFIED, hierarchy: 0x40000001, digest: bytes(64) },
});

function distinct(seeds: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...new Map(seeds.map((seed) => [Buffer.from(seed).toString("hex"), seed])).values()];
}

function ofCommand(spec: AnyCommandSpec): readonly Decoder[] {
  const of = (all: typeof exchanges) => all.filter(({ command }) => command.commandCode === spec.code);
  const withMore = (codec: unknown, seeds: readonly Uint8Array[]) => distinct([...seeds, more.get(codec) ?? []].flat());
  const asked = of(exchanges).map(({ command }) => command.parameters);
  const answers = of(answered).map(({ response }) => response.parameters);
  return [
    ofCodec(`TPM2_${spec.name} parameters`, spec.parameters, withMore(spec.parameters, asked)),
    ofCodec(`TPM2_${spec.name} response`, spec.response, withMore(spec.response, answers)),
  ];
}

/** The size field made right. */
function withSize(input: Uint8Array): Uint8Array {
  if (input.byteLength < 10) return input;
  const mended = input.slice();
  new DataView(mended.buffer).setUint32(2, mended.byteLength);
  return mended;
}

const readCommand = (input: Uint8Array) => decodeCommand(input, handleCount);

export const tpmDecoders: readonly Decoder[] = [
  ...structures,
  ...Object.values(commands).flatMap((spec) => ofCommand(spec as AnyCommandSpec)),
  both(
    "TPM command",
    readCommand,
    encodeCommand,
    exchanges.map(({ bytes }) => bytes),
    { mend: withSize },
  ),
  ...([0, 1] as const).map((handles) => {
    const withSessions = new WeakMap<object, boolean>();
    return both(
      `TPM response with ${handles === 0 ? "no handle" : "a handle"}`,
      (input) => {
        const response = decodeResponse(input, handles);
        withSessions.set(response, input[1] === 2);
        return response;
      },
      (response) => encodeResponse(response, withSessions.get(response) ?? false),
      exchanges
        .filter(({ command }) => commandByCode(command.commandCode)?.responseHandles === handles)
        .map(({ answer }) => answer),
      { mend: withSize },
    );
  }),
  ofFunction("TPM response code", decodeResponseCode, [exchanges[3]?.answer ?? new Uint8Array(0)], { mend: withSize }),
];

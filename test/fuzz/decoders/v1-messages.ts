/** Decoders of what only API v1 says, and of what its server reads by rules of its own. */
import { type CborSchema, encodeCbor } from "../../../shared/cbor/index.ts";
import * as protocol from "../../../shared/protocol/index.ts";
import { KeptLog, packLog } from "../../../token/domain/log-record.ts";
import { SentChain } from "../../../token/server/chain.ts";
import { FIRMWARE, LAUNCH, logOf } from "../../support/launch-log.ts";
import { ed25519, random } from "../../support/x509.ts";
import { type Decoder, ofCodec, ofFunction, ofSchema } from "../decoder.ts";

/** A decoder with one message as its seed. */
function seeded<T>(name: string, schema: CborSchema<T>, value: T): Decoder {
  return ofSchema(name, schema, [encodeCbor(schema, value)]);
}

const id = new Uint8Array(32).fill(7);
const signature = new Uint8Array(64).fill(9);
const authorization = protocol.authorizationFor(
  { method: "GET", path: `${protocol.V1.STORAGE}/key`, body: new Uint8Array() },
  id,
);
const shown = { manufacturer: "PC Engines", product_name: "apu2", serial_number: "1373268" };
const platform = { id, name: "kitchen", ...shown, files: 1, bytes: 2, attested: 1 };
const listing = { method: "FETCH", path: protocol.V1.PLATFORMS, body: new Uint8Array() };
const signing = [id, ed25519("owner of a fuzzed token"), random] as const;
const owners = protocol.authorizeRequest(listing, ...signing);
const forToken = protocol.authorizeRequest({ ...listing, token: "1A2B3C4D5E6F7081" }, ...signing);

const difference = protocol.differenceMessage({
  kind: "changed",
  pcr: 17,
  index: 1,
  step: "kernel",
  description: "Measured Kernel into PCR17",
  expected: "00".repeat(32),
  got: "ff".repeat(32),
});
const log = protocol.encodeLogMessage(logOf(...FIRMWARE.slice(0, 2), ...LAUNCH));

export const v1MessageDecoders: readonly Decoder[] = [
  seeded("versions", protocol.Versions, { versions: [1] }),
  seeded("AIK of a platform to enrol", protocol.AikRequest, { aik: signature, ek: 0xffff_ffff }),
  seeded("activation", protocol.ActivationRequest, { ek: 1, aik: 0xffff_ffff, secret: id }),
  ofSchema("authorization", protocol.RequestAuthorization, [authorization]),
  ofSchema("authorization of an owner", protocol.OwnerAuthorization, [owners.data, forToken.data]),
  seeded("authorized request", protocol.AuthorizedRequest, { data: authorization, signature, body: id }),
  seeded("platforms", protocol.PlatformList, { platforms: [platform, { ...platform, name: "" }] }),
  ofSchema("new name of a platform", protocol.PlatformRename, [
    encodeCbor(protocol.PlatformRename, { id, name: "Küche" }),
    encodeCbor(protocol.PlatformRename, { id, name: "", ...shown }),
  ]),
  ofSchema("platform to remove", protocol.PlatformRemove, [
    encodeCbor(protocol.PlatformRemove, { id }),
    encodeCbor(protocol.PlatformRemove, { id, ...shown }),
  ]),
  ofSchema("explanation", protocol.Explanation, [
    encodeCbor(protocol.Explanation, { pcrs: [0, 17] }),
    encodeCbor(protocol.Explanation, { pcrs: [17], reason: "kernel-changed", difference }),
  ]),
  ofSchema("event log as it travels", protocol.LogMessage, [log]),
  ofFunction("event log as it travels, with digests of its bank", protocol.decodeLogMessage, [log]),
  ofCodec("event log as the token keeps it", KeptLog, [packLog(protocol.decodeLogMessage(log)) ?? new Uint8Array()]),
  seeded("signed event log", protocol.SignedLog, { data: log, signature }),
  seeded("chain as a peer of API v1 sends it", SentChain, { certs: [id, signature] }),
];

import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { OptionNumber } from "../../../shared/coap/index.ts";
import { Challenge, V1, Versions } from "../../../shared/protocol/index.ts";
import { misreports, omits, pretends, refuses, repeats, says, takes } from "./answers.ts";
import { decides, forgetful } from "./inside.ts";
import { type LieTable, lieTable } from "./lie-table.ts";
import { confusesPeers, formatBlind, wastesNonce } from "./requests.ts";

const NONCE = `GET ${V1.NONCE}`;
const CHAIN = `POST ${V1.TOKEN_PROVISION}`;
const COMPLETE = `POST ${V1.PROVISION_COMPLETE}`;
const EK = `POST ${V1.EK}`;
const AIK = `POST ${V1.AIK}`;
const ACTIVATE = `POST ${V1.PROVISION}`;
const META = `POST ${V1.PROVISION}/*/meta`;
const RIM = `POST ${V1.PROVISION}/*/rim`;
const FINISH = `POST ${V1.PROVISION}/*`;
const ATTEST = `POST ${V1.ATTEST}`;
const EVIDENCE = `POST ${V1.ATTEST}/*`;

const { ContentFormat, LocationPath, MaxAge } = OptionNumber;
const noVersion = (where: string) =>
  misreports("names version 0", where, () => encodeCbor(Versions, { versions: [0] }));
/** Turns a bit so many bytes before the end. */
const turns = (what: string, where: string, fromEnd: number) =>
  misreports(what, where, (bytes) => bytes.map((byte, i) => (i === bytes.byteLength - fromEnd ? byte ^ 1 : byte)));
/** Another text of the same length somewhere in the payload. */
const rewords = (where: string, from: string, to: string) =>
  misreports(`says ${to} instead of ${from}`, where, (bytes) => {
    const text = Buffer.from(bytes).toString("latin1").replace(from, to);
    return new Uint8Array(Buffer.from(text, "latin1"));
  });

let turn = 0;
/** Another byte in the middle each time. */
const wavers = (where: string) =>
  misreports("says something else each time", where, (bytes) => {
    turn++;
    const at = Math.floor(bytes.byteLength / 2);
    return bytes.map((byte, i) => (i === at ? (byte + turn) & 0xff : byte));
  });

export const provisioningLies: LieTable = lieTable([
  ["VE-01 VE-02", noVersion("GET /api/version")],
  ["VE-03", noVersion("GET /api/v1"), refuses("GET /api/v1", "4.04")],
  ["VE-04", takes("GET /api/version/*", "2.05")],
  ["VE-05", says("4.04", "* /api/version", "4.05")],
  ["VE-06", omits(MaxAge)],
  ["VE-07", omits(ContentFormat), decides({ contentFormat: "aik-and-attest" })],
  ["VE-08", takes("GET *", "2.05")],
  ["VE-09", takes("* /api/v1/crypto*", "2.01")],

  [
    "NO-01",
    misreports("gives nonces of 31 bytes", NONCE, (bytes) => bytes.subarray(1)),
    omits(MaxAge, NONCE),
    omits(ContentFormat, NONCE),
  ],
  ["NO-02 NO-03", repeats(NONCE)],
  ["NO-04", takes(`${NONCE}/*`, "2.05")],
  ["NO-05 NO-08 NO-09 NO-19", takes(META)],
  ["NO-06", decides({ newNonceEndsAttestation: false })],
  ["NO-07", decides({ newNonceEndsAttestation: true })],
  ["NO-10 NO-14", decides({ nonceConsumed: "early" })],
  ["NO-10", wastesNonce(META)],
  ["NO-11..NO-13", decides({ nonceConsumed: "when-authorised" })],
  ["NO-14", wastesNonce(FINISH)],
  ["NO-15", takes(ATTEST)],
  ["NO-16", wastesNonce(EK), wastesNonce(AIK), wastesNonce(ACTIVATE)],
  ["NO-17", wastesNonce(EVIDENCE)],
  ["NO-18", takes(ATTEST)],
  ["NO-20", refuses(ATTEST)],

  ["TP-01..TP-03", refuses(CHAIN)],
  ["TP-01", omits(ContentFormat, CHAIN), misreports("sends no certification request", CHAIN, () => new Uint8Array(9))],
  ["TP-04", turns("signs its request wrongly", CHAIN, 1)],
  ["TP-05", rewords(CHAIN, "Fobnail", "Forbail")],
  ["TP-06", wavers(CHAIN)],
  ["TP-07 TP-08", takes(EK)],
  ["TP-09 TP-10 TP-11", takes(CHAIN)],
  ["TP-09", decides({ alreadyProvisioned: "not-found" })],
  ["TP-10", refuses(EK, "4.04")],
  ["OC-01..OC-05", refuses(CHAIN)],
  ["OC-06..OC-19", takes(CHAIN)],

  ["PC-01..PC-03 PC-12", refuses(COMPLETE)],
  ["PC-01", pretends(COMPLETE, "2.01"), omits(ContentFormat, COMPLETE)],
  ["PC-04..PC-10 PC-13 PC-14", takes(COMPLETE)],
  ["PC-10", confusesPeers],
  ["PC-11", formatBlind(COMPLETE, 42)],
  ["PC-13", pretends(COMPLETE, "4.03")],
  ["PC-14", decides({ alreadyProvisioned: "not-found" })],
  ["PC-15", forgetful],

  ["EK-01", omits(LocationPath, EK), omits(ContentFormat, EK)],
  ["EK-02..EK-04 EK-17", refuses(EK)],
  ["EK-05..EK-16 EK-18..EK-21", takes(EK)],
  ["EK-19", decides({ ekCertificates: 4 })],
  ["EK-22", repeats(EK)],
  ["EK-23", takes(AIK), refuses(AIK, "4.04")],
  ["EK-24", decides({ ekSaysTpm: false })],
  ["EK-25", decides({ ekSaysTpm: true })],

  [
    "AK-01",
    omits(LocationPath, AIK),
    omits(ContentFormat, AIK),
    misreports("leaves out the 2-byte size", AIK, (payload) => {
      const { idObject, encSecret } = decodeCbor(Challenge, payload);
      return encodeCbor(Challenge, { idObject: idObject.subarray(2), encSecret });
    }),
  ],
  ["AK-02..AK-04 AK-18 AK-20 AK-24", refuses(AIK)],
  ["AK-05..AK-17 AK-19 AK-21..AK-23", takes(AIK)],
  ["AK-05", decides({ aik: "reference" })],
  ["AK-06 AK-07", decides({ aik: "restricted" })],
  ["AK-23", confusesPeers],
  ["AK-24 AK-25", repeats(AIK)],
  ["AK-26 AK-27", turns("makes challenges that nobody can open", AIK, 8)],

  ["AC-01", omits(LocationPath, ACTIVATE), omits(ContentFormat, ACTIVATE), refuses(ACTIVATE)],
  ["AC-02..AC-10", takes(ACTIVATE)],
  ["AC-08", confusesPeers],
  ["AC-11", takes(META)],

  ["ME-01", omits(ContentFormat, META), refuses(META)],
  ["ME-02", says("2.01", META, "2.04")],
  ["ME-03..ME-08 ME-11..ME-22", takes(META)],
  ["ME-04", confusesPeers],
  ["ME-07 ME-08", decides({ enrolmentSignature: "bad-request" })],
  ["ME-22", says("2.01", META, "2.04")],

  ["RI-01", omits(ContentFormat, RIM), refuses(RIM)],
  ["RI-02", says("2.01", RIM, "2.04")],
  ["RI-03..RI-06 RI-11..RI-20 RI-21 RI-22 RI-24 RI-25", takes(RIM)],
  ["RI-04", confusesPeers],
  ["RI-06", decides({ enrolmentSignature: "bad-request" })],
  ["RI-07 RI-23 RI-26", refuses(RIM)],
  ["RI-21 RI-22", decides({ demandsDynamicLaunch: false })],
  ["RI-23", decides({ demandsDynamicLaunch: true })],
  ["RI-25", decides({ rimCoversPolicy: false })],
  ["RI-26", decides({ rimCoversPolicy: true })],

  ["FI-01", refuses(FINISH), pretends(FINISH, "2.04"), omits(ContentFormat, FINISH)],
  ["FI-02..FI-04 FI-07 FI-10 FI-11 FI-14", takes(FINISH, "2.04")],
  ["FI-05", decides({ finishConsumes: "always" })],
  ["FI-06", decides({ finishConsumes: "on-success" })],
  ["FI-08", decides({ finishBody: "ignored" })],
  ["FI-09", decides({ finishBody: "refused" })],
  ["FI-11", confusesPeers],
  ["FI-12", refuses(ATTEST, "4.04")],
  ["FI-13", forgetful],
  ["FI-15", says("4.03", FINISH, "5.00"), pretends(FINISH, "2.04")],
  ["FI-16", decides({ platformsDiffer: "bytes" })],
  ["FI-17", decides({ platformsDiffer: "words" })],
]);

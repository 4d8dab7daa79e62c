import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { OptionNumber } from "../../../shared/coap/index.ts";
import { Explanation, PlatformList, QuoteRequest, V1 } from "../../../shared/protocol/index.ts";
import { ignores, misreports, omits, pretends, refuses, repeats, says, takes } from "./answers.ts";
import { decides, forgetful, keeps, slow } from "./inside.ts";
import { type LieTable, lieTable } from "./lie-table.ts";
import { confusesPeers, formatBlind } from "./requests.ts";

const ATTEST = `POST ${V1.ATTEST}`;
const EVIDENCE = `POST ${V1.ATTEST}/*`;
const EXPLAIN = `POST ${V1.ATTEST}/*/explain`;
const GRANT = `POST ${V1.GRANT}`;
const READ = `GET ${V1.STORAGE}/*`;
const WRITE = `PUT ${V1.STORAGE}/*`;
const DELETE = `DELETE ${V1.STORAGE}/*`;
const ANY_FILE = `* ${V1.STORAGE}/*`;
const LIST = `FETCH ${V1.PLATFORMS}`;
const RENAME = `POST ${V1.PLATFORMS}/rename`;
const REMOVE = `POST ${V1.PLATFORMS}/remove`;
const PLATFORMS = `* ${V1.PLATFORMS}*`;

const { ContentFormat, LocationPath, MaxAge } = OptionNumber;

const asksForTooLittle = misreports("asks for PCR 0 alone", ATTEST, (payload) => {
  const { nonce, banks } = decodeCbor(QuoteRequest, payload);
  return encodeCbor(QuoteRequest, { nonce, banks: banks.map((bank) => ({ ...bank, pcrs: 1 })) });
});
const definiteLength = misreports("answers with a map of definite length", ATTEST, (payload) =>
  encodeCbor(QuoteRequest, decodeCbor(QuoteRequest, payload)),
);
const namesOtherPcrs = misreports("names other PCRs", EXPLAIN, () => encodeCbor(Explanation, { pcrs: [17] }));
const countsNothing = misreports("counts nothing and knows no names", LIST, (payload) => {
  const { platforms } = decodeCbor(PlatformList, payload);
  return encodeCbor(PlatformList, {
    platforms: platforms.map((one) => ({ ...one, name: "x", manufacturer: "x", files: 0, bytes: 0, attested: 0 })),
  });
});
const otherFile = misreports("gives other bytes than it got", READ, (payload) => payload.map((byte) => byte ^ 1));

export const attestationLies: LieTable = lieTable([
  ["AT-01", omits(LocationPath, ATTEST), omits(ContentFormat, ATTEST)],
  ["AT-02", asksForTooLittle],
  ["AT-03", definiteLength],
  ["AT-04", repeats(ATTEST)],
  ["AT-05..AT-12 AT-14", takes(ATTEST)],
  ["AT-09..AT-11", decides({ attestSignature: "bad-request" })],
  ["AT-13", takes(EVIDENCE, "2.04")],

  ["EV-01 EV-02", refuses(EVIDENCE)],
  ["EV-01", pretends(EVIDENCE, "2.04"), omits(ContentFormat, EVIDENCE)],
  ["EV-03..EV-05 EV-11..EV-28 EV-37 EV-38", takes(EVIDENCE, "2.04")],
  ["EV-05", confusesPeers],
  ["EV-11 EV-17 EV-20", takes(ANY_FILE, "2.05")],
  ["EV-29", decides({ failedAttestation: "keeps" })],
  ["EV-30", decides({ failedAttestation: "consumes" })],
  ["EV-31", decides({ failureRevokes: false })],
  ["EV-32", decides({ failureRevokes: true })],
  ["EV-33", confusesPeers],
  ["EV-34", decides({ malformedEvidence: "forbidden-and-red" }), decides({ failedAttestation: "keeps" })],
  ["EV-35", decides({ malformedEvidence: "bad-request" })],
  ["EV-36", formatBlind(EVIDENCE)],
  ["EV-37", ignores(EVIDENCE)],

  ["ST-01", says("2.04", WRITE, "2.01"), omits(ContentFormat, WRITE)],
  ["ST-02", says("2.01", WRITE, "2.04"), otherFile],
  ["ST-03", otherFile, omits(MaxAge, READ), omits(ContentFormat, READ)],
  ["ST-04", pretends(DELETE, "2.02"), omits(ContentFormat, DELETE)],
  ["ST-05", says("4.04", DELETE)],
  ["ST-06", takes(READ, "2.05")],
  ["ST-11..ST-13", takes(ANY_FILE, "2.05"), confusesPeers],
  ["ST-14", takes(READ, "2.05")],
  ["ST-15", takes(WRITE)],
  ["ST-16", refuses(DELETE)],
  ["ST-17", refuses(WRITE, "5.00"), otherFile],
  ["ST-18", formatBlind(WRITE, 42)],
  ["ST-19", refuses(WRITE, "4.00")],
  ["ST-20", refuses(WRITE, "4.00")],
  ["ST-21", keeps({ fileBytes: 5_999 }), otherFile],
  ["ST-22", keeps({ fileBytes: 7_000 })],
  ["ST-23", keeps({ files: 33 })],
  ["ST-24", keeps({ quotaBytes: 70_000 })],
  ["ST-25 ST-26", otherFile],
  ["ST-27", forgetful],
  ["ST-28", says("4.03", WRITE, "5.00"), pretends(WRITE, "2.01")],
  ["ST-29", takes(READ, "2.05")],

  ["GR-01", repeats(GRANT), omits(ContentFormat, GRANT)],
  ["GR-02", refuses(GRANT), refuses(READ, "4.01")],
  ["GR-03 GR-05..GR-11 GR-23 GR-24", decides({ storageGrants: false })],
  ["GR-04", decides({ storageGrants: true })],
  ["GR-09", confusesPeers],
  ["GR-12", takes(READ, "2.05"), slow],
  ["GR-13..GR-22", takes(GRANT)],

  ["EX-01 EX-07", namesOtherPcrs, refuses(EXPLAIN)],
  ["EX-02..EX-06 EX-08 EX-09", takes(EXPLAIN, "2.04")],
  ["EX-06", confusesPeers],
  ["EX-10", takes(READ, "2.05")],

  ["PL-01 PL-03", countsNothing],
  ["PL-02", omits(MaxAge, LIST), omits(ContentFormat, LIST)],
  ["PL-04", pretends(RENAME, "2.04"), countsNothing],
  ["PL-05..PL-07", pretends(REMOVE, "2.02")],
  ["PL-08", says("4.04", DELETE)],
  ["PL-09", takes(RENAME), takes(REMOVE)],
  ["PL-10..PL-18", takes(PLATFORMS, "2.05")],
  ["PL-19", forgetful],
  ["PL-20", takes(RENAME, "2.04")],
  ["PL-21", takes(PLATFORMS, "2.05")],
  ["PL-22", takes(RENAME, "2.04"), takes(REMOVE, "2.02")],
]);

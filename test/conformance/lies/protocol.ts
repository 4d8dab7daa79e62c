import { MessageType, OptionNumber } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { explainsNothing, omits, pretends, refuses, repeats, says, takes } from "./answers.ts";
import {
  clockTimes,
  countsIds,
  decides,
  fast,
  greenSticks,
  noGreen,
  noRed,
  redHidesGreen,
  redSticks,
  slow,
} from "./inside.ts";
import { type LieTable, lieTable } from "./lie-table.ts";
import {
  answersOnce,
  chatty,
  confusesPeers,
  dies,
  formatBlind,
  losesTokens,
  mistakes,
  overlooks,
  remembersIds,
  resetsNothing,
  runsTwice,
  wastesNonce,
} from "./requests.ts";

const NONCE = `GET ${V1.NONCE}`;
const EK = `POST ${V1.EK}`;
const ATTEST = `POST ${V1.ATTEST}`;
const DELETE = `DELETE ${V1.STORAGE}/*`;
const REMOVE = `POST ${V1.PLATFORMS}/remove`;
const O = OptionNumber;
const UNKNOWN = 2049;

const diesOfSize = (bytes: number) =>
  dies(`messages over ${bytes} bytes`, {
    message: ({ options, payload }) =>
      options.reduce((sum, { value }) => sum + value.byteLength + 1, payload.byteLength) > bytes,
  });
export const protocolLies: LieTable = lieTable([
  ["SE-01 SE-09..SE-12 SE-14 SE-15", slow],
  ["SE-02 SE-03 SE-04 SE-13", fast],
  ["SE-04", resetsNothing],
  ["SE-05 SE-06", decides({ pingsIdlePeers: false })],
  ["SE-05", clockTimes(1.2)],
  ["SE-07", decides({ pingsIdlePeers: true })],
  ["SE-08", wastesNonce("GET /api/version")],
  ["SE-10", takes(`POST ${V1.PROVISION}/*`)],
  ["SE-16", confusesPeers],
  ["SE-17", takes(ATTEST)],
  ["SE-18", says("4.04", DELETE)],
  ["SE-19", takes(NONCE, "2.05"), omits(O.MaxAge, NONCE)],
  ["SE-20", countsIds],

  ["OP-01", overlooks(O.IfMatch), decides({ conditionalOptions: "ignored" })],
  ["OP-02", overlooks(O.IfNoneMatch), decides({ conditionalOptions: "ignored" })],
  ["OP-03", decides({ conditionalOptions: "refused" })],
  ["OP-04 OP-05", overlooks(UNKNOWN)],
  ["OP-06", mistakes(2048, UNKNOWN)],
  ["OP-07", mistakes(O.ETag, UNKNOWN)],
  ["OP-08", mistakes(O.Observe, UNKNOWN)],
  ["OP-09", mistakes(O.UriHost, UNKNOWN), mistakes(O.UriPort, UNKNOWN)],
  ["OP-10", overlooks(O.ProxyUri), overlooks(O.ProxyScheme)],
  ["OP-11 OP-12 OP-15..OP-17", overlooks(O.Accept)],
  ["OP-12", decides({ accept: "four-bytes-on-some" })],
  ["OP-13", mistakes(O.Accept, O.Accept, 50)],
  ["OP-14 OP-15", decides({ accept: "everywhere" })],
  ["OP-18", decides({ unknownContentFormat: "as-absent" })],
  ["OP-19", decides({ unknownContentFormat: "refused" })],
  ["OP-20", overlooks(O.ContentFormat)],
  ["OP-21", omits(O.MaxAge), decides({ maxAge: "content" })],
  ["OP-22", explainsNothing],
  ["OP-25", omits(O.MaxAge, `GET ${V1.VERSION}`), omits(O.MaxAge, EK), decides({ maxAge: "content" })],
  ["OP-23 OP-24", says("4.04", "* *", "4.05")],

  ["MF-01", takes(`POST ${V1.TOKEN_PROVISION}`)],
  ["MF-02", takes(EK)],
  ["MF-03", takes(`POST ${V1.AIK}`)],
  ["MF-04", takes(`POST ${V1.PROVISION}`)],
  ["MF-05", takes(`POST ${V1.PROVISION}/*/meta`)],
  ["MF-06", takes(`POST ${V1.PROVISION}/*/rim`)],
  ["MF-07", takes(ATTEST)],
  ["MF-08", takes(`POST ${V1.ATTEST}/*`), decides({ malformedEvidence: "forbidden-and-red" })],
  ["MF-09", takes(`POST ${V1.ATTEST}/*/explain`)],
  ["MF-10", takes(`POST ${V1.GRANT}`)],
  ["MF-11", takes(`FETCH ${V1.PLATFORMS}`)],
  ["MF-21", formatBlind(`POST ${V1.TOKEN_PROVISION}`)],
  ["MF-22", formatBlind(EK)],
  ["MF-23", formatBlind(`POST ${V1.AIK}`)],
  ["MF-24", formatBlind(`POST ${V1.PROVISION}`)],
  ["MF-25", formatBlind(`POST ${V1.PROVISION}/*/meta`)],
  ["MF-26", formatBlind(`POST ${V1.PROVISION}/*/rim`)],
  ["MF-27", formatBlind(ATTEST)],
  ["MF-28", formatBlind(`POST ${V1.ATTEST}/*`)],
  ["MF-29", formatBlind(`POST ${V1.ATTEST}/*/explain`)],
  ["MF-30", formatBlind(`POST ${V1.GRANT}`)],
  ["MF-31", formatBlind(`FETCH ${V1.PLATFORMS}`)],

  ["LD-01 LD-03 LD-04 LD-09 LD-19", noRed],
  ["LD-02 LD-05 LD-07 LD-08 LD-10..LD-14 LD-16 LD-20 LD-21", noGreen],
  ["LD-04", clockTimes(1.02)],
  ["LD-06 LD-17 LD-18 LD-22", greenSticks],
  ["LD-07 LD-12 LD-13", greenSticks],
  ["LD-09 LD-10 LD-15", redSticks],
  ["LD-10 LD-14 LD-16", redHidesGreen],
  ["LD-15", decides({ failureRevokes: false })],
  ["LD-16", decides({ failureRevokes: true })],
  ["LD-18", decides({ malformedEvidence: "forbidden-and-red" })],
  ["LD-19", decides({ malformedEvidence: "bad-request" })],
  ["LD-20", pretends(REMOVE, "2.02")],

  ["RB-01..RB-03 RB-28", runsTwice],
  ["RB-27", answersOnce, runsTwice],
  ["RB-04 RB-05", losesTokens],
  ["RB-06", repeats(NONCE)],
  ["RB-07", repeats(NONCE), remembersIds],
  ["RB-11 RB-15..RB-20", resetsNothing],
  ["RB-12..RB-14 RB-21 RB-22", chatty],
  ["RB-23", dies("noise", { noise: 20 })],
  ["RB-24", says("4.04", DELETE)],
  ["RB-25 RB-30", diesOfSize(800)],
  ["RB-26", overlooks(O.UriPath)],
  ["RB-29", dies("a RST", { message: ({ type }) => type === MessageType.Rst })],

  ["BL-01..BL-10 BL-20", overlooks(O.Block1)],
  ["BL-04..BL-06", takes(EK)],
  ["BL-07 BL-08", refuses(EK)],
  ["BL-10", confusesPeers],
  ["BL-11", omits(O.Size1), takes(EK)],
  ["BL-12..BL-14", takes(EK)],
  ["BL-15..BL-17", overlooks(O.Block2)],
  ["BL-18", slow],
  ["BL-19", confusesPeers],
  ["BL-20", refuses(`POST ${V1.PROVISION}/*/rim`)],
]);

import { decodeCbor, encodeCbor, type InferCbor } from "../../../shared/cbor/index.ts";
import { OptionNumber } from "../../../shared/coap/index.ts";
import { Explanation, V1 } from "../../../shared/protocol/index.ts";
import { explainsNothing, misreports, omits, pretends, refuses, says, takes } from "./answers.ts";
import { forgetful } from "./inside.ts";
import { type LieTable, lieTable } from "./lie-table.ts";
import { confusesPeers, formatBlind } from "./requests.ts";

const ENROLLED = `POST ${V1.PROVISION}/*/log`;
const REPORTED = `POST ${V1.ATTEST}/*/log`;
const EVIDENCE = `POST ${V1.ATTEST}/*`;
const EXPLAIN = `POST ${V1.ATTEST}/*/explain`;

const { ContentFormat } = OptionNumber;

type Told = InferCbor<typeof Explanation>;

/** An explanation with other entries; what only asks for the next block says nothing yet. */
const explains = (what: string, change: (told: Told) => Told) =>
  misreports(what, EXPLAIN, (payload) =>
    payload.byteLength === 0 ? payload : encodeCbor(Explanation, change(decodeCbor(Explanation, payload))),
  );

const blamesTheInitrd = explains("blames the initrd for everything", ({ pcrs }) => ({
  pcrs,
  reason: "initrd-changed",
}));
const guesses = explains("guesses at a difference", ({ pcrs, reason }) => ({
  pcrs,
  ...(reason !== undefined && { reason }),
  difference: { kind: "changed", pcr: 17, index: 1, step: "kernel" },
}));
const believesWords = explains("believes what the peer calls an event", ({ difference, ...told }) => ({
  ...told,
  ...(difference !== undefined && { difference: { ...difference, step: "kernel" as const } }),
}));

export const logLies: LieTable = lieTable([
  ["EL-01", refuses(ENROLLED), omits(ContentFormat, ENROLLED), says("2.01", ENROLLED, "2.04")],
  ["EL-02..EL-05 EL-07 EL-08", takes(ENROLLED)],
  ["EL-06", pretends(ENROLLED, "2.04")],
  ["EL-07", confusesPeers],
  ["EL-09", formatBlind(ENROLLED), takes(ENROLLED)],
  ["EL-21", refuses(REPORTED), omits(ContentFormat, REPORTED), says("2.01", REPORTED, "2.04")],
  ["EL-22", refuses(EVIDENCE)],
  ["EL-23", takes(EVIDENCE, "2.04")],
  ["EL-24", pretends(REPORTED, "2.01"), blamesTheInitrd, explainsNothing],
  ["EL-25", blamesTheInitrd, pretends(REPORTED, "2.01")],
  ["EL-26", guesses, explainsNothing],
  ["EL-27", guesses],
  ["EL-28", believesWords],
  ["EL-29", explainsNothing],
  ["EL-30", takes(REPORTED), confusesPeers],
  ["EL-31", takes(REPORTED), formatBlind(REPORTED)],
  ["EL-32", forgetful],
]);

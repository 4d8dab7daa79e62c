import { describeEachRow } from "./each-row.ts";

describeEachRow("udp", "UDP sockets");

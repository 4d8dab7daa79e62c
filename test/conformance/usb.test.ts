import { describeEachRow } from "./each-row.ts";

describeEachRow("usb", "the emulated stick");

/** PCRs, NV, hierarchies, dictionary attacks, capabilities, power, and what is no command at all. */
import type { Action } from "./actions.ts";
import { authOf, type Dice } from "./generator.ts";
import { AUTH_POLICY } from "./material.ts";
import { command } from "./short.ts";
import type { Step } from "./step.ts";

const PCR_HANDLES = [
  "00000000",
  "00000007",
  "00000010",
  "00000011",
  "00000013",
  "00000014",
  "00000017",
  "40000007",
] as const;

const locality: Action = (dice) => [
  { kind: "platform", locality: dice.pick([0, 0, 0, 1, 2, 3, 4]) },
  ...pcr(dice, EMPTY),
  { kind: "platform", locality: 0 },
];
const EMPTY = {
  objects: [],
  parents: [],
  blobs: [],
  sessions: [],
  policies: [],
  contexts: [],
  tickets: [],
  sequences: [],
  count: 0,
};

const pcr: Action = (dice, world) => {
  const handle = dice.pick(PCR_HANDLES);
  const auth = authOf(dice, world, "");
  const read = command(
    "PCR_Read",
    [],
    [],
    `00000002 000b 03 ${dice.pick(["ff0000", "0000ff", "810001"])} 0004 03 000081`,
  );
  switch (dice.below(4)) {
    case 0:
      return [command("PCR_Extend", [handle], [auth], "00000002 000b 11*32 0004 22*20"), read];
    case 1:
      return [command("PCR_Event", [handle], [auth], "2b:616263"), read];
    case 2:
      return [command("PCR_Reset", [handle], [auth], ""), read];
    default:
      return [{ kind: "platform", hash: "5a5a5a" }, read];
  }
};

const INDICES = ["01000001", "01000002", "01000003", "01000004", "01c00002"] as const;
/** Attributes of ordinary indices, a counter, bits, an extended one; the last are not good. */
const NV_ATTRIBUTES = [
  "00060006",
  "02060006",
  "020a000a",
  "02060016",
  "02060026",
  "02060046",
  "42050005",
  "0a060006",
  "02062006",
  "02041002",
  "00000000",
  "02060800",
] as const;

const define: Action = (dice) => {
  const attributes = dice.pick(NV_ATTRIBUTES);
  const index = attributes === "020a000a" ? "01000003" : dice.pick(INDICES);
  const policy = attributes === "020a000a" ? `2b:${AUTH_POLICY}` : dice.pick(["0000", "0000", "2b:11*31"]);
  const size = /[124]6$/.test(attributes) ? dice.pick(["0008", "0020"]) : dice.pick(["0010", "0010", "0801", "0000"]);
  const body = `${index}000b${attributes}`;
  const inner = policy === "0000" ? "0000" : policy === "2b:11*31" ? `001f${"11".repeat(31)}` : `0020${AUTH_POLICY}`;
  const area = body + inner + size;
  const by = attributes.startsWith("4") ? "4000000c" : dice.pick(["40000001", "40000001", "40000001", "4000000c"]);
  const auth = dice.pick(["2b:aabb", "0000", "2b:11*33"]);
  return [
    command("NV_DefineSpace", [by], [{ password: "" }], `${auth} 2b:${area}`),
    { ...command("NV_ReadPublic", [index], [], ""), as: index },
  ];
};

const nv: Action = (dice, world) => {
  const index = dice.pick(INDICES);
  const by = dice.pick([index, index, "40000001", "4000000c"]);
  const auth = authOf(dice, world, by === index ? dice.pick(["aabb", "", "aa"]) : "", [1, 0x21, 0x41]);
  const name: Step = { ...command("NV_ReadPublic", [index], [], ""), as: index };
  switch (dice.below(7)) {
    case 0:
      return [command("NV_Write", [by, index], [auth], `2b:11*${1 + dice.below(18)} 000${dice.below(3)}`), name];
    case 1:
      return [command("NV_Increment", [by, index], [auth], ""), name];
    case 2:
      return [command("NV_SetBits", [by, index], [auth], "0000000000000005"), name];
    case 3:
      return [command("NV_Extend", [by, index], [auth], "2b:616263"), name];
    case 4:
      return [command("NV_UndefineSpace", [dice.pick(["40000001", "4000000c"]), index], [{ password: "" }], "")];
    default:
      return [command("NV_Read", [by, index], [auth], `00${dice.pick(["08", "10", "20"])} 0000`)];
  }
};

/** authValues of hierarchies come and go: most others believe them empty. */
const changeAuth: Action = (dice, world) => {
  const hierarchy = dice.pick(["40000001", "4000000b", "4000000c", "4000000a"]);
  const change = (from: string, to: string) =>
    command("HierarchyChangeAuth", [hierarchy], [authOf(dice, world, from, [1, 0x21])], to);
  const wrong = command("HierarchyChangeAuth", [hierarchy], [authOf(dice, world, "bbcc")], "0000");
  return [change("", "2b:aabb"), ...(dice.chance(25) ? [wrong] : []), change("aabb", "0000")];
};

const lockout: Action = (dice, world) => {
  const auth = authOf(dice, world, "");
  const counter = command("GetCapability", [], [], "00000006 0000020e 00000004");
  if (dice.chance(30)) {
    const tries = dice.pick(["00000003", "00000005", "00000020"]);
    return [
      command(
        "DictionaryAttackParameters",
        ["4000000a"],
        [auth],
        `${tries} 00010000 ${dice.pick(["00010000", "00000000"])}`,
      ),
      counter,
    ];
  }
  return [command("DictionaryAttackLockReset", ["4000000a"], [auth], ""), counter];
};

const clear: Action = (dice, world) => {
  if (!dice.chance(25)) return capability(dice, world);
  const by = dice.pick(["4000000a", "4000000c"]);
  const control = command("ClearControl", [by], [{ password: "" }], dice.pick(["00", "01", "02"]));
  return dice.chance(50) ? [control] : [command("Clear", [by], [authOf(dice, world, "")], ""), control];
};

const CAPABILITIES = [
  "00000001 80000000 00000010",
  "00000001 81000000 00000010",
  "00000001 01000000 00000010",
  "00000001 02000000 00000010",
  "00000001 03000000 00000010",
  "00000001 40000000 00000020",
  "00000001 00000000 00000003",
  "00000005 00000000 00000001",
  "00000006 00000200 00000001",
  "00000006 00000203 00000005",
  "00000006 0000020e 00000004",
  "00000007 00000000 00000005",
  "00000009 40000001 00000001",
  "00000001 90000000 00000001",
] as const;

const capability: Action = (dice) => [command("GetCapability", [], [], dice.pick(CAPABILITIES))];

const test: Action = (dice) => {
  switch (dice.below(4)) {
    case 0:
      return [command("SelfTest", [], [], dice.pick(["01", "00", "02"]))];
    case 1:
      return [command("SelfTest", [], [], "01"), command("GetTestResult", [], [], "")];
    case 2:
      return [
        command(
          "TestParms",
          [],
          [],
          dice.pick(["0023001000100003 0010", "00080005000b", "0008000a000b0022", "0023 0010 0010 0009 0010"]),
        ),
      ];
    default:
      return [command("GetRandom", [], [], `00${dice.pick(["08", "20", "40"])}`, "size")];
  }
};

const power: Action = (dice, world) => {
  if (!dice.chance(35)) return pcr(dice, world);
  const how = dice.pick(["0000", "0001", ""]);
  const shutdown = how === "" ? [] : [command("Shutdown", [], [], how)];
  return [
    ...shutdown,
    { kind: "platform", power: "cut" },
    command("Startup", [], [], how === "0001" ? dice.pick(["0001", "0000"]) : "0000"),
  ];
};

/** Command codes that nobody has, and headers that do not fit. */
const garbage: Action = (dice: Dice) => [
  {
    kind: "raw",
    hex: dice.pick([
      "80010000000a00000fff",
      "80010000000a0000011e",
      "80020000000c0000017b0008",
      "80010000000b0000017b0008",
      "80020000001b000001820000001000000009400000090000000000",
      "80010000000a20000181",

      "8001000000090000018100",
    ]),
  },
];

export const platformActions: readonly Action[] = [
  locality,
  locality,
  pcr,
  pcr,
  define,
  define,
  define,
  nv,
  nv,
  nv,
  nv,
  changeAuth,
  lockout,
  lockout,
  clear,
  capability,
  capability,
  test,
  power,
  garbage,
];

/** Sessions and policies. */
import type { Action } from "./actions.ts";
import type { Dice, World } from "./generator.ts";
import { authOf } from "./generator.ts";
import { AUTH_POLICY } from "./material.ts";
import type { CommandStep } from "./step.ts";

const name = (world: World, kind: string) => `${kind}${++world.count}`;
const any = (dice: Dice, from: readonly string[]) => (from.length === 0 ? "03000000" : dice.pick(from.slice(-2)));

const policy = (command: CommandStep["command"], session: string, parameters: string): CommandStep => {
  return { kind: "command", command, handles: [session], auths: [], parameters, compare: "all" };
};

const start: Action = (dice, world) => {
  const type = dice.pick(["00", "00", "00", "01", "01", "03"]);
  const as = name(world, "session");
  (type === "00" ? world.sessions : world.policies).push(as);
  const symmetric = dice.pick(["0010", "000600800043", "000600800043", "000a000b", "000600800042"]);
  const hash = dice.pick(["000b", "000b", "000b", "000c", "0004", "0012"]);
  const bind = dice.pick(["40000007", "40000007", "40000001", "4000000b"]);
  const nonce = dice.pick(["2b:11*16", "2b:11*16", "2b:11*16", "2b:11*15", "2b:11*33"]);
  const parameters = `${nonce} 0000 ${type} ${symmetric} ${hash}`;
  const step: CommandStep = {
    kind: "command",
    command: "StartAuthSession",
    handles: ["40000007", bind],
    auths: [],
    parameters,
    compare: "size",
    as,
  };
  return [step];
};

const flush: Action = (dice, world) => {
  const session = dice.pick([...world.sessions, ...world.policies, "none"]);
  return [
    {
      kind: "command",
      command: "FlushContext",
      handles: [],
      auths: [],
      parameters: `{${session}.handle:02000000}`,
      compare: "all",
    },
  ];
};

/** Slots are few here as well. */
const makeRoom: Action = () =>
  ["02000000", "03000000", "02000001", "03000001", "02000002", "03000002"].map((parameters): CommandStep => {
    return { kind: "command", command: "FlushContext", handles: [], auths: [], parameters, compare: "all" };
  });

const gather: Action = (dice, world) => {
  const session = any(dice, world.policies);
  const one = (): CommandStep => {
    switch (dice.below(9)) {
      case 0:
        return policy(
          "PolicyPCR",
          session,
          `${dice.pick(["0000", "2b:11*32"])} 00000001 000b 03 ${dice.pick(["010000", "000001"])}`,
        );
      case 1:
        return policy("PolicyAuthValue", session, "");
      case 2:
        return policy("PolicyPassword", session, "");
      case 3:
        return policy(
          "PolicyCommandCode",
          session,
          dice.pick(["0000015e", "0000014e", "00000148", "00000137", "00000fff"]),
        );
      case 4:
        return policy("PolicyOR", session, `0000000${dice.below(4)} ${`2b:${AUTH_POLICY} `.repeat(dice.below(4))}`);
      case 5:
        return policy("PolicyRestart", session, "");
      case 6:
        return {
          ...policy(
            "PolicySecret",
            session,
            `0000 ${dice.pick(["0000", "0000", "2b:11*32", "2b:11*9"])} ${dice.pick(["0000", "2b:1122"])} 00000000`,
          ),
          handles: [dice.pick(["40000001", "4000000b", "4000000b", "00000010"]), session],
          auths: [authOf(dice, world, "")],
        };
      default:
        return policy("PolicyGetDigest", session, "");
    }
  };
  return Array.from({ length: 1 + dice.below(3) }, one);
};

/** A policy session does what its policy is for: a key, data or an index with PolicyAuthValue. */
const use: Action = (dice, world) => {
  const session = any(dice, world.policies);
  const object = world.objects.length === 0 ? "80000000" : dice.pick(world.objects.slice(-4));
  const how = dice.pick(["PolicyAuthValue", "PolicyPassword"] as const);
  const value = dice.pick(["", "aabb"]);
  const auth = {
    session,
    attributes: dice.pick([1, 1, 0, 0x41]),
    auth: value,
    ...(how === "PolicyPassword" && { plain: true as const }),
  };
  const [command, handles, parameters] = dice.pick([
    ["Unseal", [object], ""],
    ["Sign", [object], "2b:11*32 0010 8024 40000007 0000"],
    ["NV_Read", ["01000003", "01000003"], "0004 0000"],
    ["NV_Write", ["01000003", "01000003"], "2b:11*8 0000"],
    ["EvictControl", ["40000001", object], "81000001"],
  ] as const);
  return [
    policy("PolicyRestart", session, ""),
    policy(how, session, ""),
    { kind: "command", command, handles, auths: [auth], parameters, compare: command === "Sign" ? "code" : "all" },
  ];
};

export const sessionActions: readonly Action[] = [
  start,
  start,
  start,
  flush,
  makeRoom,
  gather,
  gather,
  gather,
  use,
  use,
];

/** More short stories: an index, an HMAC key, a lockout, a session for what comes next. */
import type { Action } from "./actions.ts";
import { authOf } from "./generator.ts";
import { sensitive } from "./key-actions.ts";
import { TEMPLATES } from "./material.ts";
import { command, flush, name, room, SIGN, swap } from "./short.ts";
import type { Step } from "./step.ts";

const KINDS = [
  ["02060006", "0010"],
  ["00060006", "0010"],
  ["02060016", "0008"],
  ["02060026", "0008"],
  ["02060046", "0020"],
  ["0a060006", "0010"],
  ["06060006", "0010"],
  ["02061006", "0010"],
] as const;

/** An index from its definition to its end, by its own authValue or by the owner's. */
const index: Action = (dice, world) => {
  const at = dice.pick(["01000005", "01000006", "01c10001"]);
  const [attributes, size] = dice.pick(KINDS);
  const shown = (by: string) => authOf(dice, world, by === at ? "aabb" : "", [1, 0x21, 0x41]);
  const learn = { ...command("NV_ReadPublic", [at], [], ""), as: at };
  const one = (): readonly Step[] => {
    const by = dice.pick([at, at, "40000001"]);
    switch (dice.below(6)) {
      case 0:
        return [command("NV_Write", [by, at], [shown(by)], `2b:5a*${dice.pick([1, 8, 16])} 0000`), learn];
      case 1:
        return [command("NV_Increment", [by, at], [shown(by)], ""), learn];
      case 2:
        return [command("NV_SetBits", [by, at], [shown(by)], "0000000000000021"), learn];
      case 3:
        return [command("NV_Extend", [by, at], [shown(by)], "2b:616263"), learn];
      default:
        return [command("NV_Read", [by, at], [shown(by)], `${size === "0020" ? "0020" : "0008"} 0000`)];
    }
  };
  return [
    command(
      "NV_DefineSpace",
      ["40000001"],
      [authOf(dice, world, "", [1, 0x21])],
      `2b:aabb 2b:${at}000b${attributes}0000${size}`,
    ),
    learn,
    ...Array.from({ length: 3 + dice.below(4) }, one).flat(),
    ...(dice.chance(70) ? [command("NV_UndefineSpace", ["40000001", at], [authOf(dice, world, "")], "")] : []),
  ];
};

/** HMAC keys of somebody else, and sequences with them. */
const keyed: Action = (dice, world) => {
  const [key, sequence] = [name(world, "key"), name(world, "sequence")];
  const auth = () => authOf(dice, world, "aabb", [1, 0x21]);
  const area = TEMPLATES["hmac"]?.("00040472", "") ?? "";
  return [
    ...room(),
    command(
      "CreatePrimary",
      ["40000001"],
      [authOf(dice, world, "")],
      `${sensitive("aabb", "")} ${area} 0000 00000000`,
      "size",
      key,
    ),
    command("HMAC", [key], [auth()], `2b:616263 ${dice.pick(["0010", "000b", "000c"])}`, "size"),
    command("HMAC_Start", [key], [auth()], "2b:aabb 0010", "all", sequence),
    command("SequenceUpdate", [sequence], [auth()], "2b:616263"),
    ...(dice.chance(40) ? swap(world, sequence) : []),
    command("SequenceComplete", [sequence], [auth()], `2b:64 ${dice.pick(["40000007", "40000001"])}`, "size"),
    flush(key),
  ];
};

/** Wrong authValues until nothing goes any more, and how it goes again. */
const lockout: Action = (dice, world) => {
  const key = name(world, "key");
  const area = TEMPLATES["ecdsa"]?.("00040072", "") ?? "";
  const sign = (value: string) => command("Sign", [key], [authOf(dice, world, value, [1])], SIGN, "code");
  const counter = command("GetCapability", [], [], "00000006 0000020e 00000001");
  return [
    ...room(),
    command(
      "CreatePrimary",
      ["40000001"],
      [authOf(dice, world, "")],
      `${sensitive("aabb", "")} ${area} 0000 00000000`,
      "size",
      key,
    ),
    ...["aabb", "aabb", "aa", "bb", "aabb", "cc", "dd", "aabb"].map(sign),
    counter,
    command("DictionaryAttackLockReset", ["4000000a"], [authOf(dice, world, "")], ""),
    sign("aabb"),
    counter,
    flush(key),
  ];
};

const begin: Action = (dice, world) => {
  const session = name(world, "session");
  world.sessions.push(session);
  const symmetric = dice.pick(["0010", "000600800043", "000600800043", "000a000b"]);
  return [
    ...["02000000", "03000000", "02000001", "03000001", "02000002", "03000002"].map((handle) =>
      command("FlushContext", [], [], handle),
    ),
    command(
      "StartAuthSession",
      ["40000007", dice.pick(["40000007", "40000001"])],
      [],
      `2b:11*16 0000 00 ${symmetric} 000b`,
      "size",
      session,
    ),
  ];
};

export const platformEpisodes: readonly Action[] = [index, index, index, keyed, lockout, begin, begin, begin];

/** Short stories in which each step has what it needs, unless one before it was broken: so histories reach what lies deeper. */
import type { Action } from "./actions.ts";
import type { Dice, World } from "./generator.ts";
import { authOf } from "./generator.ts";
import { sensitive } from "./key-actions.ts";
import { AUTH_POLICY, CERTIFY_POLICY, DIGEST, EK_POLICY, TEMPLATES } from "./material.ts";
import { platformEpisodes } from "./platform-episodes.ts";
import { command, flush, name, room, SIGN, swap } from "./short.ts";
import type { Auth, CommandStep, Step } from "./step.ts";

/** What a key or data of a kind is for. */
function uses(dice: Dice, world: World, kind: string, key: string, auth: () => Auth): readonly Step[] {
  const ticket = name(world, "ticket");
  const one = (): readonly Step[] => {
    switch (dice.below(kind === "data" ? 2 : 7)) {
      case 0:
        return [command("ReadPublic", [key], [], "", "size")];
      case 1:
        return kind === "data"
          ? [command("Unseal", [key], [auth()], "")]
          : [command("Quote", [key], [auth()], "2b:11 0010 00000001 000b 03 010001", "code")];
      case 2:
        return [command("Certify", [key, key], [auth(), auth()], "2b:1122 0010", "code")];
      case 3:
        return kind === "hmac"
          ? [command("HMAC", [key], [auth()], "2b:616263 0010", "size")]
          : [command("Sign", [key], [auth()], `${DIGEST} 0018000b 8024 40000007 0000`, "code")];
      case 4:
        return [
          command("Hash", [], [], "2b:616263 000b 40000001", "size", ticket),
          command(
            "Sign",
            [key],
            [auth()],
            `{${ticket}.digest:0000} 0010 {${ticket}.ticket:8024400000070000}`,
            "code",
            ticket,
          ),
          command("VerifySignature", [key], [], `{${ticket}.digest:0000} {${ticket}.signature:0010}`, "size"),
        ];
      default: {
        const signed = name(world, "signed");
        return [
          command("Sign", [key], [auth()], SIGN, "code", signed),
          command("VerifySignature", [key], [], `${DIGEST} {${signed}.signature:0010}`, "size"),
        ];
      }
    }
  };
  return Array.from({ length: 1 + dice.below(3) }, one).flat();
}

/** A parent, a child of it, used, saved, made persistent. */
const family: Action = (dice, world) => {
  const [parent, blob, key] = [name(world, "key"), name(world, "blob"), name(world, "key")];
  const hierarchy = dice.pick(["40000001", "40000001", "4000000b", "4000000c", "40000007"]);
  const [parentAuth, childAuth] = [dice.pick(["", "aabb"]), dice.pick(["", "ccdd"])];
  const kind = dice.pick(["ecdsa", "ecdsa384", "open", "data", "hmac", "storage"]);
  const attributes = { data: ["00000052", "00000452"], storage: ["00030072"] }[kind] ?? [
    "00040072",
    "00040472",
    "00050472",
  ];
  const area = TEMPLATES[kind]?.(dice.pick(attributes), "") ?? "";
  const shown = (value: string) => authOf(dice, world, value, [1, 1, 0x41, 0x21]);
  const storage = TEMPLATES["storage"]?.(dice.pick(["00030072", "00030472"]), "") ?? "";
  world.objects.push(key);
  world.parents.push(parent);
  world.blobs.push(blob);
  return [
    ...room(),
    command(
      "CreatePrimary",
      [hierarchy],
      [shown("")],
      `${sensitive(parentAuth, "")} ${storage} 0000 00000000`,
      "size",
      parent,
    ),
    command(
      "Create",
      [parent],
      [shown(parentAuth)],
      `${sensitive(childAuth, kind === "data" ? "aabbcc" : "")} ${area} 2b:11 00000001 000b 03 010001`,
      "size",
      blob,
    ),
    command("Load", [parent], [shown(parentAuth)], `{${blob}.private:0000} {${blob}.public:0000}`, "size", key),
    ...uses(dice, world, kind, key, () => shown(childAuth)),
    ...(dice.chance(40)
      ? [
          command("EvictControl", ["40000001", key], [shown("")], "81000001"),
          command("ReadPublic", ["81000001"], [], "", "size"),
        ]
      : []),
    ...(dice.chance(40) ? swap(world, key) : []),
    ...(dice.chance(30) ? [command("EvictControl", ["40000001", "81000001"], [shown("")], "81000001")] : []),
    flush(parent),
  ];
};

type Policy = "auth" | "password" | "secret" | "certify";

function satisfy(dice: Dice, world: World, how: Policy, session: string): readonly Step[] {
  const satisfied: Record<Policy, CommandStep> = {
    auth: command("PolicyAuthValue", [session], [], ""),
    password: command("PolicyPassword", [session], [], ""),
    secret: command("PolicySecret", ["4000000b", session], [authOf(dice, world, "")], "0000 0000 0000 00000000"),
    certify: command("PolicyCommandCode", [session], [], "00000148"),
  };
  const pcr = command("PolicyPCR", [session], [], "0000 00000001 000b 03 000100");
  const launch: Step = { kind: "platform", hash: "5a" };
  return [satisfied[how], ...(dice.chance(15) ? [pcr] : []), ...(dice.chance(15) ? [launch] : [])];
}

/** Makes what a policy protects, satisfies the policy, and uses it. */
const policy: Action = (dice, world) => {
  const [key, session] = [name(world, "key"), name(world, "policy")];
  const how = dice.pick<Policy>(["auth", "password", "secret", "certify"]);
  const digest = how === "secret" ? EK_POLICY : how === "certify" ? CERTIFY_POLICY : AUTH_POLICY;
  const kind = how === "certify" ? "ecdsa" : dice.pick(["data", "ecdsa"]);
  const attributes =
    kind === "data" ? "00000012" : how === "certify" ? "000400f2" : dice.pick(["00040032", "00040432"]);
  const area = TEMPLATES[kind]?.(attributes, digest) ?? "";
  const value = how === "auth" || how === "password" ? "aabb" : "";
  const auth: Auth = {
    session,
    attributes: dice.pick([1, 0]),
    auth: value,
    ...(how !== "auth" && { plain: true as const }),
  };
  const use =
    how === "certify"
      ? command("Certify", [key, key], [auth, { password: "aabb" }], "2b:1122 0010", "code")
      : kind === "data"
        ? command("Unseal", [key], [auth], "")
        : command("Sign", [key], [auth], SIGN, "code");
  return [
    ...room(),
    command(
      "CreatePrimary",
      ["40000001"],
      [authOf(dice, world, "")],
      `${sensitive("aabb", kind === "data" ? "11" : "")} ${area} 0000 00000000`,
      "size",
      key,
    ),
    command(
      "StartAuthSession",
      ["40000007", "40000007"],
      [],
      `2b:11*16 0000 ${dice.chance(90) ? "01" : "03"} 0010 000b`,
      "size",
      session,
    ),
    ...satisfy(dice, world, how, session),
    command("PolicyGetDigest", [session], [], ""),
    use,
    use,
    command("FlushContext", [], [], `{${session}.handle:03000000}`),
    flush(key),
  ];
};

export const episodes: readonly Action[] = [
  ...[family, family, family, family, family, policy, policy, policy],
  ...platformEpisodes,
];

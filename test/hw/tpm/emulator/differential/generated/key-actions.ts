/** Objects: made, loaded, used, saved and lost. */
import type { Action } from "./actions.ts";
import { authOf, type Dice } from "./generator.ts";
import {
  ATTRIBUTES,
  AUTH_POLICY,
  CERTIFY_POLICY,
  DIGEST,
  EK_POLICY,
  EXTERNAL,
  SIGNATURES,
  TEMPLATES,
} from "./material.ts";
import { command, name } from "./short.ts";

const HIERARCHIES = ["40000001", "40000001", "4000000b", "4000000c", "40000007"] as const;
const PASSWORDS = ["", "", "aabb"] as const;
const NO_TICKET = "8024 40000007 0000";

const any = (dice: Dice, from: readonly string[], otherwise = "80000000") =>
  from.length === 0 ? otherwise : dice.pick(from.slice(-4));

function template(dice: Dice, kinds: readonly string[]): { readonly area: string; readonly data: string } {
  const kind = dice.pick(kinds);
  const group = kind === "storage" || kind === "data" || kind === "hmac" ? kind : "sign";
  const attributes = dice.chance(88) ? dice.pick(ATTRIBUTES[group]) : dice.pick(ATTRIBUTES.bad);
  const policy = dice.chance(70) ? "" : dice.pick([EK_POLICY, AUTH_POLICY, CERTIFY_POLICY, "1122"]);
  const wantsData = kind === "data" || attributes.endsWith("452") || attributes.endsWith("440");
  const data =
    wantsData !== dice.chance(8) ? dice.pick(["aa", "11".repeat(32), "22".repeat(100), "33".repeat(128)]) : "";
  return { area: TEMPLATES[kind]?.(attributes, policy) ?? "0000", data };
}

/** TPM2B_SENSITIVE_CREATE. */
export const sensitive = (auth: string, data: string) => {
  const sized = (text: string) => (text.length / 2).toString(16).padStart(4, "0") + text;
  return sized(sized(auth) + sized(data));
};

const PCRS = ["00000000", "00000001 000b 03 010001", "00000001 000b 03 800080"] as const;

const createPrimary: Action = (dice, world) => {
  const kinds = ["storage", "storage", "ecdsa", "ecdsa", "ecdsa384", "open", "data", "hmac", "xor"];
  const { area, data } = template(dice, kinds);
  const as = name(world, "key");
  world.objects.push(as);
  if (area.includes("000600800043")) world.parents.push(as);
  const parameters = `${sensitive(dice.pick(PASSWORDS), data)} ${area} 0000 ${dice.pick(PCRS)}`;
  return [
    command(
      "CreatePrimary",
      [dice.pick(HIERARCHIES)],
      [authOf(dice, world, "", [1, 0x21, 0x41, 0x61])],
      parameters,
      "size",
      as,
    ),
  ];
};

const create: Action = (dice, world) => {
  const { area, data } = template(dice, ["storage", "ecdsa", "ecdsa384", "open", "data", "data", "hmac", "xor"]);
  const as = name(world, "blob");
  const auth = authOf(dice, world, dice.pick(PASSWORDS), [1, 0x21, 0x41, 0x61]);
  const parent = any(dice, world.parents);
  const parameters = `${sensitive(dice.pick(PASSWORDS), data)} ${area} 0000 ${dice.pick(PCRS)}`;
  world.blobs.push(as);
  const made = command("Create", [parent], [auth], parameters, "size", as);
  const loaded = name(world, "key");
  world.objects.push(loaded);
  const load = command("Load", [parent], [auth], `{${as}.private:0000} {${as}.public:0000}`, "size", loaded);
  return [made, load];
};

const load: Action = (dice, world) => {
  const blob = any(dice, world.blobs, "blob0");
  const other = dice.chance(80) ? blob : any(dice, world.blobs, "blob0");
  const as = name(world, "key");
  world.objects.push(as);
  const auth = authOf(dice, world, dice.pick(PASSWORDS));
  const parent = any(dice, world.parents);
  return [command("Load", [parent], [auth], `{${blob}.private:0000} {${other}.public:0000}`, "size", as)];
};

const loadExternal: Action = (dice, world) => {
  const key = dice.pick(Object.keys(EXTERNAL) as readonly (keyof typeof EXTERNAL)[]);
  const as = name(world, "key");
  world.objects.push(as);
  const withPrivate = !EXTERNAL[key].startsWith("0000 ");
  const hierarchy = withPrivate && dice.chance(85) ? "40000007" : dice.pick([...HIERARCHIES, "4000000a"]);
  return [command("LoadExternal", [], [], `${EXTERNAL[key]} ${hierarchy}`, "all", as), ...verify(dice, world)];
};

const verify: Action = (dice, world) => {
  const parameters = `${DIGEST} ${dice.pick(SIGNATURES)}`;
  return [command("VerifySignature", [any(dice, world.objects)], [], parameters, "size")];
};

const sign: Action = (dice, world) => {
  const scheme = dice.pick(["0010", "0010", "0018000b", "0018000c", "0014000b", "0005000b"]);
  const ticket = any(dice, world.tickets, "none");
  const [digest, validation] = dice.chance(60)
    ? [DIGEST, NO_TICKET]
    : [`{${ticket}.digest:0000}`, `{${ticket}.ticket:802440000007 0000}`];
  const auth = authOf(dice, world, dice.pick(PASSWORDS), [1, 0, 0x21]);
  return [command("Sign", [any(dice, world.objects)], [auth], `${digest} ${scheme} ${validation}`, "code")];
};

const hash: Action = (dice, world) => {
  const as = name(world, "ticket");
  world.tickets.push(as);
  const data = dice.pick(["616263", "ff544347", "ff5443", "11".repeat(64)]);
  const parameters = `2b:${data} ${dice.pick(["000b", "000b", "000c", "0004", "0012"])} ${dice.pick(HIERARCHIES)}`;
  return [command("Hash", [], [], parameters, "size", as)];
};

const hmac: Action = (dice, world) => {
  const alg = dice.pick(["0010", "000b", "000c", "0012"]);
  const auth = authOf(dice, world, dice.pick(PASSWORDS), [1, 0x21, 0x41]);
  if (dice.chance(50)) return [command("HMAC", [any(dice, world.objects)], [auth], `2b:616263 ${alg}`, "size")];
  const as = name(world, "sequence");
  world.sequences.push(as);
  return [command("HMAC_Start", [any(dice, world.objects)], [auth], `2b:aabb ${alg}`, "size", as)];
};

const sequence: Action = (dice, world) => {
  const as = name(world, "sequence");
  world.sequences.push(as);
  const start = command(
    "HashSequenceStart",
    [],
    [],
    `2b:aabb ${dice.pick(["000b", "000c", "0010", "0012"])}`,
    "all",
    as,
  );
  const auth = () => authOf(dice, world, "aabb", [1, 0x21]);
  const update = command("SequenceUpdate", [as], [auth()], "2b:616263646566", "all");
  const ends = dice.chance(60)
    ? command("SequenceComplete", [as], [auth()], "2b:61 40000007", "all")
    : command("EventSequenceComplete", ["00000010", as], [{ password: "" }, auth()], "2b:61", "all");
  return dice.chance(60) ? [start, update, ends] : [start, update];
};

const certify: Action = (dice, world) => {
  const signer = dice.chance(80) ? any(dice, world.objects) : "40000007";
  const auths = [authOf(dice, world, dice.pick(PASSWORDS), [1, 0x21]), { password: dice.pick(PASSWORDS) }];
  return [command("Certify", [any(dice, world.objects), signer], auths, "2b:1122 0010", "code")];
};

const quote: Action = (dice, world) => {
  const auth = authOf(dice, world, dice.pick(PASSWORDS), [1, 0x41]);
  return [
    command(
      "Quote",
      [any(dice, world.objects)],
      [auth],
      `2b:1122 ${dice.pick(["0010", "0018000b"])} ${dice.pick(PCRS)}`,
      "code",
    ),
  ];
};

const unseal: Action = (dice, world) => [
  command("Unseal", [any(dice, world.objects)], [authOf(dice, world, dice.pick(PASSWORDS), [1, 0x41])], "", "all"),
];

const readPublic: Action = (dice, world) => [command("ReadPublic", [any(dice, world.objects)], [], "", "size")];

const evict: Action = (dice, world) => {
  const handle = dice.pick(["81000001", "81000002", "81800001"]);
  const object = dice.chance(70) ? any(dice, world.objects) : handle;
  if (!world.objects.includes(handle) && dice.chance(50)) world.objects.push(handle);
  const by = dice.pick(["40000001", "40000001", "4000000c"]);
  return [command("EvictControl", [by, object], [authOf(dice, world, "")], handle, "all")];
};

const flush: Action = (dice, world) => [
  command("FlushContext", [], [], `{${any(dice, world.objects, "key0")}.handle:80000001}`, "all"),
];

const saveAndLoad: Action = (dice, world) => {
  const what = any(dice, [...world.objects, ...world.sessions.slice(-1), ...world.sequences.slice(-1)]);
  const as = name(world, "context");
  world.contexts.push(as);
  const save = command("ContextSave", [what], [], "", "code", as);
  const loaded = name(world, "key");
  const restore = command("ContextLoad", [], [], `{${any(dice, world.contexts)}.context:0000}`, "size", loaded);
  if (dice.chance(50)) world.objects.push(loaded);
  return dice.chance(70) ? [save, restore] : [save];
};

/** Slots are few: what is older goes. */
const makeRoom: Action = () =>
  ["80000000", "80000001", "80000002"].map((handle) => command("FlushContext", [], [], handle, "all"));

export const keyActions: readonly Action[] = [
  createPrimary,
  createPrimary,
  create,
  create,
  load,
  loadExternal,
  loadExternal,
  verify,
  sign,
  sign,
  hash,
  hmac,
  sequence,
  certify,
  quote,
  unseal,
  unseal,
  readPublic,
  evict,
  flush,
  saveAndLoad,
  makeRoom,
  makeRoom,
  makeRoom,
];

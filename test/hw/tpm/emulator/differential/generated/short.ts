/** Commands, written short. */
import type { World } from "./generator.ts";
import { DIGEST } from "./material.ts";
import type { Auth, CommandStep } from "./step.ts";

export const command = (
  what: CommandStep["command"],
  handles: readonly string[],
  auths: readonly Auth[],
  parameters: string,
  compare: CommandStep["compare"] = "all",
  as?: string,
): CommandStep => ({ kind: "command", command: what, handles, auths, parameters, compare, ...(as && { as }) });

export const name = (world: World, kind: string) => `${kind}${++world.count}`;
export const flush = (name: string) => command("FlushContext", [], [], `{${name}.handle:80000002}`);
export const SIGN = `${DIGEST} 0010 8024 40000007 0000`;

/** Slots are few: what is in them goes. */
export const room = (): readonly CommandStep[] =>
  ["80000000", "80000001", "80000002"].map((handle) => command("FlushContext", [], [], handle));

export function swap(world: World, key: string): readonly CommandStep[] {
  const [context, again] = [name(world, "context"), name(world, "key")];
  return [
    command("ContextSave", [key], [], "", "code", context),
    flush(key),
    command("ContextLoad", [], [], `{${context}.context:0000}`, "size", again),
    command("ReadPublic", [again], [], "", "size"),
  ];
}

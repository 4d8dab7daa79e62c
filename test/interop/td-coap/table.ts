/** The part of docs/coap-interop.md that says who failed where. */
import { DESCRIPTIONS, PAIRS } from "./pairs.ts";
import { UNMET } from "./unmet.ts";

export function resultTable(): string {
  const notes: string[] = [];
  const cell = (pair: string, id: string): string => {
    const unmet = UNMET[pair]?.[id];
    if (unmet === undefined) return "yes";
    if (!notes.includes(unmet.why)) notes.push(unmet.why);
    const note = notes.indexOf(unmet.why) + 1;
    return `${unmet.kind === "fails" ? "**no**" : "-"} (${note})`;
  };
  const rows = DESCRIPTIONS.map(({ id, about }) => [id, about, ...PAIRS.map(({ name }) => cell(name, id))]);
  const head = ["description", "about", ...PAIRS.map(({ name }) => name)];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return [...lines, "", ...notes.map((note, index) => `${index + 1}. ${note}.`)].join("\n");
}

/** Finds what looks like a length in front of what it counts, and changes both, so that the change gets past the length's check. */
import type { Dice } from "./dice.ts";
import type { Draft } from "./draft.ts";

/** The width of a number in bytes, and where its least byte is. "low" has its number in the low five bits, as the heads of CBOR. */
type Form = "u8" | "u16be" | "u16le" | "u32be" | "u32le" | "low";
const forms: readonly Form[] = ["u8", "u8", "u16be", "u16be", "u16le", "u32be", "u32le", "low"];
const widths: Readonly<Record<Form, number>> = { u8: 1, u16be: 2, u16le: 2, u32be: 4, u32le: 4, low: 1 };

interface Field {
  readonly at: number;
  readonly form: Form;
  readonly value: number;
}

const TRIES = 6;
const MAX_CHANGE = 12;

function read(view: DataView, at: number, form: Form): number {
  if (form === "u8") return view.getUint8(at);
  if (form === "low") return view.getUint8(at) & 0x1f;
  const isLittle = form.endsWith("le");
  return widths[form] === 2 ? view.getUint16(at, isLittle) : view.getUint32(at, isLittle);
}

function write(view: DataView, { at, form }: Field, value: number): void {
  if (form === "u8") view.setUint8(at, value);
  else if (form === "low") view.setUint8(at, (view.getUint8(at) & 0xe0) | (value & 0x1f));
  else if (widths[form] === 2) view.setUint16(at, value, form.endsWith("le"));
  else view.setUint32(at, value, form.endsWith("le"));
}

const endOf = ({ at, form, value }: Field) => at + widths[form] + value;

function fieldAt({ view, size }: Draft, at: number, form: Form): Field | undefined {
  if (at + widths[form] > size) return undefined;
  const field = { at, form, value: read(view, at, form) };
  return field.value > 0 && endOf(field) <= size ? field : undefined;
}

/** The numbers in front of `inner` whose counted bytes end where its own do, or with the input: very likely what it lies in. */
function around(draft: Draft, inner: Field): readonly Field[] {
  const found: Field[] = [];
  for (let at = 0; at < inner.at; at++) {
    for (const form of ["u16be", "u8"] as const) {
      const field = fieldAt(draft, at, form);
      if (field === undefined || (endOf(field) !== endOf(inner) && endOf(field) !== draft.size)) continue;
      found.push(field);
      break;
    }
  }
  return found;
}

/** Some bytes more or fewer behind a length, which says so, as do those around it; nothing where none is found. */
export function changeWithLength(draft: Draft, dice: Dice): void {
  for (let tries = 0; tries < TRIES; tries++) {
    const field = fieldAt(draft, dice.below(draft.size), dice.pick(forms) ?? "u8");
    if (field === undefined) continue;
    const start = endOf(field) - field.value;
    const at = start + dice.below(field.value + 1);
    const size = 1 + dice.below(MAX_CHANGE);
    const isCut = dice.below(2) === 0;
    const cut = isCut ? Math.min(size, endOf(field) - at) : 0;
    const change = isCut ? -cut : size;
    const lengths = [field, ...around(draft, field)];
    draft.replace(at, cut, isCut ? undefined : dice.bytes(size));
    for (const each of lengths) write(draft.view, each, each.value + change);
    return;
  }
}

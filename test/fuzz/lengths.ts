/** Finds what looks like a length in front of what it counts, and changes both, so that the change gets past the length's check. */
import { concat } from "../../shared/bytes/index.ts";
import type { Dice } from "./dice.ts";

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

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const endOf = ({ at, form, value }: Field) => at + widths[form] + value;

function fieldAt(view: DataView, at: number, form: Form): Field | undefined {
  if (at + widths[form] > view.byteLength) return undefined;
  const field = { at, form, value: read(view, at, form) };
  return field.value > 0 && endOf(field) <= view.byteLength ? field : undefined;
}

/** The numbers in front of `inner` whose counted bytes end where its own do, or with the input: very likely what it lies in. */
function around(view: DataView, inner: Field): readonly Field[] {
  const found: Field[] = [];
  for (let at = 0; at < inner.at; at++) {
    for (const form of ["u16be", "u8"] as const) {
      const field = fieldAt(view, at, form);
      if (field === undefined || (endOf(field) !== endOf(inner) && endOf(field) !== view.byteLength)) continue;
      found.push(field);
      break;
    }
  }
  return found;
}

/** The input with some bytes more or fewer behind a length, which says so, as do those around it; as it was where none is found. */
export function changeWithLength(input: Uint8Array, dice: Dice): Uint8Array {
  const view = viewOf(input);
  for (let tries = 0; tries < TRIES; tries++) {
    const field = fieldAt(view, dice.below(input.byteLength), dice.pick(forms) ?? "u8");
    if (field === undefined) continue;
    const start = endOf(field) - field.value;
    const at = start + dice.below(field.value + 1);
    const size = 1 + dice.below(MAX_CHANGE);
    const isCut = dice.below(2) === 0;
    const cut = isCut ? Math.min(size, endOf(field) - at) : 0;
    const changed = concat(
      input.subarray(0, at),
      isCut ? new Uint8Array(0) : dice.bytes(size),
      input.subarray(at + cut),
    );
    const change = isCut ? -cut : size;
    for (const each of [field, ...around(view, field)]) write(viewOf(changed), each, each.value + change);
    return changed;
  }
  return input;
}

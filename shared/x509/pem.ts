/** Textual encodings: RFC 7468. */
import { CodecError } from "../bytes/index.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";

const LINE_CHARACTERS = 64;
export const MAX_PEM_BYTES = 1 << 20;
const MAX_BLOCKS = 256;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

interface Block {
  readonly label: string;
  readonly body: string;
  readonly at: number;
}

function* blocks(text: string): Generator<Block> {
  const begin = /^-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*$/gm;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    const [line, label = ""] = match;
    const start = match.index + line.length;
    const end = text.indexOf(`-----END ${label}-----`, start);
    if (end < 0) throw new CodecError("the END line is missing", label, match.index);
    yield { label, body: text.slice(start, end), at: match.index };
    begin.lastIndex = end;
  }
}

function fromBase64({ label, body, at }: Block): Uint8Array {
  const digits = body.replace(/[ \t\r\n]/g, "");
  if (digits === "" || !BASE64.test(digits)) throw new CodecError("not base64", label, at);
  const bytes = Uint8Array.from(atob(digits), (c) => c.charCodeAt(0));
  // The unused bits of the last digit are zero, so that one block has one text.
  if (toBase64(bytes) !== digits) throw new CodecError("not canonical base64", label, at);
  return bytes;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The contents of every block with this label, in order. Text around the blocks and blocks with other labels are passed over. */
export function parsePem(text: string, label: string): Uint8Array[] {
  if (text.length > MAX_PEM_BYTES) throw new CodecError(`more than ${MAX_PEM_BYTES} characters`, label, 0);
  const found: Uint8Array[] = [];
  for (const block of blocks(text)) {
    if (block.label !== label) continue;
    if (found.length === MAX_BLOCKS) throw new CodecError(`more than ${MAX_BLOCKS} blocks`, label, block.at);
    found.push(fromBase64(block));
  }
  return found;
}

export function toPem(label: string, der: Uint8Array): string {
  const lines = toBase64(der).match(new RegExp(`.{1,${LINE_CHARACTERS}}`, "g")) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The certificates of a file: PEM with one or more, or the DER of one. CodecError when there is none, or one is malformed. */
export function readCertificates(file: Uint8Array): Certificate[] {
  const isPem = file.byteLength <= MAX_PEM_BYTES && new TextDecoder("latin1").decode(file).includes("-----BEGIN ");
  if (!isPem) return [parseCertificate(file)];
  const found = parsePem(new TextDecoder("latin1").decode(file), "CERTIFICATE");
  if (found.length === 0) throw new CodecError("no certificate in this PEM", "", 0);
  return found.map(parseCertificate);
}

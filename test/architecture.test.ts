import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";

/** Who may import whom: docs/architecture.md. Rooms are folders; the longest matching name wins. */
const SHARED = [
  "bytes",
  "ports",
  "net",
  "eem",
  "usb",
  "coap",
  "cbor",
  "x509",
  "crypto",
  "tpm",
  "event-log",
  "protocol",
];
const shared = (...rooms: string[]) => rooms.map((room) => `shared/${room}`);
const ALL_SHARED = shared(...SHARED);

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "shared/bytes": [],
  "shared/ports": shared("bytes"),
  "shared/net": shared("bytes", "ports"),
  "shared/eem": shared("bytes", "ports"),
  "shared/usb": shared("bytes", "ports"),
  "shared/coap": shared("bytes", "ports"),
  "shared/cbor": shared("bytes", "ports"),
  "shared/crypto": shared("bytes", "ports"),
  "shared/x509": shared("bytes", "ports", "crypto"),
  "shared/tpm": shared("bytes", "ports", "crypto"),
  "shared/event-log": shared("bytes", "ports", "crypto", "tpm"),
  "shared/protocol": shared("bytes", "ports", "cbor", "tpm", "x509", "crypto", "event-log"),
  token: ["token", ...ALL_SHARED],
  attester: ["attester", ...ALL_SHARED],
  hw: ["hw", ...ALL_SHARED],
};

/** Packages and the rooms that may name them; `root` stands for the composition roots. Others are free in hw and roots only. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "node:crypto": ["shared/crypto", "hw"],
  "@noble/curves": ["shared/crypto"],
  "@noble/hashes": ["shared/crypto"],
  "cbor-x": ["shared/cbor"],
  valibot: ["shared/protocol", "attester/platform", "hw/files", "root"],
  yaml: ["attester/platform", "hw/files", "root"],
  commander: ["root", "hw/terminal"],
  picocolors: ["root", "hw/terminal"],
  "log-update": ["root", "hw/terminal"],
};

const MACHINE_WORDS =
  /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|process\.env|console\.)/;

interface Source {
  readonly file: string;
  readonly imports: readonly string[];
  readonly text: string;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map((imported) => imported.fileName);
}

function isRoot(file: string): boolean {
  return file === "fobnail.ts" || /^(token|attester|attester\/owner)\/cli\//.test(file);
}

function roomOf(file: string): string {
  const [top = "", second = ""] = file.split("/");
  return top === "shared" ? `${top}/${second}` : top;
}

/** What is wrong with one import, or undefined. */
function objection(file: string, imported: string): string | undefined {
  if (!imported.startsWith(".")) return packageObjection(file, imported);
  const target = normalize(join(dirname(file), imported));
  if (target.startsWith("test/")) return "nothing imports test";
  if (isRoot(file)) return undefined;
  if (isRoot(target)) return "composition roots are imported by composition roots only";
  const room = roomOf(file);
  const targetRoom = roomOf(target);
  if (room === targetRoom) return insideObjection(file, target);
  return ALLOWED[room]?.includes(targetRoom) ? undefined : `${room} may not import ${targetRoom}`;
}

function insideObjection(file: string, target: string): string | undefined {
  if (file.startsWith("token/domain/") && /^token\/(server|client|led|usb)\//.test(target)) {
    return "token/domain knows neither wire nor lamps";
  }
  if (file.startsWith("token/led/") && target.startsWith("token/domain/") && target !== "token/domain/events.ts") {
    return "token/led sees only domain/events";
  }
  return undefined;
}

function packageObjection(file: string, imported: string): string | undefined {
  const name = imported.startsWith("@") ? imported.split("/").slice(0, 2).join("/") : (imported.split("/")[0] ?? "");
  const places = PACKAGES[name] ?? ["hw", "root"];
  const allowed = places.some((place) => (place === "root" ? isRoot(file) : file.startsWith(`${place}/`)));
  return allowed ? undefined : `${name} belongs to ${places.join(", ")}`;
}

function codeOnly(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

const sources: readonly Source[] = ["fobnail.ts", ...["shared", "token", "attester", "hw"].flatMap(filesBelow)].map(
  (file) => {
    const text = readFileSync(file, "utf8");
    return { file, text, imports: importsOf(text) };
  },
);

describe("architecture", () => {
  it("finds the rooms", () => {
    assert.ok(sources.length > 50, `only ${sources.length} files seen`);
    assert.ok(sources.some(({ imports }) => imports.length > 0));
  });

  it("imports follow the table", () => {
    const wrong = sources.flatMap(({ file, imports }) =>
      imports.flatMap((imported) => {
        const why = objection(file, imported);
        return why === undefined ? [] : [`${file} -> ${imported}: ${why}`];
      }),
    );
    assert.deepEqual(wrong, []);
  });

  it("time, randomness, environment and console stay in hw and composition roots", () => {
    const wrong = sources
      .filter(({ file }) => !file.startsWith("hw/") && !isRoot(file))
      .filter(({ text }) => MACHINE_WORDS.test(codeOnly(text)))
      .map(({ file, text }) => `${file}: ${MACHINE_WORDS.exec(codeOnly(text))?.[0]}`);
    assert.deepEqual(wrong, []);
  });

  it("is able to object", () => {
    assert.match(objection("shared/net/host.ts", "../crypto/index.ts") ?? "", /may not import/);
    assert.match(objection("token/token.ts", "../attester/tpm/client.ts") ?? "", /may not import/);
    assert.match(objection("token/token.ts", "../hw/net/udp.ts") ?? "", /may not import/);
    assert.match(objection("token/domain/appraisal.ts", "../led/machine.ts") ?? "", /neither wire nor lamps/);
    assert.match(objection("shared/tpm/names.ts", "node:crypto") ?? "", /belongs to/);
    assert.match(objection("attester/flows/v0-server.ts", "node:fs") ?? "", /belongs to/);
    assert.equal(objection("hw/net/udp.ts", "node:dgram"), undefined);
    assert.ok(builtinModules.includes("fs"));
  });
});

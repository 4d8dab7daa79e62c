import { utf8 } from "../../shared/bytes/index.ts";
import { type ClientRequest, type CoapResponse, Code, ContentFormat } from "../../shared/coap/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import { expectCode, FlowEnd, type Reasons, type Refusal, refusing, settled } from "./outcome.ts";
import type { V1Context } from "./v1-context.ts";
import { requestGrant } from "./v1-grant.ts";

/** Files of the attested platform, each access with a grant where the token wants that (extension 1 of API v1). */

export type ReadOutcome = { readonly ok: true; readonly data: Uint8Array } | Refusal;
export type WriteOutcome = { readonly ok: true; readonly created: boolean } | Refusal;
export type RemoveOutcome = { readonly ok: true } | Refusal;

const MAX_NAME_BYTES = 255;

/** What no token takes as a file name; undefined when the name is good. */
export function fileNameProblem(name: string): string | undefined {
  if (name === "") return "a file name is not empty";
  if (name === "." || name === "..") return `"${name}" is no file name`;
  if (name.includes("/") || name.includes("\0")) return "a file name holds neither / nor NUL";
  if (utf8(name).byteLength > MAX_NAME_BYTES) return `a file name has at most ${MAX_NAME_BYTES} bytes`;
  return undefined;
}

export function readStored(c: V1Context, name: string): Promise<ReadOutcome> {
  const reasons: Reasons = { [Code.NotFound]: "no-file", [Code.InternalServerError]: "storage-failure" };
  return settled(async () => {
    const what = `reading ${JSON.stringify(name)}`;
    const answer = await access(c, what, name, { method: "GET" }, reasons);
    return { ok: true, data: expectCode(what, answer, Code.Content).payload };
  });
}

/** `too-large` also for what the token has no room for: it says which. */
export function writeStored(c: V1Context, name: string, data: Uint8Array): Promise<WriteOutcome> {
  const reasons: Reasons = {
    [Code.NotFound]: "not-attested",
    [Code.Forbidden]: "bad-name",
    [Code.RequestEntityTooLarge]: "too-large",
    [Code.InternalServerError]: "storage-failure",
  };
  return settled(async () => {
    const what = `writing ${JSON.stringify(name)}`;
    const request = { method: "PUT", contentFormat: ContentFormat.OctetStream, payload: data } as const;
    const answer = await access(c, what, name, request, reasons);
    return { ok: true, created: expectCode(what, answer, Code.Created, Code.Changed).code === Code.Created };
  });
}

/** Done as well when there was no such file. */
export function removeStored(c: V1Context, name: string): Promise<RemoveOutcome> {
  const reasons: Reasons = { [Code.NotFound]: "not-attested", [Code.InternalServerError]: "storage-failure" };
  return settled(async () => {
    const what = `deleting ${JSON.stringify(name)}`;
    expectCode(what, await access(c, what, name, { method: "DELETE" }, reasons), Code.Deleted);
    return { ok: true };
  });
}

type Access = Omit<ClientRequest, "path" | "query">;

/** Without a grant first, until it is known that this token wants them: tokens of the reference have none. */
async function access(
  c: V1Context,
  what: string,
  name: string,
  request: Access,
  reasons: Reasons,
): Promise<CoapResponse> {
  const problem = fileNameProblem(name);
  if (problem !== undefined) throw new FlowEnd("bad-name", problem);
  if (c.signer === undefined) throw new FlowEnd("not-attested", "files are there for attested platforms only");
  const path = [...V1.STORAGE.slice(1).split("/"), name];
  const ask = (query: readonly string[]) => c.wire.ask(what, { ...request, path, query });
  if (!c.wantsGrants) {
    try {
      return await refusing(reasons, () => ask([]));
    } catch (error) {
      if (!(error instanceof FlowEnd) || error.code !== Code.Unauthorized) throw error;
      c.wantsGrants = true;
    }
  }
  const terms = { method: request.method, path: `/${path.join("/")}`, body: request.payload ?? new Uint8Array(0) };
  const grant = await requestGrant(c, c.signer, terms);
  return refusing({ ...reasons, [Code.Unauthorized]: "grant-refused" }, () => ask([`grant=${grant}`]));
}

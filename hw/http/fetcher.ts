import type { CertificateFetcher, Log } from "../../shared/ports/index.ts";

/** Downloads of issuer certificates (RFC 5280, 4.2.2.1: caIssuers). What is fetched is judged by the caller, not here. */

export interface FetcherLimits {
  /** For the whole download, redirects included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxRedirects: number;
}

const LIMITS: FetcherLimits = { timeoutMs: 5000, maxBytes: 64 * 1024, maxRedirects: 3 };

class FetchRefusal extends Error {}

function httpUrl(text: string, base?: string): URL {
  const url = URL.canParse(text, base) ? new URL(text, base) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") throw new FetchRefusal("not an http or https address");
  return url;
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > maxBytes) throw new FetchRefusal(`more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

async function download(start: URL, limits: FetcherLimits, signal: AbortSignal): Promise<Uint8Array> {
  let url = start;
  for (let redirects = 0; redirects <= limits.maxRedirects; redirects++) {
    const response = await fetch(url, { redirect: "manual", signal });
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      url = httpUrl(location, url.href);
      continue;
    }
    if (!response.ok) throw new FetchRefusal(`the server answers ${response.status}`);
    return await readBody(response, limits.maxBytes);
  }
  throw new FetchRefusal(`more than ${limits.maxRedirects} redirects`);
}

function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no answer in time";
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

/** Gets certificates over http and https, within limits of time, size and redirects; a failure is a warning in the log. */
export function createHttpFetcher(log: Log, limits: Partial<FetcherLimits> = {}): CertificateFetcher {
  const all = { ...LIMITS, ...limits };
  return {
    async fetch(address) {
      const abort = new AbortController();
      // Not AbortSignal.any() with AbortSignal.timeout(): that timeout is lost with the next garbage collection (nodejs/node #57736).
      const late = setTimeout(() => abort.abort(new DOMException("no answer in time", "TimeoutError")), all.timeoutMs);
      try {
        return await download(httpUrl(address), all, abort.signal);
      } catch (error) {
        log.write("warn", `${address} gave no certificate: ${why(error)}`, { url: address });
        return undefined;
      } finally {
        clearTimeout(late);
        abort.abort(); // ends a body that was not read to its end
      }
    },
  };
}

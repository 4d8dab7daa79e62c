import { constantTimeEqual, toHex } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import { Limit, type RequestAuthorization, type RequestTerms } from "../../shared/protocol/index.ts";

/** The unused grants of a session: each is for one request of the AIK's choice, and once. */
export class Grants {
  readonly #terms = new Map<string, RequestAuthorization>();
  readonly #random: Random;
  readonly #max: number;

  constructor(random: Random, max: number) {
    this.#random = random;
    this.#max = max;
  }

  /** Limit.GRANT_BYTES that stand for these terms. */
  issue(terms: RequestAuthorization): Uint8Array {
    for (const oldest of this.#terms.keys()) {
      if (this.#terms.size < this.#max) break;
      this.#terms.delete(oldest);
    }
    const grant = this.#random.bytes(Limit.GRANT_BYTES);
    this.#terms.set(toHex(grant), terms);
    return grant;
  }

  /**
   * Whether the grant, in hexadecimal, is for exactly this request. It is used up either way; and when it is, so are those for the same path that
   * were issued before: what was held back on its way is not done behind something later.
   */
  use(grant: string, { method, path, body }: RequestTerms): boolean {
    const terms = this.#terms.get(grant);
    if (terms === undefined) return false;
    const isMeant =
      terms.method === method && terms.path === path && constantTimeEqual(terms.digest, digest("sha256", body));
    if (isMeant) this.#forgetOlder(grant, path);
    this.#terms.delete(grant);
    return isMeant;
  }

  /** Oldest first: a Map keeps the order in which they were issued. */
  #forgetOlder(grant: string, path: string): void {
    for (const [older, terms] of this.#terms) {
      if (older === grant) return;
      if (terms.path === path) this.#terms.delete(older);
    }
  }

  get size(): number {
    return this.#terms.size;
  }

  clear(): void {
    this.#terms.clear();
  }
}

import { ContentFormat } from "../../../shared/coap/index.ts";
import { V1, Versions } from "../../../shared/protocol/index.ts";
import { bodyOf, expect, expectFacts } from "../answer.ts";
import type { Row } from "../row.ts";

const SOURCE = "docs/api.md, Resources";

export const versionRows: readonly Row[] = [
  {
    id: "VE-01",
    title: "GET /api/version names version 1, before the token has an owner",
    source: SOURCE,
    state: "blank",
    async run({ me }) {
      const answer = expect(await me.get(V1.VERSION), "2.05");
      expectFacts("versions", bodyOf(answer, Versions), { versions: [1] });
    },
  },
  {
    id: "VE-02",
    title: "GET /api/version names version 1 on a token with an owner",
    source: SOURCE,
    state: "owned",
    async run({ me }) {
      expectFacts("versions", bodyOf(expect(await me.get(V1.VERSION), "2.05"), Versions), { versions: [1] });
    },
  },
  {
    id: "VE-03",
    title: "GET /api/v1, the published text's other place, answers the same",
    source: SOURCE,
    state: "owned",
    async run({ me }) {
      expectFacts("versions", bodyOf(expect(await me.get("/api/v1"), "2.05"), Versions), { versions: [1] });
    },
  },
  {
    id: "VE-04",
    title: "nothing is below /api/version",
    source: SOURCE,
    state: "owned",
    async run({ me }) {
      expect(await me.get(`${V1.VERSION}/1`), "4.04");
    },
  },
  {
    id: "VE-05",
    title: "/api/version is read only",
    source: "docs/api.md, Every request",
    state: "owned",
    async run({ me }) {
      for (const method of ["POST", "PUT", "DELETE"] as const) expect(await me.ask(method, V1.VERSION), "4.05");
    },
  },
  {
    id: "VE-06",
    title: "the version may not be kept by caches",
    source: "docs/api.md, Every request",
    state: "owned",
    async run({ me }) {
      expect(await me.get(V1.VERSION), { code: "2.05", maxAge: 0 });
    },
  },
  {
    id: "VE-07",
    title: "the version is CBOR, and says so in strict",
    source: "docs/api.md, Every request; D-46",
    state: "owned",
    async run({ me, by }) {
      expect(await me.get(V1.VERSION), { code: "2.05", format: by(ContentFormat.Cbor, "none") });
    },
  },
  {
    id: "VE-08",
    title: "paths that are not in the table are not there",
    source: "docs/api.md, Every request",
    state: "owned",
    async run({ me }) {
      for (const path of ["/", "/api", "/api/v2", "/api/v1/admin", "/well-known", "/api/v1/storage/fs"]) {
        expect(await me.get(path), "4.04");
      }
    },
  },
  {
    id: "VE-09",
    title: "the crypto resources, published as names only, are not there",
    source: SOURCE,
    state: "owned",
    async run({ me }) {
      expect(await me.post("/api/v1/crypto"), "4.04");
      expect(await me.get("/api/v1/crypto/1/type"), "4.04");
    },
  },
];

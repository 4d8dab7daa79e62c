import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { V1Scene } from "../../support/v1-scene.ts";

const NONE = new Uint8Array();
const at = (name: string) => `${V1.STORAGE}/${name}`;

describe("API v1 server: the order of grants", () => {
  const attested = () => {
    const client = new V1Scene().attested();
    const using = (method: "GET" | "PUT" | "DELETE", grant: string, payload: Uint8Array = NONE, name = "key") =>
      client.code({ method, path: at(name), payload, query: [grant] });
    const written = utf8("secret");
    assert.equal(using("PUT", client.grant("PUT", "key", written), written), "2.01");
    return { client, using };
  };

  it("a used one voids the older ones for its file, whatever they are for, and no others", () => {
    const { client, using } = attested();
    const held = client.grant("PUT", "key", utf8("yesterday's"));
    const removal = client.grant("DELETE", "key");
    const other = client.grant("GET", "other");
    const write = client.grant("PUT", "key", utf8("today's"));
    const later = client.grant("GET", "key");
    assert.equal(using("PUT", write, utf8("today's")), "2.04");
    assert.equal(using("PUT", held, utf8("yesterday's")), "4.01");
    assert.equal(using("DELETE", removal), "4.01");
    assert.equal(using("GET", other, NONE, "other"), "4.04");
    assert.equal(using("GET", later), "2.05");
    assert.deepEqual(client.get(at("key"), { query: [client.grant("GET", "key")] }).payload, utf8("today's"));
  });

  it("one that is used for something else voids none", () => {
    const { client, using } = attested();
    const [first, second] = [client.grant("GET", "key"), client.grant("GET", "key")];
    assert.equal(using("GET", second, utf8("x")), "4.01");
    assert.equal(using("GET", first), "2.05");
  });
});

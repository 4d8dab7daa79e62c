import assert from "node:assert/strict";
import { Code } from "../../../shared/coap/index.ts";
import { V0Scene } from "../../support/v0-scene.ts";

const EMPTY = { code: Code.Created, payload: new Uint8Array() };

describe("API v0 driver: unplugged by whoever hears the news", () => {
  const cases = [
    ["token-refused", (scene: V0Scene) => (scene.owner.tamper = () => EMPTY)],
    ["platform-refused", (scene: V0Scene) => (scene.attester.tamper = () => EMPTY)],
    ["token-provisioned", () => undefined],
    ["platform-provisioned", () => undefined],
  ] as const;
  for (const [type, arrange] of cases) {
    it(`on ${type} nothing more is asked`, () => {
      const scene = new V0Scene();
      arrange(scene);
      scene.domain.onEvent((event) => {
        if (event.type === type) scene.driver.detach();
      });
      assert.match(scene.run(60_000).at(-1) ?? "", new RegExp(`^${type}`));
      const asked = scene.asked.length;
      scene.clock.advance(60_000);
      assert.equal(scene.asked.length, asked);
    });
  }
});

/** TD_COAP_LINK_01: the list of a server's resources (RFC 6690). */
import assert from "node:assert/strict";
import { Code, ContentFormat, OptionNumber, optionUint } from "../../../shared/coap/index.ts";
import type { Description } from "./scene.ts";
import { responseTo } from "./wire.ts";

export const LINK: readonly Description[] = [
  {
    id: "TD_COAP_LINK_01",
    about: "GET of /.well-known/core",
    async run(scene) {
      scene.wire.begin();
      const shown = await scene.ask({ method: "GET", path: "/.well-known/core" });
      const [exchange] = scene.wire.exchanges();
      assert.ok(exchange !== undefined);
      const response = responseTo(exchange, [Code.Content]);
      assert.equal(optionUint(response.options, OptionNumber.ContentFormat), ContentFormat.LinkFormat);
      assert.match(new TextDecoder().decode(shown), /<\/test>.*<\/large>/s);
    },
  },
];

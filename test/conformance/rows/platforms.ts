import { toHex } from "../../../shared/bytes/index.ts";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import {
  AuthorizedRequest,
  authorizeRequest,
  PlatformList,
  PlatformRemove,
  PlatformRename,
  V1,
} from "../../../shared/protocol/index.ts";
import { p256 } from "../../support/x509.ts";
import { type Answer, bodyOf, expect, expectFacts } from "../answer.ts";
import { asBytes, asCbor, asItem, type Client } from "../client.ts";
import { asOwner, attest, enrol, file, type OwnerRequest, read, startAttestation, write } from "../flows.ts";
import { rootOf } from "../owner.ts";
import { facts, type Platform, text } from "../platform.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/api.md, Extension 3";
const RENAME = `${V1.PLATFORMS}/rename`;
const REMOVE = `${V1.PLATFORMS}/remove`;
const LIST: OwnerRequest = { method: "FETCH", path: V1.PLATFORMS };

const idOf = ({ metadata }: Platform): Uint8Array => digest("sha256", metadata);
const renaming = (platform: Platform, name: string): OwnerRequest => ({
  method: "POST",
  path: RENAME,
  body: encodeCbor(PlatformRename, { id: idOf(platform), name }),
});
const removing = (platform: Platform): OwnerRequest => ({
  method: "POST",
  path: REMOVE,
  body: encodeCbor(PlatformRemove, { id: idOf(platform) }),
});

const owner = ({ me, keys, random }: Scene, request: OwnerRequest): Promise<Answer> =>
  asOwner(me, keys.owner.issuing, random, request);

/** The platform's entry in the owner's list. */
async function entry(scene: Scene, platform: Platform) {
  const { platforms } = bodyOf(expect(await owner(scene, LIST), "2.05"), PlatformList);
  return platforms.find(({ id }) => toHex(id) === toHex(idOf(platform)));
}

/** An authorized request with other parts than were signed. */
async function tampered(
  { me, keys, random }: Scene,
  request: OwnerRequest,
  change: (whole: AuthorizedRequest) => AuthorizedRequest,
  at = request,
): Promise<Answer> {
  const { method, path, body = new Uint8Array() } = request;
  const whole = authorizeRequest({ method, path, body }, await me.nonce(), keys.owner.issuing.key, random);
  return me.ask(at.method, at.path, asCbor(encodeCbor(AuthorizedRequest, change(whole))));
}

function row(id: string, title: string, run: (scene: Scene) => Promise<void>): Row {
  return { id, title, source: SOURCE, state: "enrolled", run };
}

async function files(client: Client, platform: Platform): Promise<void> {
  await attest(client, platform);
  expect(await write(client, platform, "a", text("four")), "2.01");
  expect(await write(client, platform, "b", text("five!")), "2.01");
}

export const platformRows: readonly Row[] = [
  row("PL-01", "the owner sees a platform as it called itself, without name and files", async (scene) => {
    const made = await scene.platform();
    await enrol(scene.me, made);
    const { id: _id, serial_number: _serial, ...rest } = (await entry(scene, made)) ?? {};
    const { manufacturer, product_name } = facts;
    expectFacts("entry", rest, { name: "", manufacturer, product_name, files: 0, bytes: 0, attested: 0 });
  }),
  row("PL-02", "the list is CBOR that no cache keeps", async (scene) => {
    expect(await owner(scene, LIST), {
      code: "2.05",
      maxAge: scene.by(0, "none"),
      format: scene.by(ContentFormat.Cbor, "none"),
    });
  }),
  row("PL-03", "the list counts files, bytes and attested sessions", async (scene) => {
    const [made, first, second] = [await scene.platform(), await scene.peer(), await scene.peer()];
    await enrol(first, made);
    await files(first, made);
    await attest(second, made);
    const { files: count, bytes, attested } = (await entry(scene, made)) ?? {};
    expectFacts("counts", [count, bytes, attested], [2, 9, 2]);
  }),
  row("PL-04", "a platform gets a name, and loses it again", async (scene) => {
    expect(await owner(scene, renaming(scene.enrolled, "Küche")), { code: "2.04", bytes: 0 });
    expectFacts("name", (await entry(scene, scene.enrolled))?.name, "Küche");
    expect(await owner(scene, renaming(scene.enrolled, "")), "2.04");
    expectFacts("name", (await entry(scene, scene.enrolled))?.name, "");
  }),
  row("PL-05", "a removed platform is not there any more, and may be enrolled again", async (scene) => {
    const made = await scene.platform();
    await enrol(scene.me, made);
    expect(await owner(scene, removing(made)), { code: "2.02", bytes: 0 });
    expectFacts("entry", await entry(scene, made), undefined);
    expect(await startAttestation(scene.me, made), "4.04");
    await enrol(scene.me, made);
  }),
  row("PL-06", "a removed platform's files are gone with it", async (scene) => {
    const made = await scene.platform();
    const peer = await scene.peer();
    await enrol(peer, made);
    await files(peer, made);
    expect(await owner(scene, removing(made)), "2.02");
    await enrol(peer, made);
    await attest(peer, made);
    expect(await read(peer, made, "a"), "4.04");
  }),
  row("PL-07", "a removed platform's sessions are not attested any more", async (scene) => {
    const made = await scene.platform();
    const peers = [await scene.peer(), await scene.peer()];
    await enrol(scene.me, made);
    for (const peer of peers) await attest(peer, made);
    expect(await owner(scene, removing(made)), "2.02");
    for (const peer of peers) expect(await peer.ask("DELETE", file("a")), "4.04");
  }),
  row("PL-08", "removing one platform leaves the others and their sessions", async (scene) => {
    const [made, peer] = [await scene.platform(), await scene.peer()];
    await enrol(scene.me, made);
    await attest(peer, scene.enrolled);
    expect(await owner(scene, removing(made)), "2.02");
    expect(await peer.ask("DELETE", file("a")), scene.by("4.01", "2.02"));
  }),
  row("PL-09", "an unknown platform cannot be named or removed", async (scene) => {
    const made = await scene.platform();
    expect(await owner(scene, renaming(made, "x")), "4.04");
    expect(await owner(scene, removing(made)), "4.04");
  }),
  row("PL-10", "without a nonce in the session nothing is answered", async ({ me, keys, random }) => {
    const whole = authorizeRequest(
      { method: "FETCH", path: V1.PLATFORMS, body: new Uint8Array() },
      new Uint8Array(32),
      keys.owner.issuing.key,
      random,
    );
    expect(await me.ask("FETCH", V1.PLATFORMS, asCbor(encodeCbor(AuthorizedRequest, whole))), "4.03");
  }),
  row("PL-11", "a request that was good once is not repeated", async ({ me, keys, random }) => {
    const whole = authorizeRequest(
      { method: "FETCH", path: V1.PLATFORMS, body: new Uint8Array() },
      await me.nonce(),
      keys.owner.issuing.key,
      random,
    );
    const body = asCbor(encodeCbor(AuthorizedRequest, whole));
    expect(await me.ask("FETCH", V1.PLATFORMS, body), "2.05");
    expect(await me.ask("FETCH", V1.PLATFORMS, body), "4.03");
  }),
  row("PL-12", "another key is not the owner's", async ({ me, random }) => {
    expect(await asOwner(me, { key: p256("stranger") }, random, LIST), "4.03");
  }),
  {
    ...row("PL-13", "the owner's root is not its issuing key", async ({ me, keys, random }) => {
      expect(await asOwner(me, rootOf(keys), random, LIST), "4.03");
    }),
    needs: ["owner-root"],
  },
  row("PL-14", "a signature for one request serves no other", async (scene) => {
    const remove = removing(scene.enrolled);
    expect(await tampered(scene, { ...remove, path: RENAME }, (whole) => whole, remove), "4.03");
    expect(await tampered(scene, { ...remove, method: "FETCH" }, (whole) => whole, remove), "4.03");
    expect(await tampered(scene, LIST, (whole) => ({ ...whole, body: remove.body ?? whole.body }), remove), "4.03");
    expect(await startAttestation(scene.me, scene.enrolled), "2.01");
  }),
  row("PL-15", "a body that was changed on the way is refused", async (scene) => {
    const changed = encodeCbor(PlatformRename, { id: idOf(scene.enrolled), name: "mallory" });
    expect(await tampered(scene, renaming(scene.enrolled, "alice"), (whole) => ({ ...whole, body: changed })), "4.03");
  }),
  row("PL-16", "a wrong signature is refused", async (scene) => {
    const flip = (whole: AuthorizedRequest) => ({
      ...whole,
      signature: whole.signature.map((b, i) => (i === 12 ? b ^ 1 : b)),
    });
    expect(await tampered(scene, LIST, flip), "4.03");
  }),
  {
    ...row("PL-17", "a token without an owner has no platforms to administer", async (scene) => {
      expect(await owner(scene, LIST), "4.04");
      expect(await owner(scene, removing(await scene.platform())), "4.04");
    }),
    state: "blank",
  },
  row("PL-18", "malformed requests and wrong formats are told as such", async (scene) => {
    const { me } = scene;
    expect(await me.ask("FETCH", V1.PLATFORMS, asItem({})), "4.00");
    expect(await me.ask("FETCH", V1.PLATFORMS, asBytes(Uint8Array.of(1))), "4.00");
    expect(await me.post(RENAME, asItem({ data: Uint8Array.of(1), signature: Uint8Array.of(1) })), "4.00");
    expect(await owner(scene, { method: "POST", path: REMOVE, body: Uint8Array.of(0xa0) }), "4.00");
  }),
  {
    ...row("PL-19", "names outlive the power", async (scene) => {
      expect(await owner(scene, renaming(scene.enrolled, "kitchen")), "2.04");
      await scene.restart();
      expectFacts("name", (await entry(scene, scene.enrolled))?.name, "kitchen");
    }),
    needs: ["power"],
  },
  row("PL-20", "a name has 64 bytes at most", async (scene) => {
    const long = encodeLong(scene.enrolled, "n".repeat(65));
    expect(await owner(scene, { method: "POST", path: RENAME, body: long }), "4.00");
    expect(await owner(scene, renaming(scene.enrolled, "n".repeat(64))), "2.04");
    expect(await owner(scene, renaming(scene.enrolled, "")), "2.04");
  }),
  row("PL-21", "what is for another token of the owner is refused", async (scene) => {
    const token = "0"; // device ids are random
    expect(await owner(scene, { ...LIST, token }), "4.03");
    expect(await owner(scene, { ...removing(scene.enrolled), token }), "4.03");
    expect(await startAttestation(scene.me, scene.enrolled), "2.01");
  }),
  row("PL-22", "a platform that is called otherwise than the owner was shown stays as it is", async (scene) => {
    const { manufacturer, product_name } = facts;
    const id = idOf(scene.enrolled);
    const shown = { manufacturer, product_name };
    const rename = (more: object): OwnerRequest => ({
      ...renaming(scene.enrolled, ""),
      body: encodeCbor(PlatformRename, { id, name: "", ...more }),
    });
    expect(await owner(scene, rename({ ...shown, serial_number: "another" })), "4.04");
    expect(await owner(scene, rename({ ...shown, manufacturer: "another" })), "4.04");
    const body = encodeCbor(PlatformRemove, { id, product_name: "another" });
    expect(await owner(scene, { method: "POST", path: REMOVE, body }), "4.04");
    expect(await owner(scene, rename(shown)), "2.04");
    expect(await startAttestation(scene.me, scene.enrolled), "2.01");
  }),
];

function encodeLong(platform: Platform, name: string): Uint8Array {
  return asItem({ id: idOf(platform), name }).payload;
}

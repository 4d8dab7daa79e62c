/** API v1 with event logs: platforms that boot RECORDED, or something else. */
import assert from "node:assert/strict";
import { encodeCbor } from "../../shared/cbor/index.ts";
import type { LogSummary } from "../../shared/event-log/index.ts";
import { encodeLogMessage, SignedLog } from "../../shared/protocol/index.ts";
import type { Profile } from "../../token/domain/profile.ts";
import type { Store } from "../../token/domain/store.ts";
import { logOf, measured, pcrsAfter, RECORDED } from "./launch-log.ts";
import { posting, type V1Client, V1Scene } from "./v1-scene.ts";

/** RECORDED with one step that nobody recorded. */
export const evil = (step: string) =>
  logOf(...RECORDED.events.map((e) => (e.step === step ? measured(e.pcr, e.step, "evil") : e)));
/** The body of POST .../log at enrolment. */
export const signedLog = (client: V1Client, log: LogSummary | Uint8Array, nonce = client.nonce()) =>
  encodeCbor(SignedLog, client.attester.signed(log instanceof Uint8Array ? log : encodeLogMessage(log), nonce));

/** A scene whose computer booted RECORDED. */
export function booted(profile: Profile, store?: Store) {
  const scene = new V1Scene({ profile, ...(store !== undefined && { store }) });
  const client = scene.client();
  client.attester.pcrs = pcrsAfter(RECORDED);
  return { scene, client };
}

/** A provisioning context with metadata and RIM. */
export function opened(profile: Profile, store?: Store) {
  const { scene, client } = booted(profile, store);
  const path = client.openEnrolment();
  client.post(`${path}/meta`, client.signed(client.attester.metadataBytes()));
  client.post(`${path}/rim`, client.signed(client.attester.rimBytes()));
  scene.news();
  return { scene, client, path, finish: () => client.code({ method: "POST", path }) };
}

/** A platform that was enrolled with this log, with no time left to blink. */
export function enrolled(profile: Profile, log: LogSummary | "no log" = RECORDED) {
  const { scene, client, path, finish } = opened(profile);
  if (log !== "no log") assert.equal(client.code(posting(`${path}/log`, signedLog(client, log))), "2.01");
  assert.equal(finish(), "2.04");
  scene.clock.advance(1_000);
  scene.news();
  return { scene, client };
}

/** How many events the token keeps of each platform. */
export const kept = (scene: V1Scene) => scene.domain.listPlatforms().map(({ logEvents }) => logEvents);

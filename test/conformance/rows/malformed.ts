import { concat } from "../../../shared/bytes/index.ts";
import { ContentFormat, type Method } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { expect } from "../answer.ts";
import { asBytes, asCbor, asItem, bare, type Plain } from "../client.ts";
import { attest, attestation, context, enrol, openAttestation, openContext, sendEvidence } from "../flows.ts";
import { otherRim } from "../platform.ts";
import type { Row, State } from "../row.ts";
import type { Scene } from "../scene.ts";

/** What every resource that takes CBOR does with what is none. */
interface Resource {
  /** Number of its two rows. */
  readonly n: number;
  readonly method?: Method;
  readonly name: string;
  readonly state: State;
  /** What its maps have, with values of a wrong type. */
  readonly wrongTypes: Plain;
  /** What is well-formed, and refused for other reasons than its form. */
  readonly wellFormed: Plain;
  /** Where it is once everything before was done; asked anew for each body. */
  path(scene: Scene): Promise<string>;
  /** What compat answers to malformed CBOR, where that differs. */
  readonly compat?: string;
}

const at = (path: string) => async (): Promise<string> => path;

async function explainable({ me, platform }: Scene): Promise<string> {
  const made = await platform();
  await enrol(me, { ...made, rim: otherRim(made.rim) });
  const { id, request } = await openAttestation(me, made);
  expect(await sendEvidence(me, id, await made.machine.quote(request)), "4.03");
  return attestation(id, "/explain");
}

async function withNonce(scene: Scene, path: string): Promise<string> {
  await scene.me.nonce();
  return path;
}

const NOT_SIGNED = { data: "text", signature: new Uint8Array(1) };
const SIGNED = { data: new Uint8Array(8), signature: new Uint8Array(8) };
const NO_CERTIFICATE = { certs: [new Uint8Array(8)] };
const VALUES = { update_ctr: 1, banks: [{ algo_id: 0x0b, pcrs: 1, pcr: [new Uint8Array(32)] }] };

const resources: readonly Resource[] = [
  {
    n: 1,
    name: "token_provision",
    state: "blank",
    wrongTypes: { certs: "none" },
    wellFormed: NO_CERTIFICATE,
    path: at(V1.TOKEN_PROVISION),
  },
  {
    n: 2,
    name: "provision/ek",
    state: "owned",
    wrongTypes: { certs: [1] },
    wellFormed: NO_CERTIFICATE,
    path: at(V1.EK),
  },
  {
    n: 3,
    name: "provision/aik",
    state: "owned",
    wrongTypes: { aik: new Uint8Array(8), ek: "1" },
    wellFormed: { aik: new Uint8Array(8), ek: 1 },
    path: at(V1.AIK),
  },
  {
    n: 4,
    name: "provision",
    state: "owned",
    wrongTypes: { ek: 1, aik: 2, secret: "s" },
    wellFormed: { ek: 1, aik: 2, secret: new Uint8Array(8) },
    path: at(V1.PROVISION),
  },
  {
    n: 5,
    name: "provision/{id}/meta",
    state: "owned",
    wrongTypes: NOT_SIGNED,
    wellFormed: SIGNED,
    path: async ({ me, machine }) => context(await openContext(me, machine), "/meta"),
  },
  {
    n: 6,
    name: "provision/{id}/rim",
    state: "owned",
    wrongTypes: NOT_SIGNED,
    wellFormed: SIGNED,
    path: async ({ me, machine }) => context(await openContext(me, machine), "/rim"),
  },
  {
    n: 7,
    name: "attest",
    state: "enrolled",
    wrongTypes: NOT_SIGNED,
    wellFormed: SIGNED,
    path: (scene) => withNonce(scene, V1.ATTEST),
  },
  {
    n: 8,
    name: "attest/{id}",
    state: "enrolled",
    wrongTypes: { data: 1, signature: 2 },
    wellFormed: SIGNED,
    compat: "4.03",
    path: async ({ me, enrolled }) => attestation((await openAttestation(me, enrolled)).id),
  },
  {
    n: 9,
    name: "attest/{id}/explain",
    state: "owned",
    wrongTypes: { update_ctr: "0", banks: [] },
    wellFormed: VALUES,
    path: explainable,
  },
  {
    n: 10,
    name: "storage/grant",
    state: "enrolled",
    wrongTypes: NOT_SIGNED,
    wellFormed: SIGNED,
    async path(scene) {
      await attest(scene.me, scene.enrolled);
      return withNonce(scene, V1.GRANT);
    },
  },
  {
    n: 11,
    method: "FETCH",
    name: "admin/platforms",
    state: "enrolled",
    wrongTypes: { ...NOT_SIGNED, body: 1 },
    wellFormed: { ...SIGNED, body: new Uint8Array() },
    path: (scene) => withNonce(scene, V1.PLATFORMS),
  },
];

/** 200 arrays, one in the other. */
const DEEP = concat(new Uint8Array(200).fill(0x81), Uint8Array.of(0));
/** An array that says it has 2 ** 63 items. */
const HUGE = Uint8Array.of(0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0);
/** {"a": 1, "a": 1} */
const TWICE = Uint8Array.of(0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x01);
/** A tagged map. */
const TAGGED = Uint8Array.of(0xd9, 0xd9, 0xf7, 0xa0);

/** CBOR that is none, or outside of the plain subset. */
function malformedBodies(wrongTypes: Plain): readonly Uint8Array[] {
  const { payload } = asItem(wrongTypes);
  const cut = payload.subarray(0, payload.byteLength - 1);
  const longer = concat(payload, Uint8Array.of(0));
  return [new Uint8Array(), Uint8Array.of(0xff), asItem({}).payload, payload, cut, longer, DEEP, HUGE, TWICE, TAGGED];
}

const pad = (n: number): string => String(n).padStart(2, "0");

export const malformedRows: readonly Row[] = [
  ...resources.map(
    ({ n, name, state, wrongTypes, path, method = "POST", compat = "4.00" }): Row => ({
      id: `MF-${pad(n)}`,
      title: `${name}: CBOR that is malformed, incomplete or of wrong types is told as such`,
      source: "docs/api.md, Every request; RFC 8949, 3",
      state,
      async run(scene) {
        for (const body of malformedBodies(wrongTypes)) {
          expect(await scene.me.ask(method, await path(scene), asCbor(body)), scene.by("4.00", compat));
        }
      },
    }),
  ),
  ...resources.map(
    ({ n, name, state, wellFormed, path, method = "POST" }): Row => ({
      id: `MF-${pad(n + 20)}`,
      title: `${name}: other formats than CBOR are wrong, and so is none`,
      source: "docs/api.md, Every request",
      state,
      async run(scene) {
        const { payload } = asItem(wellFormed);
        const json = { payload, contentFormat: ContentFormat.Json };
        for (const body of [asBytes(payload), bare(payload), json]) {
          expect(await scene.me.ask(method, await path(scene), body), "4.00");
        }
      },
    }),
  ),
];

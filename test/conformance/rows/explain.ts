import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import { Explanation, Rim } from "../../../shared/protocol/index.ts";
import { bodyOf, expect, expectFacts } from "../answer.ts";
import { asBytes, asCbor, type Client } from "../client.ts";
import { another, attestation, enrol, openAttestation, sendEvidence } from "../flows.ts";
import { otherRim, type Platform } from "../platform.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/api.md, Extension 2";

/** A platform whose PCR 18 differs from what was recorded has just been refused; the id of that context. */
async function mismatch({ me, platform }: Scene): Promise<{ readonly id: number; readonly made: Platform }> {
  const made = await platform();
  await enrol(me, { ...made, rim: otherRim(made.rim) });
  const { id, request } = await openAttestation(me, made);
  expect(await sendEvidence(me, id, await made.machine.quote(request)), "4.03");
  return { id, made };
}

const explain = (client: Client, id: number, rim: Uint8Array) => client.post(attestation(id, "/explain"), asCbor(rim));

/** Reference values of which PCR 0 is another. */
function wrongValues(rim: Uint8Array): Uint8Array {
  const { update_ctr, banks } = decodeCbor(Rim, rim);
  return encodeCbor(Rim, {
    update_ctr,
    banks: banks.map((bank) => ({
      ...bank,
      pcr: bank.pcr.map((value, i) => (i === 0 ? value.map((b) => b ^ 1) : value)),
    })),
  });
}

function row(id: string, title: string, run: (scene: Scene) => Promise<void>): Row {
  return { id, title, source: SOURCE, state: "owned", run };
}

export const explainRows: readonly Row[] = [
  row("EX-01", "values that hash to the quoted digest are answered with the PCRs that differ", async (scene) => {
    const { id, made } = await mismatch(scene);
    const answer = await explain(scene.me, id, made.rim);
    expect(answer, { code: "2.04", format: scene.by(ContentFormat.Cbor, "none") });
    expectFacts("explanation", bodyOf(answer, Explanation), { pcrs: [18], reason: "pcr-mismatch" });
  }),
  row("EX-02", "a failure is explained once", async (scene) => {
    const { id, made } = await mismatch(scene);
    expect(await explain(scene.me, id, made.rim), "2.04");
    expect(await explain(scene.me, id, made.rim), "4.04");
  }),
  row("EX-03", "values that do not hash to the quoted digest explain nothing", async (scene) => {
    const { id, made } = await mismatch(scene);
    expect(await explain(scene.me, id, wrongValues(made.rim)), "4.03");
  }),
  row("EX-04", "the recorded values explain nothing: nobody quoted them", async (scene) => {
    const { id, made } = await mismatch(scene);
    expect(await explain(scene.me, id, otherRim(made.rim)), "4.03");
  }),
  row("EX-05", "another context has nothing to explain", async (scene) => {
    const { id, made } = await mismatch(scene);
    expect(await explain(scene.me, another(id), made.rim), "4.04");
  }),
  row("EX-06", "another session has nothing to explain", async (scene) => {
    const { id, made } = await mismatch(scene);
    expect(await explain(await scene.peer(), id, made.rim), "4.04");
    expect(await explain(scene.me, id, made.rim), "2.04");
  }),
  row("EX-07", "a wrong signature is told as such, without PCRs", async ({ me, platform }) => {
    const made = await platform();
    await enrol(me, made);
    const { id, request } = await openAttestation(me, made);
    const { data, signature } = await made.machine.quote(request);
    expect(await sendEvidence(me, id, { data, signature: signature.map((b) => b ^ 1) }), "4.03");
    const told = bodyOf(await explain(me, id, made.rim), Explanation);
    expectFacts("explanation", told, { pcrs: [], reason: "evidence-signature" });
  }),
  row("EX-08", "a success has nothing to explain", async ({ me, platform }) => {
    const made = await platform();
    await enrol(me, made);
    const { id, request } = await openAttestation(me, made);
    expect(await sendEvidence(me, id, await made.machine.quote(request)), "2.04");
    expect(await explain(me, id, made.rim), "4.04");
  }),
  row("EX-09", "malformed values and a wrong format are told as such", async (scene) => {
    const { id } = await mismatch(scene);
    expect(await explain(scene.me, id, Uint8Array.of(0xa0)), "4.00");
    const second = await mismatch(scene);
    expect(await scene.me.post(attestation(second.id, "/explain"), asBytes(second.made.rim)), "4.00");
  }),
  row("EX-10", "explaining attests nobody", async (scene) => {
    const { id, made } = await mismatch(scene);
    expect(await explain(scene.me, id, made.rim), "2.04");
    expect(await scene.me.get("/api/v1/storage/fs/a"), "4.04");
  }),
];

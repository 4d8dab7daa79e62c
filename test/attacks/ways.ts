/** Ways that many attacks and their controls go, and what comes of them as text. */
import { codeText } from "../../shared/coap/index.ts";
import { Challenge, type Evidence, type QuoteRequest, V1 } from "../../shared/protocol/index.ts";
import { TpmError } from "../../shared/tpm/index.ts";
import { type Answer, bodyOf, idOf } from "../conformance/answer.ts";
import type { Client } from "../conformance/client.ts";
import {
  activate,
  aikBody,
  certs,
  context,
  openAttestation,
  sendEvidence,
  sendMeta,
  sendRim,
} from "../conformance/flows.ts";
import type { Platform } from "../conformance/platform.ts";
import type { Scene } from "../conformance/scene.ts";

/** "4.03 the quote answers another nonce": the code, and of a refusal its sentence. */
export function said({ code, payload }: Pick<Answer, "code" | "payload">): string {
  const refused = code >= 0x80;
  return refused ? `${codeText(code)} ${new TextDecoder().decode(payload)}`.trim() : codeText(code);
}

type MakeEvidence = (request: QuoteRequest) => Promise<Evidence>;

/** Opens an attestation and gives it this evidence. */
export async function evidenceSaid(client: Client, platform: Platform, make: MakeEvidence): Promise<string> {
  const { id, request } = await openAttestation(client, platform);
  return said(await sendEvidence(client, id, await make(request)));
}

export const attestsSaid = (client: Client, platform: Platform): Promise<string> =>
  evidenceSaid(client, platform, (request) => platform.machine.quote(request));

/** The control of most attacks: the enrolled platform attests, from a port of its own. */
export async function enrolledAttests(scene: Scene): Promise<string> {
  return attestsSaid(await scene.peer(), scene.enrolled);
}

/** The TPM's refusal as text: "TPM refuses 0x3e0". What else went wrong is a bug. */
export async function refusedByTpm(command: Promise<unknown>): Promise<string> {
  try {
    await command;
    return "done";
  } catch (error) {
    if (error instanceof TpmError) return `the TPM refuses, 0x${error.rc.toString(16)}`;
    throw error;
  }
}

const refused = ({ code }: Answer): boolean => code >= 0x80;

/** Enrols a platform step by step: the first refusal, or the code of the last step. */
export async function enrolSaid(client: Client, platform: Platform): Promise<string> {
  const { machine } = platform;
  const ek = await client.post(V1.EK, certs(machine.ekChain));
  if (refused(ek)) return said(ek);
  const aik = await client.post(V1.AIK, aikBody(machine.aikPublic, idOf(ek)));
  if (refused(aik)) return said(aik);
  const secret = await machine.activate(bodyOf(aik, Challenge));
  const opened = await activate(client, { ek: idOf(ek), aik: idOf(aik), secret });
  if (refused(opened)) return said(opened);
  for (const step of [sendMeta, sendRim]) {
    const answer = await step(client, idOf(opened), platform);
    if (refused(answer)) return said(answer);
  }
  return said(await client.post(context(idOf(opened))));
}

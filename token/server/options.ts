import {
  type CoapReply,
  type CoapRequest,
  Code,
  diagnostic,
  OptionNumber,
  optionName,
  optionValue,
} from "../../shared/coap/index.ts";
import type { Profile } from "../domain/profile.ts";

/** What the options of a request mean: all of it is decided here, for every resource alike. */

/** Both are understood, so that they can be refused by name, or ignored. */
export const UNDERSTOOD: readonly number[] = [OptionNumber.IfMatch, OptionNumber.IfNoneMatch];

/**
 * The Content-Formats that the reference firmware's CoAP library has names for (its fork of coap-lite 0.11.1) has names for. Others are to
 * it as if there were none: D-51.
 */
const KNOWN_FORMATS: ReadonlySet<number> = new Set([
  ...[0, 16, 17, 18, 19, 21, 22, 23], // text, COSE and ACE, images
  ...[40, 41, 42, 47, 50, 51, 52, 60, 61, 62, 63], // link-format to JSON patches, CBOR and what is made of it
  ...[96, 97, 98, 101, 102, 110, 111, 112, 113, 114, 115, 140], // COSE, SenML, YANG
  ...[256, 271, 272, 280, 281, 284, 285, 286, 287, 290, 291], // groups, DOTS, PKCS, AIF
  ...[310, 311, 320, 322, 340, 341, 432, 836], // SenML, YANG, Thing Descriptions, vouchers
  ...[10_000, 10_001, 10_002, 11_050, 11_060, 11_542, 11_543, 11_544, 20_000, 30_000], // OCF to SVG
]);

/** The one length in which the reference firmware understands Accept: D-52. */
const COMPAT_ACCEPT_BYTES = 4;

/** 4.02 for conditional requests: no resource here has an entity tag to compare. D-53. */
export function refusedCondition({ options }: CoapRequest, profile: Profile): CoapReply | undefined {
  if (profile.conditionalOptions === "ignored") return undefined;
  const option = options.find(({ number }) => UNDERSTOOD.includes(number));
  if (option === undefined) return undefined;
  return diagnostic(Code.BadOption, `option ${optionName(option.number)} is not supported here`);
}

/** The request with Content-Format and Accept as the profile reads them. */
export function readOptions(request: CoapRequest, profile: Profile): CoapRequest {
  const { contentFormat, accept, options } = request;
  const unknown = contentFormat !== undefined && !KNOWN_FORMATS.has(contentFormat);
  const length = optionValue(options, OptionNumber.Accept)?.byteLength;
  return {
    ...request,
    contentFormat: unknown && profile.unknownContentFormat === "as-absent" ? undefined : contentFormat,
    accept: profile.accept === "everywhere" || length === COMPAT_ACCEPT_BYTES ? accept : undefined,
  };
}

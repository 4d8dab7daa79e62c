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
 * The Content-Formats that the reference firmware's CoAP library (coap-lite) has names for: text, link-format, XML, octet-stream, EXI, JSON, CBOR
 * and those of SenML. Others are to it as if there were none: D-51.
 */
const KNOWN_FORMATS: ReadonlySet<number> = new Set([0, 40, 41, 42, 47, 50, 60, 110, 111, 112, 113, 114, 115, 310, 311]);

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

/** Codes: RFC 7252, sections 3, 12.1; RFC 7959, section 6 (2.31, 4.08, 4.13); RFC 8132, section 2 (FETCH, PATCH, iPATCH, 4.09, 4.22). */

export const Code = {
  Empty: 0x00,
  Get: 0x01,
  Post: 0x02,
  Put: 0x03,
  Delete: 0x04,
  Fetch: 0x05,
  Patch: 0x06,
  IPatch: 0x07,
  Created: 0x41,
  Deleted: 0x42,
  Valid: 0x43,
  Changed: 0x44,
  Content: 0x45,
  Continue: 0x5f,
  BadRequest: 0x80,
  Unauthorized: 0x81,
  BadOption: 0x82,
  Forbidden: 0x83,
  NotFound: 0x84,
  MethodNotAllowed: 0x85,
  NotAcceptable: 0x86,
  RequestEntityIncomplete: 0x88,
  Conflict: 0x89,
  PreconditionFailed: 0x8c,
  RequestEntityTooLarge: 0x8d,
  UnsupportedContentFormat: 0x8f,
  UnprocessableEntity: 0x96,
  InternalServerError: 0xa0,
  NotImplemented: 0xa1,
  BadGateway: 0xa2,
  ServiceUnavailable: 0xa3,
  GatewayTimeout: 0xa4,
  ProxyingNotSupported: 0xa5,
} as const;

export type Method = "GET" | "POST" | "PUT" | "DELETE" | "FETCH" | "PATCH" | "iPATCH";

const METHODS: readonly Method[] = ["GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"];

/** The method of a request code; undefined for codes without one. */
export function methodOf(code: number): Method | undefined {
  return METHODS[code - 1];
}

export function methodCode(method: Method): number {
  return METHODS.indexOf(method) + 1;
}

/** The class of a code: 0 requests, 2 success, 4 client error, 5 server error; 1, 6 and 7 are reserved. */
export function codeClass(code: number): number {
  return code >> 5;
}

export function isRequest(code: number): boolean {
  return code !== Code.Empty && codeClass(code) === 0;
}

export function isSuccess(code: number): boolean {
  return codeClass(code) === 2;
}

/** As people write it: 69 is "2.05". */
export function codeText(code: number): string {
  return `${codeClass(code)}.${String(code & 0x1f).padStart(2, "0")}`;
}

/** The code of "2.05"; undefined when the text is not one. */
export function codeOf(text: string): number | undefined {
  const match = /^([0-7])\.([0-2]\d|3[01])$/.exec(text);
  return match === null ? undefined : (Number(match[1]) << 5) | Number(match[2]);
}

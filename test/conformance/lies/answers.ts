import type { CoapMessage } from "../../../shared/coap/index.ts";
import { Code, codeOf, OptionNumber } from "../../../shared/coap/index.ts";
import type { Lie } from "./lie.ts";
import { meant, questionOf, wireLie } from "./mouth.ts";

/** Lies about answers. */

const code = (text: string): number => codeOf(text) ?? 0;

/** Answers `where` with another code than the honest one. */
export function says(other: string, where: string, insteadOf?: string): Lie {
  return wireLie(`answers ${other} to ${where}${insteadOf === undefined ? "" : ` instead of ${insteadOf}`}`, () => ({
    say(answer, asked) {
      const lies = meant(where, asked) && (insteadOf === undefined || answer.code === code(insteadOf));
      return lies && answer.code !== Code.Empty ? { ...answer, code: code(other) } : answer;
    },
  }));
}

/** Refuses what it should do. */
export function refuses(where: string, withCode = "4.03"): Lie {
  return wireLie(`refuses ${where} (${withCode})`, () => ({
    say: (answer, asked) =>
      meant(where, asked) && answer.code >> 5 === 2 && answer.code !== Code.Continue
        ? { ...answer, code: code(withCode), options: [], payload: new Uint8Array() }
        : answer,
  }));
}

/** Calls every refusal a success. */
export function takes(where: string, withCode = "2.01"): Lie {
  return wireLie(`takes whatever comes to ${where}`, () => ({
    say: (answer, asked) =>
      meant(where, asked) && answer.code >= 0x80
        ? { ...answer, code: code(withCode), payload: new Uint8Array() }
        : answer,
  }));
}

/** Says that it did it, and does nothing. */
export function pretends(where: string, withCode: string): Lie {
  return wireLie(`only pretends to do ${where}`, () => {
    return {
      hear(message) {
        const question = questionOf(message);
        if (question === undefined || !meant(where, question)) return message;
        // asked for something harmless instead, and answered as if
        const options = [{ number: OptionNumber.UriPath, value: new TextEncoder().encode("nothing") }];
        return { ...message, options, payload: new Uint8Array() };
      },
      say: (answer, asked) =>
        meant(where, asked) && answer.code !== Code.Empty
          ? { ...answer, code: code(withCode), options: [], payload: new Uint8Array() }
          : answer,
    };
  });
}

/** Leaves an option out of its answers. */
export function omits(number: number, where = "* *"): Lie {
  return wireLie(`leaves option ${number} out of its answers to ${where}`, () => ({
    say: (answer, asked) =>
      meant(where, asked)
        ? { ...answer, options: answer.options.filter((option) => option.number !== number) }
        : answer,
  }));
}

/** Changes the payload of successes. */
export function misreports(what: string, where: string, change: (payload: Uint8Array) => Uint8Array): Lie {
  return wireLie(what, () => ({
    say: (answer, asked) =>
      meant(where, asked) && answer.code >> 5 === 2 ? { ...answer, payload: change(answer.payload) } : answer,
  }));
}

/** Gives the first success to a question again and again. */
export function repeats(where: string): Lie {
  return wireLie(`gives its first answer to ${where} again`, () => {
    let first: CoapMessage | undefined;
    return {
      say(answer, asked) {
        if (!meant(where, asked) || answer.code >> 5 !== 2) return answer;
        first ??= answer;
        return { ...answer, options: first.options, payload: first.payload };
      },
    };
  });
}

/** Errors without a sentence. */
export const explainsNothing: Lie = wireLie("says nothing with its errors", () => ({
  say: (answer) => (answer.code >= 0x80 ? { ...answer, payload: new Uint8Array() } : answer),
}));

/** Never answers. */
export function ignores(where: string): Lie {
  return wireLie(`never answers ${where}`, () => ({
    say: (answer, asked) => (meant(where, asked) ? undefined : answer),
  }));
}

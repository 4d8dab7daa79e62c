import { InvalidArgumentError } from "commander";

/** An option's text as a number. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`A whole number from ${min} to ${max} belongs here.`);
    }
    return value;
  };
}

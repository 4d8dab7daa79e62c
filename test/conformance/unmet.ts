/** What a row expects of the token does not hold: a sentence that says what was seen instead. Anything else thrown by a row is a bug of the suite. */
export class Unmet extends Error {
  override readonly name = "Unmet";
}

/** The row cannot be tried here; the message is the reason that the matrix prints. */
export class NotHere extends Error {
  override readonly name = "NotHere";
}

/** Too many operations wait for the TPM. */
export class TpmBusyError extends Error {
  override readonly name = "TpmBusyError";
}

const MAX_WAITING = 64;

/**
 * One operation after another: a TPM has three slots for sessions and three for objects, so two operations of several commands
 * must not mix. Not reentrant: inside a turn, go on with what the turn was given.
 */
export function createTurns(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (run) => {
    if (waiting >= MAX_WAITING) throw new TpmBusyError(`${MAX_WAITING} operations wait for the TPM already`);
    waiting++;
    const turn = last.then(run);
    last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      waiting--;
    }
  };
}

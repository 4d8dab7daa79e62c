/** Thrown inside the emulator when a command is refused: the engine turns it into a response with this code. Never leaves it. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly rc: number;

  constructor(rc: number) {
    super(`TPM_RC 0x${rc.toString(16)}`);
    this.rc = rc;
  }
}

/** What a response code blames, as the bits that say so (Part 2, 6.6): handle, parameter or session `n`, counted from 1. */
export const handle = (n: number): number => n << 8;
export const parameter = (n: number): number => 0x040 | (n << 8);
export const session = (n: number): number => 0x800 | (n << 8);

const FORMAT_ONE = 0x080;
const BLAMED = 0xf40;

/** Refuses with `rc`. `blamed` is added where the code has room for it: in format one, once. */
export function refuse(rc: number, blamed = 0): never {
  throw new Refusal(blame(rc, blamed));
}

/** Runs `action`; a refusal without a blamed place blames `blamed`. */
export function blaming<T>(blamed: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(blame(error.rc, blamed));
    throw error;
  }
}

function blame(rc: number, blamed: number): number {
  return (rc & FORMAT_ONE) !== 0 && (rc & BLAMED) === 0 ? rc | blamed : rc;
}

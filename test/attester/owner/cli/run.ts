import { ownerMain } from "../../../../attester/owner/cli/main.ts";

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** fobnail-platform-owner in this process, for what ends by itself: starting programs is slow. */
export async function run(...args: readonly string[]): Promise<Ended> {
  const got = { out: "", err: "" };
  const [out, err] = [process.stdout.write, process.stderr.write];
  const into = (stream: keyof typeof got) => (text: unknown) => {
    got[stream] += String(text);
    return true;
  };
  process.stdout.write = into("out");
  process.stderr.write = into("err");
  try {
    const code = await ownerMain(args);
    return { code, ...got };
  } finally {
    process.stdout.write = out;
    process.stderr.write = err;
  }
}

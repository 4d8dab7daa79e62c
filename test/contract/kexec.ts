import assert from "node:assert/strict";
import { sampleLaunch } from "../../attester/dlme/index.ts";
import type { Kexec, KexecTarget } from "../../shared/ports/index.ts";

export interface KexecUnderTest {
  readonly kexec: Kexec;
  /** What was started, in order. */
  started(): readonly KexecTarget[];
  close(): void;
}

/** Another kernel in the place of this one: what was loaded last is what is started, byte for byte, and nothing else is. */
export function kexecContract(name: string, open: () => KexecUnderTest): void {
  describe(`kexec by ${name}`, () => {
    const { kernel, initrd } = sampleLaunch();
    const target: KexecTarget = { kernel, initrd, commandLine: "root=/dev/sda2 ro quiet" };
    const other: KexecTarget = { kernel: sampleLaunch({ kernel: "other" }).kernel, commandLine: "" };
    const done = { ok: true };
    let under: KexecUnderTest;
    beforeEach(() => {
      under = open();
    });
    afterEach(() => under.close());

    const refused = async (outcome: ReturnType<Kexec["load"]>) => {
      const got = await outcome;
      assert.ok(!got.ok && got.reason === "refused", JSON.stringify(got));
      assert.match(got.detail, /^kexec did not /);
    };

    it("has a chance, and starts the very bytes that it was given", async () => {
      const { kexec } = under;
      assert.deepEqual(await kexec.check(), done);
      assert.deepEqual(await kexec.load(target), done);
      assert.deepEqual(under.started(), []);
      assert.deepEqual(await kexec.jump(), done);
      assert.deepEqual(under.started(), [target]);
    });

    it("starts what was loaded last, without an initrd where there is none", async () => {
      const { kexec } = under;
      assert.deepEqual(await kexec.load(target), done);
      assert.deepEqual(await kexec.load(other), done);
      assert.deepEqual(await kexec.jump(), done);
      const [started, ...more] = under.started();
      assert.deepEqual(more, []);
      assert.deepEqual({ ...started, initrd: undefined }, { ...other, initrd: undefined });
      assert.equal(started?.initrd, undefined);
    });

    it("starts nothing that was not loaded, or was forgotten", async () => {
      const { kexec } = under;
      await refused(kexec.jump());
      assert.deepEqual(await kexec.load(target), done);
      assert.deepEqual(await kexec.unload(), done);
      await refused(kexec.jump());
      assert.deepEqual(await kexec.unload(), done, "nothing loaded is fine");
      assert.deepEqual(under.started(), []);
    });

    it("takes kernels only", async () => {
      await refused(under.kexec.load({ ...target, kernel: new Uint8Array(10_000) }));
      await refused(under.kexec.load({ ...target, kernel: new Uint8Array(0) }));
    });
  });
}

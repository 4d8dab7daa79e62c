/**
 * What the TPM client promises, over whatever TPM: run over swtpm and over the emulator. The backend comes powered off or on, and is
 * this suite's alone.
 */
import assert from "node:assert/strict";
import {
  type AikKind,
  createTpmClient,
  type EkKind,
  ForeignKeyError,
  flushLeftovers,
  hashInTpm,
  NvTooLargeError,
  persist,
  type TpmClient,
  type TpmEnv,
  type TpmKey,
  type TpmRunner,
  usingEkPolicy,
  usingPolicySession,
  usingPrimary,
} from "../../attester/tpm/index.ts";
import { CodecError, concat, decode, encode, equal, toHex } from "../../shared/bytes/index.ts";
import { digest, digestSize } from "../../shared/crypto/index.ts";
import type { TpmPlatform, TpmTransport } from "../../shared/ports/index.ts";
import {
  ALL_PCRS,
  aikReference,
  aikRestrictedRsa,
  commands,
  ekEcc,
  encodeResponse,
  FobnailHandle,
  hashNameOf,
  makeCredential,
  nameOf,
  nameOfNv,
  type PcrBank,
  pcrDigest,
  pcrValue,
  publicKeyOf,
  replay,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  TpmAlg,
  TpmaNvBit,
  TpmaObjectBit,
  TpmCap,
  TpmError,
  TpmHt,
  TpmRc,
  TpmRh,
  TpmUnreachable,
  verifyTpmSignature,
} from "../../shared/tpm/index.ts";
import { seededRandom } from "../support/random.ts";

export interface TpmBackend {
  readonly transport: TpmTransport;
  readonly platform: TpmPlatform;
  stop(): Promise<void>;
}

const SHA256 = TpmAlg.SHA256;
const random = seededRandom(1, "tpm client contract");
const env: TpmEnv = { random, log: { write: () => undefined } };

/** The refusal that `run` ends in. */
async function refusal(run: Promise<unknown>): Promise<TpmError> {
  try {
    await run;
  } catch (error) {
    if (error instanceof TpmError) return error;
    throw error;
  }
  return assert.fail("not refused");
}

/** A transport that lets a test look at or answer commands itself. */
function intercept(
  transport: TpmTransport,
  before: (code: number) => Promise<Uint8Array | undefined> | Uint8Array | undefined,
): TpmTransport {
  return {
    async send(command, signal) {
      const code = new DataView(command.buffer, command.byteOffset).getUint32(6);
      return (await before(code)) ?? transport.send(command, signal);
    },
    close: () => transport.close(),
  };
}

const refuseWith = (responseCode: number) =>
  encodeResponse({ responseCode, handles: [], parameters: new Uint8Array(0), sessions: [] }, false);

export function tpmClientContract(name: string, open: (context: Mocha.Context) => Promise<TpmBackend>): void {
  describe(`TPM client over ${name}`, () => {
    let tpm: TpmBackend;
    let client: TpmClient;

    before(async function () {
      tpm = await open(this);
      client = createTpmClient(tpm.transport, env);
      await client.startUp({ platform: tpm.platform, own: true });
    });

    after(() => tpm?.stop());

    afterEach("nothing is left in the TPM", async () => {
      for (const type of [TpmHt.TRANSIENT, TpmHt.HMAC_SESSION, TpmHt.POLICY_SESSION]) {
        assert.deepEqual(await client.handles(type), []);
      }
    });

    const withKeys = async (ekKind: EkKind, aikKind: AikKind, use: (ek: TpmKey, aik: TpmKey) => Promise<void>) => {
      const ek = await client.ensureEk(ekKind);
      await use(ek, await client.ensureAik(aikKind, ek));
    };
    const aikKinds: readonly AikKind[] = ["reference", "restricted-rsa", "restricted-ecc"];
    const pairs = (["rsa", "ecc"] as const).flatMap((ek) => aikKinds.map((aik) => ({ ek, aik })));

    describe("start and stop", () => {
      it("starts a TPM that is started already", () => client.startUp({ platform: tpm.platform, own: true }));

      it("flushes what a killed program left, but only in a TPM of its own", async () => {
        const before = createTpmClient(tpm.transport, env);
        await before.turn(async (runner) => {
          for (let i = 0; i < 3; i++) {
            await runner.run(commands.StartAuthSession, {
              handles: [TpmRh.NULL, TpmRh.NULL],
              parameters: {
                nonceCaller: random.bytes(16),
                encryptedSalt: new Uint8Array(0),
                sessionType: 1,
                symmetric: { algorithm: TpmAlg.NULL },
                authHash: SHA256,
              },
            });
            await runner.run(commands.HashSequenceStart, {
              parameters: { auth: new Uint8Array(0), hashAlg: SHA256 },
            });
          }
        });
        await client.startUp({ platform: tpm.platform, own: false });
        assert.equal((await client.handles(TpmHt.HMAC_SESSION)).length, 3);
        await client.startUp({ platform: tpm.platform, own: true });
        assert.equal(await client.turn(flushLeftovers), 0);
      });

      it("counts power cycles: orderly keeps the clock, and PCRs start anew", async () => {
        await client.extend(16, [{ hash: SHA256, digest: digest("sha256", Uint8Array.of(1)) }]);
        const before = await client.readClock();
        await client.shutDown();
        await tpm.platform.power("orderly");
        await client.startUp({ platform: tpm.platform, own: true });
        const then = await client.readClock();
        assert.equal(then.clockInfo.resetCount, before.clockInfo.resetCount + 1);
        assert.ok(then.clockInfo.clock >= before.clockInfo.clock);
        const [bank] = await client.readPcrs([{ hash: SHA256, pcrSelect: 1 << 16 }]);
        assert.equal(toHex(bank?.values[0] ?? assert.fail("no PCR 16")), "00".repeat(32));
      });

      it("a cut of power without TPM2_Shutdown makes the clock unsafe", async () => {
        await tpm.platform.power("cut");
        const refused = await refusal(client.readClock());
        assert.equal(refused.rc, TpmRc.INITIALIZE);
        await client.startUp({ platform: tpm.platform, own: true });
        assert.equal((await client.readClock()).clockInfo.safe, 0);
      });

      it("self-tests", () => client.selfTest(true));
    });

    describe("small things", () => {
      it("random bytes", async () => {
        const [a, b] = await Promise.all([client.getRandom(16), client.getRandom(16)]);
        assert.equal(a.byteLength, 16);
        assert.equal(equal(a, b), false);
      });

      it("capabilities", async () => {
        const answer = await client.getCapability(TpmCap.TPM_PROPERTIES, 0x100, 1);
        assert.ok(answer.capability === TpmCap.TPM_PROPERTIES);
        assert.deepEqual(answer.data, [{ property: 0x100, value: 0x322e3000 }]); // "2.0"
      });

      it("nothing at a handle is no error", async () => {
        assert.equal(await client.readPublic(0x81001234), undefined);
      });
    });

    describe("PCRs", () => {
      const bank = (banks: readonly PcrBank[], hash: number) =>
        banks.find((one) => one.hash === hash) ?? assert.fail("no such bank");

      it("reads all PCRs of all banks, more than one command returns", async () => {
        await tpm.platform.power("cut");
        await client.startUp({ platform: tpm.platform, own: true });
        const active = await client.activeBanks();
        assert.ok(active.some(({ hash, pcrSelect }) => hash === SHA256 && pcrSelect === ALL_PCRS));
        const banks = await client.readPcrs(active);
        assert.deepEqual(
          banks.map(({ hash, pcrSelect }) => ({ hash, pcrSelect })),
          active,
        );
        const sha256 = bank(banks, SHA256);
        assert.equal(sha256.values.length, 24);
        assert.equal(toHex(pcrValue(sha256, 0) ?? new Uint8Array(0)), "00".repeat(32));
        assert.equal(toHex(pcrValue(sha256, 17) ?? new Uint8Array(0)), "ff".repeat(32));
        assert.equal(toHex(pcrValue(sha256, 23) ?? new Uint8Array(0)), "00".repeat(32));
      });

      it("extends and resets", async () => {
        const values = [digest("sha256", Uint8Array.of(1)), digest("sha256", Uint8Array.of(2))];
        await client.resetPcr(23);
        for (const value of values) await client.extend(23, [{ hash: SHA256, digest: value }]);
        const selection = [{ hash: SHA256, pcrSelect: 1 << 23 }];
        const [extended] = await client.readPcrs(selection);
        assert.deepEqual(extended?.values, [replay(SHA256, values)]);
        await client.resetPcr(23);
        const [reset] = await client.readPcrs(selection);
        assert.deepEqual(reset?.values, [new Uint8Array(32)]);
      });

      it("leaves out a bank that the TPM does not have", async () => {
        const active = new Set((await client.activeBanks()).map(({ hash }) => hash));
        const absent = [TpmAlg.SHA512, TpmAlg.SM3_256].find((hash) => !active.has(hash));
        assert.ok(absent !== undefined);
        const read = client.readPcrs([{ hash: absent, pcrSelect: 1 }]);
        // A hash that the TPM does not know at all is refused, a bank that is only inactive is missing from the answer.
        assert.deepEqual(await read.catch((error) => (error instanceof TpmError ? [] : Promise.reject(error))), []);
      });

      it("reads again when a PCR changed in between", async () => {
        let extended = false;
        let reads = 0;
        const meddled = intercept(tpm.transport, async (code) => {
          if (code === commands.PCR_Read.code && ++reads === 2 && !extended) {
            extended = true;
            await client.extend(10, [{ hash: SHA256, digest: digest("sha256", Uint8Array.of(9)) }]);
          }
          return undefined;
        });
        const banks = await createTpmClient(meddled, env).readPcrs([{ hash: SHA256, pcrSelect: ALL_PCRS }]);
        assert.deepEqual(banks, await client.readPcrs([{ hash: SHA256, pcrSelect: ALL_PCRS }]));
        assert.ok(reads > 3);
      });

      it("reads again when a PCR changed in between that the TPM's counter of changes does not count", async () => {
        const selection = (await client.activeBanks()).slice(0, 2);
        assert.equal(selection.length, 2);
        const change = selection.map(({ hash }) => ({
          hash,
          digest: new Uint8Array(digestSize(hashNameOf(hash) ?? assert.fail("no hash"))).fill(1),
        }));
        const meddledWith = (isMoment: (read: number) => boolean) => {
          let reads = 0;
          const transport = intercept(tpm.transport, async (code) => {
            if (code === commands.PCR_Read.code && isMoment(++reads)) await client.extend(23, change);
            return undefined;
          });
          return createTpmClient(transport, env).readPcrs(selection);
        };
        // The first bank's PCR 23 is in the third answer, the second's in the sixth.
        for (const moment of [4, 5, 6]) {
          const banks = await meddledWith((read) => read === moment);
          assert.deepEqual(banks, await client.readPcrs(selection));
        }
        await assert.rejects(
          meddledWith(() => true),
          { name: "PcrsChangingError", message: /changed while they were read, 5 times/ },
        );
      });

      it("reads no more often than it must", async () => {
        const [first, second] = await client.activeBanks();
        assert.ok(first !== undefined && second !== undefined);
        let reads = 0;
        const counted = intercept(tpm.transport, (code) => {
          if (code === commands.PCR_Read.code) reads++;
          return undefined;
        });
        const readsOf = async (...masks: readonly (readonly [number, number])[]) => {
          reads = 0;
          await createTpmClient(counted, env).readPcrs(masks.map(([hash, pcrSelect]) => ({ hash, pcrSelect })));
          return reads;
        };
        const uncounted = (1 << 16) | (1 << 23);
        assert.equal(await readsOf([SHA256, ALL_PCRS]), 3);
        assert.equal(await readsOf([first.hash, uncounted], [second.hash, uncounted]), 1);
        assert.equal(await readsOf([first.hash, 0xffff], [second.hash, 0xffff]), 4);
        assert.equal(await readsOf([first.hash, ALL_PCRS], [second.hash, ALL_PCRS]), 7); // the uncounted ones twice
      });

      it("a dynamic launch: HASH sequence at locality 4, then extends at locality 2, which locality 0 may not", async () => {
        const image = new Uint8Array(10_000).fill(0x5a);
        await tpm.platform.hashSequence(image);
        const selection = [{ hash: SHA256, pcrSelect: (1 << 17) | (1 << 18) }];
        const [launched] = await client.readPcrs(selection);
        assert.deepEqual(launched?.values.map(toHex), [
          "554ca4e63fed0bf69e376ae97db85913d3464755597b319070b1c951cc41bffe",
          "00".repeat(32),
        ]);
        const value = { hash: SHA256, digest: digest("sha256", Uint8Array.of(7)) };
        assert.equal((await refusal(client.extend(17, [value]))).rc, TpmRc.LOCALITY);
        await tpm.platform.setLocality(2);
        await client.extend(17, [value]);
        await tpm.platform.setLocality(0);
        const [kernel] = await client.readPcrs(selection);
        assert.deepEqual(kernel?.values[0], replay(SHA256, [digest("sha256", image), value.digest]));
      });
    });

    describe("NV indices", () => {
      const index = 0x01800042;
      const area = (dataSize: number, attributes: number) => ({
        nvIndex: index,
        nameAlg: SHA256,
        attributes,
        authPolicy: new Uint8Array(0),
        dataSize,
      });
      const readable = TpmaNvBit.AUTHREAD | TpmaNvBit.OWNERWRITE | TpmaNvBit.OWNERREAD | TpmaNvBit.NO_DA;

      afterEach(async () => {
        if ((await client.nvReadPublic(index)) !== undefined) await client.nvUndefine(TpmRh.OWNER, index);
      });

      it("are written and read in pieces", async () => {
        const content = random.bytes(1500);
        assert.equal(await client.nvRead(index), undefined);
        await client.nvDefine(TpmRh.OWNER, area(content.byteLength, readable));
        assert.equal(await client.nvRead(index), undefined); // defined, never written
        await client.nvWrite(TpmRh.OWNER, index, content);
        assert.deepEqual(await client.nvRead(index), content);
      });

      it("are read as the owner where the index has no password of its own to read with", async () => {
        const content = random.bytes(16);
        await client.nvDefine(TpmRh.OWNER, area(16, TpmaNvBit.OWNERREAD | TpmaNvBit.OWNERWRITE | TpmaNvBit.NO_DA));
        await client.nvWrite(TpmRh.OWNER, index, content);
        assert.deepEqual(await client.nvRead(index), content);
      });

      it("have the Name that their public area gives", async () => {
        await client.nvDefine(TpmRh.OWNER, area(16, readable));
        const { response } = await client.turn((runner) =>
          runner.run(commands.NV_ReadPublic, { handles: [index], parameters: {} }),
        );
        assert.equal(toHex(response.nvName), toHex(nameOfNv(response.nvPublic)));
      });

      it("that are larger than any certificate are not read", async () => {
        const huge = { ...area(0xffff, readable | TpmaNvBit.WRITTEN) };
        const lying = intercept(tpm.transport, (code) => {
          if (code !== commands.NV_ReadPublic.code) return undefined;
          const response = { nvPublic: huge, nvName: new Uint8Array(0) };
          const parameters = encode(commands.NV_ReadPublic.response, response);
          return encodeResponse({ responseCode: 0, handles: [], parameters, sessions: [] }, false);
        });
        await assert.rejects(createTpmClient(lying, env).nvRead(index), NvTooLargeError);
      });

      it("of which a TPM gives less than it was asked for are malformed", async () => {
        await client.nvDefine(TpmRh.OWNER, area(16, readable));
        await client.nvWrite(TpmRh.OWNER, index, new Uint8Array(16));
        const short = intercept(tpm.transport, (code) => {
          if (code !== commands.NV_Read.code) return undefined;
          const parameters = encode(commands.NV_Read.response, { data: new Uint8Array(15) });
          const session = { nonce: new Uint8Array(0), sessionAttributes: 0, hmac: new Uint8Array(0) };
          return encodeResponse({ responseCode: 0, handles: [], parameters, sessions: [session] }, true);
        });
        await assert.rejects(
          createTpmClient(short, env).nvRead(index),
          (error) => error instanceof CodecError && /TPM2_NV_Read\.data.*15 bytes where 16/.test(error.message),
        );
      });

      it("cut the padding behind an EK certificate", async () => {
        const certificate = concat(Uint8Array.of(0x30, 0x82, 0x01, 0x00), random.bytes(256));
        const ekIndex = { ...area(300, readable), nvIndex: 0x01c0000a };
        assert.equal(await client.readEkCertificate("ecc"), undefined);
        await client.nvDefine(TpmRh.OWNER, ekIndex);
        await client.nvWrite(TpmRh.OWNER, ekIndex.nvIndex, concat(certificate, new Uint8Array(40).fill(0xff)));
        assert.deepEqual(await client.readEkCertificate("ecc"), certificate);
        await client.nvWrite(TpmRh.OWNER, ekIndex.nvIndex, random.bytes(1).fill(0x31));
        await assert.rejects(client.readEkCertificate("ecc"), CodecError);
        await client.nvUndefine(TpmRh.OWNER, ekIndex.nvIndex);
      });
    });

    describe("certificates of the EK's issuers in NV", () => {
      const FIRST = 0x01c00100;
      const UNREADABLE = 0x01c00110;
      const { AUTHREAD, OWNERREAD, OWNERWRITE, PPREAD, NO_DA } = TpmaNvBit;
      const long = concat(Uint8Array.of(0x30, 0x82, 0x04, 0x00), random.bytes(1024));
      const short = concat(Uint8Array.of(0x30, 0x81, 0xc8), random.bytes(200));
      const lines: string[] = [];
      const listening = (transport: TpmTransport) =>
        createTpmClient(transport, { random, log: { write: (level, text) => void lines.push(`${level}: ${text}`) } });
      const define = async (nvIndex: number, content: Uint8Array, attributes = AUTHREAD | OWNERREAD) => {
        const area = { nvIndex, nameAlg: SHA256, authPolicy: new Uint8Array(0), dataSize: content.byteLength };
        await client.nvDefine(TpmRh.OWNER, { ...area, attributes: attributes | OWNERWRITE | NO_DA });
        await client.nvWrite(TpmRh.OWNER, nvIndex, content);
      };

      beforeEach(() => {
        lines.length = 0;
      });
      afterEach(async () => {
        const indices = await client.handles(TpmHt.NV_INDEX);
        for (const index of indices) {
          if (index >= FIRST && index <= UNREADABLE) await client.nvUndefine(TpmRh.OWNER, index);
        }
      });

      it("are put together from several indices, however they were cut, without the padding", async () => {
        assert.deepEqual(await client.readEkChain(), []);
        const chain = concat(long, short, new Uint8Array(30).fill(0xff));
        await define(FIRST, chain.slice(0, 700));
        await define(FIRST + 1, chain.slice(700));
        assert.deepEqual(await listening(tpm.transport).readEkChain(), [long, short]);
        assert.deepEqual(lines, []);
      });

      it("are read past an index that the TPM lets nobody but the platform read, with a warning", async () => {
        await define(FIRST, long);
        await define(UNREADABLE, random.bytes(16), PPREAD);
        assert.deepEqual(await listening(tpm.transport).readEkChain(), [long]);
        assert.equal(lines.length, 1);
        assert.match(lines[0] ?? "", /^warn: NV index 0x1c00110 .* TPM2_NV_Read: TPM_RC_NV_AUTHORIZATION/);
      });

      it("are read past an index that is larger than any certificate, with a warning", async () => {
        for (const [i, content] of [long, short].entries()) await define(FIRST + i, content);
        const area = await client.nvReadPublic(FIRST);
        assert.ok(area !== undefined);
        let asked = 0;
        const lying = intercept(tpm.transport, (code) => {
          if (code !== commands.NV_ReadPublic.code || ++asked > 1) return undefined;
          const response = { nvPublic: { ...area, dataSize: 0xffff }, nvName: new Uint8Array(0) };
          const parameters = encode(commands.NV_ReadPublic.response, response);
          return encodeResponse({ responseCode: 0, handles: [], parameters, sessions: [] }, false);
        });
        assert.deepEqual(await listening(lying).readEkChain(), [short]);
        assert.equal(lines.length, 1);
        assert.match(lines[0] ?? "", /^warn: NV index 0x1c00100 .* 65535 bytes$/);
      });

      it("are not passed over when the TPM is gone", async () => {
        await define(FIRST, long);
        const gone = intercept(tpm.transport, (code) =>
          code === commands.NV_Read.code ? Promise.reject(new TpmUnreachable("gone")) : undefined,
        );
        await assert.rejects(listening(gone).readEkChain(), TpmUnreachable);
      });
    });

    describe("keys", () => {
      it("EK and AIK are made once, then found, with the Names that their public areas give", async () => {
        for (const kind of ["rsa", "ecc"] as const) {
          const made = await client.ensureEk(kind);
          const found = await client.ensureEk(kind);
          assert.deepEqual(found.name, made.name);
          assert.equal(toHex(nameOf(made.publicArea)), toHex(made.name));
          for (const aikKind of aikKinds) {
            const aik = await client.ensureAik(aikKind, made);
            assert.deepEqual((await client.ensureAik(aikKind, made)).name, aik.name);
            assert.equal(toHex(nameOf(aik.publicArea)), toHex(aik.name));
            const restricted = (aik.publicArea.objectAttributes & TpmaObjectBit.RESTRICTED) !== 0;
            assert.equal(restricted, aikKind !== "reference");
          }
        }
        assert.deepEqual(new Set(await client.handles(TpmHt.PERSISTENT)), new Set(Object.values(FobnailHandle)));
      });

      it("another's object in the place of ours is an error, and stays", async () => {
        const handle = FobnailHandle.EK_ECC;
        await client.evict(handle);
        const foreign = await client.turn((runner) =>
          usingPrimary(runner, TpmRh.OWNER, ekEcc, async (key) => {
            await persist(runner, key.handle, handle);
            return key.name;
          }),
        );
        await assert.rejects(client.ensureEk("ecc"), ForeignKeyError);
        assert.deepEqual((await client.readPublic(handle))?.name, foreign);
        await client.evict(handle);
      });

      it("an AIK of another template in the place of ours is an error", async () => {
        const ek = await client.ensureEk("rsa");
        await client.ensureAik("reference", ek);
        await client.evict(FobnailHandle.AIK_REFERENCE);
        await client.turn((runner) =>
          usingPrimary(runner, TpmRh.OWNER, aikRestrictedRsa, (key) =>
            persist(runner, key.handle, FobnailHandle.AIK_REFERENCE),
          ),
        );
        await assert.rejects(client.ensureAik("reference", ek), ForeignKeyError);
        await client.evict(FobnailHandle.AIK_REFERENCE);
      });
    });

    describe("credential activation", () => {
      const secret = random.bytes(32);
      const challenge = (ek: TpmKey, name: Uint8Array) => {
        const made = makeCredential(ek.publicArea, name, secret, random) ?? assert.fail("no credential");
        return { id: decode(Tpm2bIdObject, made.idObject), enc: decode(Tpm2bEncryptedSecret, made.encSecret) };
      };

      for (const { ek: ekKind, aik: aikKind } of pairs) {
        it(`gives the secret back: ${ekKind} EK, ${aikKind} AIK`, () =>
          withKeys(ekKind, aikKind, async (ek, aik) => {
            const { id, enc } = challenge(ek, aik.name);
            assert.deepEqual(await client.activateCredential(ek, aik, id, enc), secret);
          }));
      }

      it("refuses a credential for another Name, another EK, or damaged, and leaves nothing loaded", () =>
        withKeys("rsa", "restricted-ecc", async (ek, aik) => {
          const other = challenge(ek, ek.name);
          assert.equal((await refusal(client.activateCredential(ek, aik, other.id, other.enc))).rc, 0x1df);
          const good = challenge(ek, aik.name);
          const damaged = good.id.slice();
          damaged[40] = (damaged[40] ?? 0) ^ 1;
          assert.equal((await refusal(client.activateCredential(ek, aik, damaged, good.enc))).rc, 0x1df);
          assert.equal((await refusal(client.activateCredential(ek, aik, good.id, good.enc.slice(1)))).rc, 0x2d5);
          const garbled = good.enc.slice();
          garbled[100] = (garbled[100] ?? 0) ^ 1;
          await refusal(client.activateCredential(ek, aik, good.id, garbled));
          assert.deepEqual(await client.activateCredential(ek, aik, good.id, good.enc), secret);
        }));

      it("waits its turn: ten at once all succeed, though three sessions fit", () =>
        withKeys("ecc", "restricted-rsa", async (ek, aik) => {
          const { id, enc } = challenge(ek, aik.name);
          const all = Array.from({ length: 10 }, () => client.activateCredential(ek, aik, id, enc));
          for (const got of await Promise.all(all)) assert.deepEqual(got, secret);
        }));

      it("the TPM's own MakeCredential is activated too", () =>
        withKeys("ecc", "reference", async (ek, aik) => {
          const { response } = await client.turn((runner) =>
            runner.run(commands.MakeCredential, {
              handles: [ek.handle],
              parameters: { credential: secret, objectName: aik.name },
            }),
          );
          const got = await client.activateCredential(ek, aik, response.credentialBlob, response.secret);
          assert.deepEqual(got, secret);
        }));
    });

    describe("quotes", () => {
      const selection = [{ hash: SHA256, pcrSelect: 0x000600ff }];

      for (const aikKind of aikKinds) {
        it(`are signed by the ${aikKind} AIK, over the PCRs as read, with the nonce`, () =>
          withKeys("rsa", aikKind, async (_ek, aik) => {
            const nonce = random.bytes(32);
            const quote = await client.quote(aik, nonce, selection);
            assert.deepEqual(quote.attest.extraData, nonce);
            assert.deepEqual(quote.attest.attested.pcrSelect, selection);
            const banks = await client.readPcrs(selection);
            assert.deepEqual(quote.attest.attested.pcrDigest, pcrDigest(SHA256, selection, banks));
            const key = publicKeyOf(aik.publicArea) ?? assert.fail("no key");
            assert.equal(verifyTpmSignature(key, quote.signature, quote.quoted), true);
            assert.equal(verifyTpmSignature(key, quote.signature, concat(quote.quoted, Uint8Array.of(0))), false);
          }));
      }

      it("take 64 bytes of qualifying data, and refuse a bank that the TPM does not know", () =>
        withKeys("rsa", "restricted-ecc", async (_ek, aik) => {
          assert.equal((await client.quote(aik, random.bytes(64), selection)).attest.extraData.byteLength, 64);
          await assert.rejects(client.quote(aik, random.bytes(65), selection), RangeError);
          assert.equal(
            (await refusal(client.quote(aik, random.bytes(32), [{ hash: 0x7777, pcrSelect: 1 }]))).rc,
            0x3c3,
          );
        }));
    });

    describe("signatures over data", () => {
      for (const aikKind of aikKinds) {
        it(`by the ${aikKind} AIK, in one TPM2_Hash and in a sequence`, () =>
          withKeys("rsa", aikKind, async (_ek, aik) => {
            const key = publicKeyOf(aik.publicArea) ?? assert.fail("no key");
            for (const size of [0, 1, 1023, 1024, 1025, 2048, 2049, 4506]) {
              const data = random.bytes(size);
              const signature = await client.sign(aik, data);
              assert.equal(verifyTpmSignature(key, signature, data), true, `${size} bytes`);
              assert.equal(verifyTpmSignature(key, signature, concat(data, Uint8Array.of(0))), false);
            }
          }));
      }

      it("a restricted key does not sign what looks like the TPM's own word, the reference's key does", () =>
        withKeys("rsa", "restricted-rsa", async (ek, aik) => {
          for (const size of [100, 3000]) {
            const forged = concat(Uint8Array.of(0xff, 0x54, 0x43, 0x47), random.bytes(size));
            assert.equal((await refusal(client.sign(aik, forged))).rc, 0x3e0);
            const reference = await client.ensureAik("reference", ek);
            const key = publicKeyOf(reference.publicArea) ?? assert.fail("no key");
            assert.equal(verifyTpmSignature(key, await client.sign(reference, forged), forged), true);
          }
        }));

      it("the TPM's digest is the digest", async () => {
        const data = random.bytes(5000);
        const hashed = await client.turn((runner) => hashInTpm(runner, SHA256, data));
        assert.deepEqual(hashed.digest, digest("sha256", data));
      });

      it("a sequence that fails in the middle is flushed", async () => {
        let updates = 0;
        const failing = intercept(tpm.transport, (code) =>
          code === commands.SequenceUpdate.code && ++updates === 2 ? refuseWith(TpmRc.MEMORY) : undefined,
        );
        const other = createTpmClient(failing, env);
        assert.equal((await refusal(other.turn((r) => hashInTpm(r, SHA256, random.bytes(5000))))).rc, TpmRc.MEMORY);
      });
    });

    describe("limits and trouble", () => {
      it("three sessions and three objects fit; the fourth is refused, and all go", async () => {
        const sessions = (r: TpmRunner, depth: number): Promise<void> =>
          depth === 0 ? Promise.resolve() : usingPolicySession(r, () => sessions(r, depth - 1));
        await client.turn((r) => sessions(r, 3));
        assert.equal((await refusal(client.turn((r) => sessions(r, 4)))).rc, TpmRc.SESSION_MEMORY);
        const objects = (r: TpmRunner, depth: number): Promise<void> =>
          depth === 0 ? Promise.resolve() : usingPrimary(r, TpmRh.OWNER, ekEcc, () => objects(r, depth - 1));
        await client.turn((r) => objects(r, 3));
        assert.equal((await refusal(client.turn((r) => objects(r, 4)))).rc, TpmRc.OBJECT_MEMORY);
      });

      it("a session is flushed when what it was for fails", async () => {
        await assert.rejects(
          client.turn((runner) => usingEkPolicy(runner, () => Promise.reject(new Error("in between")))),
          /in between/,
        );
      });

      it("a refusal names the command and the culprit", async () => {
        const refused = await refusal(client.evict(0x81005555));
        assert.match(refused.message, /^TPM2_EvictControl: TPM_RC_HANDLE, handle 2/);
      });

      for (const rc of [TpmRc.RETRY, TpmRc.YIELDED, TpmRc.TESTING]) {
        it(`0x${rc.toString(16)} is tried again, with a bound`, async () => {
          let left = 3;
          const busy = intercept(tpm.transport, () => (left-- > 0 ? refuseWith(rc) : undefined));
          assert.equal((await createTpmClient(busy, env).getRandom(8)).byteLength, 8);
          let tries = 0;
          const never = intercept(tpm.transport, () => {
            tries++;
            return refuseWith(rc);
          });
          assert.equal((await refusal(createTpmClient(never, env).getRandom(8))).rc, rc);
          assert.equal(tries, 10);
        });
      }

      it("a primary key whose answer cannot be read is flushed", async () => {
        const garbling: TpmTransport = {
          async send(command) {
            const answer = await tpm.transport.send(command);
            const code = new DataView(command.buffer, command.byteOffset).getUint32(6);
            if (code !== commands.CreatePrimary.code) return answer;
            const garbled = answer.slice();
            garbled.set([0xff, 0xff], 20); // the algorithm of outPublic
            return garbled;
          },
          close: () => tpm.transport.close(),
        };
        const other = createTpmClient(garbling, env);
        await assert.rejects(
          other.turn((r) => usingPrimary(r, TpmRh.OWNER, ekEcc, () => Promise.resolve())),
          /TPM2_CreatePrimary response/,
        );
      });

      it("the wrong kind of key is refused and not left behind", async () => {
        const { nameAlg } = aikReference;
        const template = { ...aikReference, nameAlg, objectAttributes: aikReference.objectAttributes | 0x10000 };
        const made = client.turn((r) => usingPrimary(r, TpmRh.OWNER, template, () => Promise.resolve()));
        await refusal(made);
      });
    });
  });
}

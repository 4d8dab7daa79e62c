/** The TPM as the flows see it: each method is one whole operation, in turn with the others, that leaves nothing behind in the TPM. */
import type { TpmTransport } from "../../shared/ports/index.ts";
import {
  commands,
  type PcrBank,
  type TpmlPcrSelection,
  type TpmsCapabilityData,
  type TpmsNvPublic,
  type TpmsTimeInfo,
  type TpmtSignature,
} from "../../shared/tpm/index.ts";
import { activateCredential } from "./activate.ts";
import { readEkCertificate, readEkChain } from "./certificate.ts";
import { listHandles } from "./cleanup.ts";
import { type AikKind, type EkKind, ensureAik, ensureEk, findAik } from "./keys.ts";
import { nvDefine, nvRead, nvReadPublic, nvUndefine, nvWrite } from "./nv.ts";
import { evict, type ReadKey, readPublic, type TpmKey } from "./objects.ts";
import { activeBanks, type BankDigest, extendPcr, readPcrs, resetPcr } from "./pcrs.ts";
import { type Quote, quote } from "./quote.ts";
import { createRunner, type TpmEnv, type TpmRunner } from "./runner.ts";
import { signData } from "./sign.ts";
import { type StartupOptions, shutDown, startUp } from "./startup.ts";
import { createTurns } from "./turns.ts";

/** Methods reject with TpmError (refused), TpmUnreachable, TpmBusyError (64 wait already), PcrsChangingError or CodecError (the answer is none). */
export interface TpmClient {
  /** Several operations with nobody in between. Inside, use the runner and this folder's functions, not the client: it would wait for itself. */
  turn<T>(use: (tpm: TpmRunner) => Promise<T>): Promise<T>;
  startUp(options: StartupOptions): Promise<void>;
  shutDown(): Promise<void>;
  selfTest(full: boolean): Promise<void>;
  /** At most `size` bytes, 64 at most: what the TPM wants to give. */
  getRandom(size: number): Promise<Uint8Array>;
  readClock(): Promise<TpmsTimeInfo>;
  getCapability(capability: number, property: number, count: number): Promise<TpmsCapabilityData>;
  /** Handles of a type, TpmHt. */
  handles(type: number): Promise<readonly number[]>;
  ensureEk(kind: EkKind): Promise<TpmKey>;
  ensureAik(kind: AikKind, ek: TpmKey): Promise<TpmKey>;
  /** The AIK where it was made; undefined where it was not. */
  findAik(kind: AikKind): Promise<TpmKey | undefined>;
  readEkCertificate(kind: EkKind): Promise<Uint8Array | undefined>;
  /** Issuers of the EK certificate that the vendor put into NV. */
  readEkChain(): Promise<readonly Uint8Array[]>;
  readPublic(handle: number): Promise<ReadKey | undefined>;
  evict(persistentHandle: number): Promise<void>;
  activateCredential(ek: TpmKey, aik: TpmKey, idObject: Uint8Array, encSecret: Uint8Array): Promise<Uint8Array>;
  quote(key: TpmKey, qualifyingData: Uint8Array, selection: TpmlPcrSelection): Promise<Quote>;
  sign(key: TpmKey, data: Uint8Array): Promise<TpmtSignature>;
  activeBanks(): Promise<TpmlPcrSelection>;
  readPcrs(selection: TpmlPcrSelection): Promise<readonly PcrBank[]>;
  extend(pcr: number, digests: readonly BankDigest[]): Promise<void>;
  resetPcr(pcr: number): Promise<void>;
  nvReadPublic(nvIndex: number): Promise<TpmsNvPublic | undefined>;
  nvRead(nvIndex: number): Promise<Uint8Array | undefined>;
  nvDefine(hierarchy: number, publicInfo: TpmsNvPublic): Promise<void>;
  nvUndefine(hierarchy: number, nvIndex: number): Promise<void>;
  nvWrite(authHandle: number, nvIndex: number, content: Uint8Array): Promise<void>;
}

/** The transport stays the caller's: it closes it. */
export function createTpmClient(transport: TpmTransport, env: TpmEnv): TpmClient {
  const runner = createRunner(transport, env);
  const inTurn = createTurns();
  const turn = <T>(use: (tpm: TpmRunner) => Promise<T>): Promise<T> => inTurn(() => use(runner));
  return {
    turn,
    startUp: (options) => turn((tpm) => startUp(tpm, options)),
    shutDown: () => turn(shutDown),
    selfTest: (full) =>
      turn(async (tpm) => {
        await tpm.run(commands.SelfTest, { parameters: { fullTest: full ? 1 : 0 } });
      }),
    getRandom: (size) =>
      turn(async (tpm) => {
        const { response } = await tpm.run(commands.GetRandom, { parameters: { bytesRequested: size } });
        return response.randomBytes;
      }),
    readClock: () => turn(async (tpm) => (await tpm.run(commands.ReadClock, { parameters: {} })).response.currentTime),
    getCapability: (capability, property, propertyCount) =>
      turn(async (tpm) => {
        const parameters = { capability, property, propertyCount };
        return (await tpm.run(commands.GetCapability, { parameters })).response.capabilityData;
      }),
    handles: (type) => turn((tpm) => listHandles(tpm, type)),
    ensureEk: (kind) => turn((tpm) => ensureEk(tpm, kind)),
    ensureAik: (kind, ek) => turn((tpm) => ensureAik(tpm, kind, ek)),
    findAik: (kind) => turn((tpm) => findAik(tpm, kind)),
    readEkCertificate: (kind) => turn((tpm) => readEkCertificate(tpm, kind)),
    readEkChain: () => turn(readEkChain),
    readPublic: (handle) => turn((tpm) => readPublic(tpm, handle)),
    evict: (handle) => turn((tpm) => evict(tpm, handle)),
    activateCredential: (ek, aik, idObject, encSecret) =>
      turn((tpm) => activateCredential(tpm, ek, aik, idObject, encSecret)),
    quote: (key, qualifyingData, selection) => turn((tpm) => quote(tpm, key, qualifyingData, selection)),
    sign: (key, data) => turn((tpm) => signData(tpm, key, data)),
    activeBanks: () => turn(activeBanks),
    readPcrs: (selection) => turn((tpm) => readPcrs(tpm, selection)),
    extend: (pcr, digests) => turn((tpm) => extendPcr(tpm, pcr, digests)),
    resetPcr: (pcr) => turn((tpm) => resetPcr(tpm, pcr)),
    nvReadPublic: (nvIndex) => turn((tpm) => nvReadPublic(tpm, nvIndex)),
    nvRead: (nvIndex) => turn((tpm) => nvRead(tpm, nvIndex)),
    nvDefine: (hierarchy, publicInfo) => turn((tpm) => nvDefine(tpm, hierarchy, publicInfo)),
    nvUndefine: (hierarchy, nvIndex) => turn((tpm) => nvUndefine(tpm, hierarchy, nvIndex)),
    nvWrite: (authHandle, nvIndex, content) => turn((tpm) => nvWrite(tpm, authHandle, nvIndex, content)),
  };
}

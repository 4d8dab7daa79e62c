import assert from "node:assert/strict";
import { decode, encode } from "../../../../../shared/bytes/index.ts";
import {
  TpmaSessionBit as Bit,
  type CommandSpec,
  commands,
  nameOfHandle,
  nameOfNv,
  type TpmResponse,
  TpmRh,
  type TpmsAuthCommand,
} from "../../../../../shared/tpm/index.ts";
import {
  CALLER,
  type LiveSession,
  openAnswer,
  type SessionCommand,
  sessionKey,
  signedCommand,
  type Use,
} from "./live-session.ts";
import { type Side, story, type Twins } from "./twins.ts";

const NONE = new Uint8Array(0);
const INDEX = 0x01000001;
const AUTH = Uint8Array.of(0xaa, 0xbb);
const PASSWORD: TpmsAuthCommand = { sessionHandle: TpmRh.PW, nonce: NONE, sessionAttributes: 0, hmac: NONE };
const PUBLIC = { nvIndex: INDEX, nameAlg: 0x0b, attributes: 0x02060006, authPolicy: NONE, dataSize: 16 };
const WRITTEN = { ...PUBLIC, attributes: 0x22060006 };
const CONTINUE = Bit.CONTINUE_SESSION;

type Sessions = Map<Side, LiveSession>;
const of = (sessions: Sessions, side: Side) => sessions.get(side) ?? assert.fail(`${side.name} has no session`);

const SYMMETRIC = {
  aes: { algorithm: 0x06, keyBits: 128, mode: 0x43 },
  xor: { algorithm: 0x0a, hashAlg: 0x0b },
  none: { algorithm: 0x10 },
} as const;

async function start(tpm: Twins, symmetric: LiveSession["symmetric"], bind?: Uint8Array): Promise<Sessions> {
  const parameters = {
    nonceCaller: CALLER,
    encryptedSalt: NONE,
    sessionType: 0,
    symmetric: SYMMETRIC[symmetric],
    authHash: 0x0b,
  } as const;
  const handles = [TpmRh.NULL, bind === undefined ? TpmRh.NULL : INDEX].map((handle) => ({ handle, name: NONE }));
  const command = {
    code: commands.StartAuthSession.code,
    handles,
    parameters: encode(commands.StartAuthSession.parameters, parameters),
    uses: [],
  };
  const sessions: Sessions = new Map();
  await both(
    tpm,
    `start ${symmetric}`,
    commands.StartAuthSession,
    () => command,
    {},
    (side, { handles, parameters }) => {
      const { nonceTPM } = decode(commands.StartAuthSession.response, parameters);
      const key = bind === undefined ? NONE : sessionKey("sha256", bind, nonceTPM);
      sessions.set(side, { handle: handles[0] ?? 0, hash: "sha256", key, symmetric, nonceTpm: nonceTPM });
    },
  );
  return sessions;
}

/** One command to both; where it is good, both answers are opened and `look`ed at. */
async function both<P, R>(
  tpm: Twins,
  name: string,
  spec: CommandSpec<P, R>,
  build: (side: Side) => SessionCommand,
  options: { readonly code?: true; readonly newAuth?: Uint8Array } = {},
  look: (side: Side, response: TpmResponse) => void = () => undefined,
): Promise<number> {
  const built = new Map(tpm.sides.map((side) => [side.name, build(side)]));
  const answers = new Map<string, Uint8Array>();
  const made = (side: Side) => built.get(side.name) ?? assert.fail();
  const { newAuth, ...rest } = options;
  const rc = await tpm.send(name, (side) => signedCommand(made(side)), { ...rest, answers });
  if (rc !== 0) return rc;
  for (const side of tpm.sides) {
    const answer = answers.get(side.name) ?? assert.fail();
    look(side, openAnswer(made(side), answer, spec.responseHandles, newAuth));
  }
  return rc;
}

const index = { handle: INDEX, name: NONE };
const named = (publicArea: typeof PUBLIC) => ({ ...index, name: nameOfNv(publicArea) });
const owner = { handle: TpmRh.OWNER, name: nameOfHandle(TpmRh.OWNER) };

/** Writes and reads the index in the sessions, with these attributes of the first and the second. */
async function writeAndRead(
  tpm: Twins,
  label: string,
  uses: (side: Side, attributes: readonly [number, number]) => SessionCommand["uses"],
): Promise<void> {
  const data = new Uint8Array(8).fill(label.length);
  const write = encode(commands.NV_Write.parameters, { data, offset: 4 });
  const read = encode(commands.NV_Read.parameters, { size: 8, offset: 4 });
  const handles = [named(WRITTEN), named(WRITTEN)];
  await both(tpm, `${label}: write`, commands.NV_Write, (side) => {
    return { code: commands.NV_Write.code, handles, parameters: write, uses: uses(side, [Bit.DECRYPT, 0]) };
  });
  await both(
    tpm,
    `${label}: read`,
    commands.NV_Read,
    (side) => ({ code: commands.NV_Read.code, handles, parameters: read, uses: uses(side, [0, Bit.ENCRYPT]) }),
    {},
    (side, { parameters }) => {
      assert.deepEqual(decode(commands.NV_Read.response, parameters).data, data, `${label}: ${side.name}`);
    },
  );
}

story("emulator and swtpm: encrypted parameters", async (tpm) => {
  const define = encode(commands.NV_DefineSpace.parameters, { auth: AUTH, publicInfo: PUBLIC });
  const aes = await start(tpm, "aes");
  await both(tpm, "define with an encrypted authValue", commands.NV_DefineSpace, (side) => {
    const use: Use = { session: of(aes, side), attributes: CONTINUE | Bit.DECRYPT };
    return { code: commands.NV_DefineSpace.code, handles: [owner], parameters: define, uses: [use] };
  });
  const handles = [named(PUBLIC), named(PUBLIC)];
  const first = encode(commands.NV_Write.parameters, { data: new Uint8Array(16).fill(1), offset: 0 });
  await both(tpm, "write", commands.NV_Write, () => {
    return { code: commands.NV_Write.code, handles, parameters: first, uses: [{ ...PASSWORD, hmac: AUTH }] };
  });
  const xor = await start(tpm, "xor");
  for (const [label, sessions] of [
    ["AES", aes],
    ["XOR", xor],
  ] as const) {
    await writeAndRead(tpm, `${label}, authorizing`, (side, [decrypt, encrypt]) => {
      return [{ session: of(sessions, side), attributes: CONTINUE | decrypt | encrypt, auth: AUTH }];
    });
    await writeAndRead(tpm, `${label}, beside a password`, (side, [decrypt, encrypt]) => {
      const use = { session: of(sessions, side), attributes: CONTINUE | decrypt | encrypt };
      return [{ ...PASSWORD, hmac: AUTH }, use];
    });
  }
  await writeAndRead(tpm, "one authorizes, the other encrypts", (side, [decrypt, encrypt]) => {
    const use = { session: of(aes, side), attributes: CONTINUE | decrypt | encrypt };
    return [{ session: of(xor, side), attributes: CONTINUE, auth: AUTH }, use];
  });
  const bound = await start(tpm, "aes", AUTH);
  await writeAndRead(tpm, "bound", (side, [decrypt, encrypt]) => {
    return [{ session: of(bound, side), attributes: CONTINUE | decrypt | encrypt, encryptionAuth: AUTH }];
  });
  const random = encode(commands.GetRandom.parameters, { bytesRequested: 8 });
  for (const [label, attributes] of Object.entries({
    "encrypts what is random": CONTINUE | Bit.ENCRYPT,
    "nothing to decrypt": CONTINUE | Bit.DECRYPT,
    "does nothing": CONTINUE,
    "ends, and encrypts": Bit.ENCRYPT,
  })) {
    await both(tpm, label, commands.GetRandom, (side) => {
      const uses = [{ session: of(bound, side), attributes }];
      return { code: commands.GetRandom.code, handles: [], parameters: random, uses };
    });
  }
  const plain = await start(tpm, "none");
  await both(tpm, "without an algorithm", commands.GetRandom, (side) => {
    const uses = [{ session: of(plain, side), attributes: CONTINUE | Bit.ENCRYPT }];
    return { code: commands.GetRandom.code, handles: [], parameters: random, uses };
  });
  await both(tpm, "two that encrypt", commands.GetRandom, (side) => {
    const uses = [aes, xor].map((sessions) => ({ session: of(sessions, side), attributes: CONTINUE | Bit.ENCRYPT }));
    return { code: commands.GetRandom.code, handles: [], parameters: random, uses };
  });
  await tpm.send("a parameter that is not all there", (side) => {
    const parameters = new Uint8Array([0, 2, 1, 2, 0, 11, 0x40, 0, 0, 7]);
    const uses = [{ session: of(aes, side), attributes: CONTINUE | Bit.DECRYPT }];
    const bytes = signedCommand({ code: commands.Hash.code, handles: [], parameters, uses });
    return bytes.map((byte, i) => (i === bytes.length - 9 ? 0x20 : byte));
  });
  await both(tpm, "read public, encrypted", commands.NV_ReadPublic, (side) => {
    const uses = [{ session: of(aes, side), attributes: CONTINUE | Bit.ENCRYPT }];
    return { code: commands.NV_ReadPublic.code, handles: [named(WRITTEN)], parameters: NONE, uses };
  });
});

story("emulator and swtpm: audit sessions", async (tpm) => {
  const one = await start(tpm, "none");
  const two = await start(tpm, "aes");
  const read = encode(commands.GetRandom.parameters, { bytesRequested: 8 });
  const seen = new Map<string, number>();
  const audited = async (label: string, sessions: Sessions, attributes: number) => {
    await both(
      tpm,
      label,
      commands.GetRandom,
      (side) => {
        const uses = [{ session: of(sessions, side), attributes: CONTINUE | Bit.AUDIT | attributes }];
        return { code: commands.GetRandom.code, handles: [], parameters: read, uses };
      },
      {},
      (side, { sessions: [got] }) => seen.set(side.name, got?.sessionAttributes ?? 0),
    );
    assert.equal(seen.get("emulator"), seen.get("swtpm"), label);
  };
  await audited("first", one, 0);
  await audited("exclusive", one, Bit.AUDIT_EXCLUSIVE);
  await tpm.step("another command", "GetRandom", "0008");
  await audited("not exclusive any longer", one, 0);
  await audited("but wants to be", one, Bit.AUDIT_EXCLUSIVE);
  await audited("reset", one, Bit.AUDIT_RESET);
  await audited("exclusive again", one, Bit.AUDIT_EXCLUSIVE);
  await tpm.step("a command that takes no session", "FlushContext", "80000000");
  await audited("still exclusive", one, Bit.AUDIT_EXCLUSIVE);
  await audited("a second one", two, Bit.ENCRYPT);
  await audited("takes it away", one, 0);
  await both(tpm, "two that audit", commands.GetRandom, (side) => {
    const uses = [one, two].map((sessions) => ({ session: of(sessions, side), attributes: CONTINUE | Bit.AUDIT }));
    return { code: commands.GetRandom.code, handles: [], parameters: read, uses };
  });
  await both(tpm, "where no session may be", commands.ReadClock, (side) => {
    const uses = [{ session: of(one, side), attributes: CONTINUE | Bit.AUDIT }];
    return { code: commands.ReadClock.code, handles: [], parameters: NONE, uses };
  });
});

import { TpmaNvBit as Bit } from "../../../../../shared/tpm/index.ts";
import { story, type Twins } from "./twins.ts";

const OWNER = "40000001";
const PLATFORM = "4000000c";
const ORDINARY = Bit.AUTHREAD | Bit.AUTHWRITE | Bit.OWNERREAD | Bit.OWNERWRITE | Bit.NO_DA;

interface Index {
  readonly at: string;
  readonly attributes: number;
  readonly size: number;
  readonly alg?: string;
  readonly policy?: string;
}

function publicArea({ at, attributes, size, alg = "000b", policy = "" }: Index): string {
  const word = (value: number, digits: number) => (value >>> 0).toString(16).padStart(digits, "0");
  const area = `${at}${alg}${word(attributes, 8)}${word(policy.length / 2, 4)}${policy}${word(size, 4)}`;
  return `2b:${area}`;
}

const define = (tpm: Twins, name: string, index: Index, by = OWNER, auth = "0000", password = "pw") =>
  tpm.step(`define: ${name}`, "NV_DefineSpace", `${by} ${password} ${auth} ${publicArea(index)}`, { bytes: true });

story("emulator and swtpm: NV definitions", async (tpm) => {
  const index = { at: "01000002", attributes: ORDINARY, size: 10 };
  await define(tpm, "ordinary", { ...index, at: "01000001", size: 100 });
  await define(tpm, "twice", { ...index, at: "01000001", size: 100 });
  await define(tpm, "nobody may write", { ...index, attributes: Bit.NO_DA | Bit.AUTHREAD });
  await define(tpm, "nobody may read", { ...index, attributes: Bit.NO_DA | Bit.AUTHWRITE });
  for (const bit of ["WRITTEN", "WRITELOCKED", "READLOCKED", "PLATFORMCREATE", "POLICY_DELETE"] as const) {
    await define(tpm, `by the owner with ${bit}`, { ...index, attributes: ORDINARY | Bit[bit] });
  }
  await define(tpm, "by the platform without PLATFORMCREATE", index, PLATFORM);
  await define(tpm, "2048 bytes", { ...index, size: 2048 });
  await define(tpm, "2049 bytes", { ...index, at: "01000010", size: 2049 });
  await define(tpm, "no bytes", { ...index, at: "01000003", size: 0 });
  await define(tpm, "NULL algorithm", { ...index, at: "01000010", alg: "0010" });
  await define(tpm, "unknown algorithm", { ...index, at: "01000010", alg: "0012" });
  await define(tpm, "no index", { ...index, at: "81000004" });
  await define(tpm, "reserved bit 8", { ...index, at: "01000010", attributes: ORDINARY | 0x100 });
  await define(tpm, "reserved bit 20", { ...index, at: "01000010", attributes: ORDINARY | 0x100000 });
  for (const type of [3, 5, 6, 7, 10, 15]) {
    await define(tpm, `type ${type}`, { ...index, at: "01000010", attributes: ORDINARY | (type << 4) });
  }
  await define(tpm, "counter of 10 bytes", { ...index, at: "01000010", attributes: ORDINARY | 0x10 });
  await define(tpm, "counter", { ...index, at: "01000004", attributes: ORDINARY | 0x10, size: 8 });
  await define(tpm, "bits", { ...index, at: "01000005", attributes: ORDINARY | 0x20, size: 8 });
  await define(tpm, "extend", { ...index, at: "01000006", attributes: ORDINARY | 0x40, size: 32 });
  await define(tpm, "extend of 31 bytes", { ...index, at: "01000010", attributes: ORDINARY | 0x40, size: 31 });
  await define(tpm, "counter that clears", {
    ...index,
    at: "01000010",
    attributes: ORDINARY | Bit.CLEAR_STCLEAR | 0x10,
    size: 8,
  });
  await define(tpm, "policy of 3 bytes", { ...index, at: "01000010", policy: "aabbcc" });
  await define(tpm, "with a policy", {
    ...index,
    at: "01000007",
    attributes: Bit.POLICYREAD | Bit.POLICYWRITE | Bit.NO_DA,
    policy: "11".repeat(32),
  });
  await define(tpm, "password of 33 bytes", { ...index, at: "01000010" }, OWNER, "2b:11*33");
  await define(tpm, "password with zeros behind it", { ...index, at: "01000008" }, OWNER, "0024 11*3 00*33");
  await define(tpm, "by the endorsement hierarchy", { ...index, at: "01000010" }, "4000000b");
  await define(tpm, "with a wrong password", { ...index, at: "01000010" }, OWNER, "0000", "pw:aa");
  await define(
    tpm,
    "with DA protection",
    { ...index, at: "01000009", attributes: ORDINARY & ~Bit.NO_DA },
    OWNER,
    "2b:aabb",
  );
  const platformOnly = Bit.PLATFORMCREATE | Bit.PPWRITE | Bit.PPREAD | Bit.AUTHREAD | Bit.NO_DA | Bit.WRITEDEFINE;
  await define(tpm, "as a vendor", { at: "01c00002", attributes: platformOnly, size: 1000 }, PLATFORM);
  await tpm.step("public area cut", "NV_DefineSpace", `${OWNER} pw 0000 000e 01000010`);
  await tpm.step(
    "public area too long",
    "NV_DefineSpace",
    `${OWNER} pw 0000 0010 01000010 000b 02060006 0000 000a 0000`,
  );
  await tpm.step("no public area", "NV_DefineSpace", `${OWNER} pw 0000 0000`);
  await tpm.step("handles", "GetCapability", "00000001 01000000 00000020", { bytes: true });
  await tpm.step("handles from the middle", "GetCapability", "00000001 01000005 00000002", { bytes: true });

  const read = (name: string, body: string) => tpm.step(`read: ${name}`, "NV_Read", body, { bytes: true });
  const write = (name: string, body: string) => tpm.step(`write: ${name}`, "NV_Write", body, { bytes: true });
  await read("never written", "01000001 01000001 pw 000a 0000");
  await write("some", "01000001 01000001 pw 2b:aabbcc 0005");
  await read("what was not written is erased", "01000001 01000001 pw 000a 0000");
  await read("as the owner", `${OWNER} 01000001 pw 000a 0005`);
  await read("as the platform", `${PLATFORM} 01000001 pw 000a 0000`);
  await read("with another index", "01000005 01000001 pw 000a 0000");
  await read("with the endorsement hierarchy", "4000000b 01000001 pw 000a 0000");
  await read("beyond the end", "01000001 01000001 pw 000a 005f");
  await read("from beyond the end", "01000001 01000001 pw 0000 0065");
  await read("nothing at the end", "01000001 01000001 pw 0000 0064");
  await read("no such index", "01000099 01000099 pw 000a 0000");
  await read("no such index, as the owner", `${OWNER} 01000099 pw 000a 0000`);
  await read("1025 bytes", "01000002 01000002 pw 0401 0000");
  await read("1025 bytes of a short index", "01000001 01000001 pw 0401 0000");
  await read("wrong password", "01000001 01000001 pw:aa 0001 0000");
  await read("missing password", "01000008 01000008 pw 0001 0000");
  await read("by password where a policy belongs", "01000007 01000007 pw 0001 0000");
  await read("as the owner where nobody said so", `${OWNER} 01000007 pw 0001 0000`);
  await write("with a password", "01000008 01000008 pw:111111 2b:aa 0000");
  await write("beyond the end", "01000001 01000001 pw 2b:aabbcc 0062");
  await write("from beyond the end", "01000001 01000001 pw 2b:aabbcc 0065");
  await write("with the endorsement hierarchy", "4000000b 01000001 pw 2b:aabbcc 0000");
  await write("more than there is", "01000001 01000001 pw 2b:aa*101 0000");
  await write("1025 bytes", "01000002 01000002 pw 2b:aa*1025 0000");
  await write("a counter", "01000004 01000004 pw 2b:aa*8 0000");
  await write("nothing", "01000002 01000002 pw 0000 0000");
  await write("as a vendor", `${PLATFORM} 01c00002 pw 2b:30*1000 0000`);
  await write("a vendor's index with its password", "01c00002 01c00002 pw 2b:30 0000");
  await write("a vendor's index as the owner", `${OWNER} 01c00002 pw 2b:30 0000`);
  await read("a vendor's index with its password", "01c00002 01c00002 pw 0010 03d8");
  await read("a vendor's index as the owner", `${OWNER} 01c00002 pw 0010 03d8`);
  for (const at of ["01000001", "01000002", "01000007", "01c00002", "01000099", "81000001"]) {
    await tpm.step(`public area of ${at}`, "NV_ReadPublic", at, { bytes: true });
  }
  const undefine = (name: string, body: string) =>
    tpm.step(`undefine: ${name}`, "NV_UndefineSpace", body, { bytes: true });
  await undefine("a vendor's as the owner", `${OWNER} 01c00002 pw`);
  await undefine("with the index itself", "01000001 01000001 pw");
  await undefine("as the owner", `${OWNER} 01000001 pw`);
  await undefine("again", `${OWNER} 01000001 pw`);
  await undefine("the owner's as the platform", `${PLATFORM} 01000002 pw`);
  await undefine("a vendor's", `${PLATFORM} 01c00002 pw`);
  await tpm.step("handles at the end", "GetCapability", "00000001 01000000 00000020", { bytes: true });
});

const ORDERLY = [
  { at: "01000001", type: 0, size: 8, change: "NV_Write", parameters: "2b:11*8 0000" },
  { at: "01000002", type: 0x10, size: 8, change: "NV_Increment", parameters: "" },
  { at: "01000003", type: 0x20, size: 8, change: "NV_SetBits", parameters: "0000000000000001" },
  { at: "01000004", type: 0x40, size: 32, change: "NV_Extend", parameters: "2b:11" },
] as const;
type OrderlyIndex = (typeof ORDERLY)[number];

const change = (tpm: Twins, name: string, { at, change: command, parameters }: OrderlyIndex) =>
  tpm.step(`${name}: ${command}`, command, `${at} ${at} pw ${parameters}`);

/** A cycle that ends by a cut after `before`, with what each index holds then. */
async function cut(tpm: Twins, name: string, start: "0000" | "0001", before: () => Promise<unknown>): Promise<void> {
  await before();
  await tpm.platform((platform) => platform.power("cut"));
  const rc = await tpm.step(`${name}: startup`, "Startup", start);
  if (rc !== 0) await tpm.step(`${name}: startup after all`, "Startup", "0000");
  for (const { at, size } of ORDERLY) {
    const body = `${at} ${at} pw ${size.toString(16).padStart(4, "0")} 0000`;
    await tpm.step(`${name}: read ${at}`, "NV_Read", body, { bytes: true });
  }
}

story("emulator and swtpm: orderly indices", async (tpm) => {
  for (const { at, type, size } of ORDERLY)
    await define(tpm, at, { at, attributes: ORDINARY | Bit.ORDERLY | type, size });
  const changeAll = async (name: string) => {
    for (const index of ORDERLY) await change(tpm, name, index);
  };
  const shutdown = (name: string, how: "0000" | "0001") => tpm.step(`${name}: shutdown`, "Shutdown", how);
  await cut(tpm, "never written", "0000", async () => undefined);
  await cut(tpm, "written", "0000", () => changeAll("written"));
  await cut(tpm, "nothing", "0000", async () => undefined);
  for (const [how, start] of [
    ["0000", "0000"],
    ["0001", "0001"],
    ["0001", "0000"],
  ] as const) {
    await cut(tpm, `shut down with ${how}, started with ${start}`, start, async () => {
      await changeAll("before shutdown");
      await shutdown("after changes", how);
    });
    for (const index of ORDERLY) {
      const name = `shut down with ${how} and written, started with ${start}`;
      await cut(tpm, name, start, async () => {
        await changeAll(name);
        await shutdown(name, how);
        await change(tpm, name, index);
      });
    }
  }
  await cut(tpm, "many counts", "0000", async () => {
    for (let i = 0; i < 300; i++) await tpm.step("count", "NV_Increment", "01000002 01000002 pw");
  });
  await cut(tpm, "definitions between", "0001", async () => {
    await shutdown("definitions", "0001");
    await tpm.step("undefine", "NV_UndefineSpace", "40000001 01000002 pw");
    await define(tpm, "again", { at: "01000002", attributes: ORDINARY | Bit.ORDERLY | 0x10, size: 8 });
  });
  await change(tpm, "goes on behind the deleted one", ORDERLY[1]);
  await tpm.step("its value", "NV_Read", "01000002 01000002 pw 0008 0000", { bytes: true });
});

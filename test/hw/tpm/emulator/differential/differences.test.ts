import { newHandle, story } from "./twins.ts";

const OWNER = "40000001";
const SENSITIVE = "0004 0000 0000";
const REST = "0000 00000000";

/** Each with both codes and a reason; what is not here is meant to be the same. */
story("emulator and swtpm: where they are known to differ", async (tpm) => {
  const primary = async (name: string, template: string, emulator: number, swtpm: number, because: string) => {
    const body = `${OWNER} pw ${SENSITIVE} 2b:${template.replace(/ /g, "")} ${REST}`;
    await tpm.step(name, "CreatePrimary", body, {
      differs: { emulator, swtpm, because },
      keep: { madeHandle: newHandle },
    });
    await tpm.step(`flush ${name}`, "FlushContext", "80000000", {
      differs: { emulator: emulator === 0 ? 0 : 0x1cb, swtpm: swtpm === 0 ? 0 : 0x1cb, because },
    });
  };
  const notHere = "the emulator has no keys of this kind";
  await primary("RSA 1024", "0001 000b 00030472 0000 0006 0080 0043 0010 0400 00000000 0000", 0x2c4, 0, notHere);
  await primary(
    "AES-256 storage key",
    "0023 000b 00030472 0000 0006 0100 0043 0010 0003 0010 0000 0000",
    0x2c4,
    0,
    notHere,
  );
  await primary(
    "AES-CBC storage key",
    "0023 000b 00030472 0000 0006 0080 0042 0010 0003 0010 0000 0000",
    0x2c9,
    0,
    "only CFB protects children",
  );
  await primary("ECDAA", "0023 000b 00050472 0000 0010 001a 000b 0000 0003 0010 0000 0000", 0x2d2, 0, notHere);
  await primary("symmetric key", "0025 000b 00060072 0000 0006 0080 0043 0000", 0x2ca, 0, notHere);
  const cut = "libtpms reads on behind the end of a sized structure before it looks at the size";
  await primary("template cut", "0023 000b 00030472 0000 0006 0080 0043 0010 0003", 0x2d5, 0x2cc, cut);
  const differs = (emulator: number, swtpm: number, because: string) => ({ differs: { emulator, swtpm, because } });
  const notImplemented = "only what this list of commands has is implemented";
  await tpm.step("StirRandom", "StirRandom", "2b:616263", differs(0x143, 0, notImplemented));
  await tpm.step("policy session", "StartAuthSession", "40000007 40000007 2b:11*16 0000 01 0010 000b", {
    keep: { pHandle: newHandle },
  });
  await tpm.step(
    "policy for a command that is not here",
    "PolicyCommandCode",
    "{pHandle} 00000146",
    differs(0x1e4, 0, notImplemented),
  );
  await tpm.step("AES-256 session", "StartAuthSession", "40000007 40000007 2b:11*16 0000 00 0006 0100 0043 000b", {
    ...differs(0x4c4, 0, "sessions encrypt with AES-128"),
  });
  await tpm.step("PIN index", "NV_DefineSpace", "40000001 pw 0000 2b:01000001000b0204008900000008", {
    ...differs(0x2c2, 0, "the emulator has no PIN indices"),
  });
  await tpm.step("authenticated timers", "GetCapability", "0000000a 40000110 00000001", {
    ...differs(0x1c4, 0, "the emulator has no authenticated countdown timers"),
  });
});

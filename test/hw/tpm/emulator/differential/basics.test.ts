import { story } from "./twins.ts";

story("emulator and swtpm: headers, handles, authorization areas", async (tpm) => {
  const onlyEmulator = "the standard's TPM_RC_BAD_TAG with its own tag; libtpms answers TPM_RC_VALUE";
  await tpm.raw("bad tag", "8003 0000000a 00000181", {
    differs: { emulator: 0x01e, swtpm: 0x084, because: onlyEmulator },
  });
  await tpm.raw("size too large", "8001 0000000b 00000181");
  await tpm.raw("size too small", "8001 00000009 00000181");
  await tpm.raw("unknown command", "8001 0000000a 0000019f");
  await tpm.raw("reserved bits in the code", "8001 0000000a 20000181");
  await tpm.step("startup again", "Startup", "0000");
  await tpm.step("trailing byte", "GetRandom", "0010 00");
  await tpm.step("parameter cut", "GetRandom", "00");
  await tpm.raw("sessions without an area", "8002 0000000c 0000017b 0010");
  await tpm.raw("area of 4 bytes", "8002 00000010 0000017b 00000004 0010");
  await tpm.step("sessions where none are allowed", "FlushContext", "pw 80000000");
  await tpm.step("sessions where none are allowed: clock", "ReadClock", "pw");
  await tpm.step("a password for no handle", "GetRandom", "pw 0010");
  await tpm.step("no handle", "ReadPublic", "");
  await tpm.step("half a handle", "ReadPublic", "8000");
  for (const handle of [
    "80000000",
    "40000001",
    "81000000",
    "8000ffff",
    "80ffffff",
    "01c00002",
    "02000000",
    "00000000",
  ]) {
    await tpm.step(`ReadPublic of ${handle}`, "ReadPublic", handle);
    await tpm.step(`FlushContext of ${handle}`, "FlushContext", handle);
    await tpm.step(`NV_ReadPublic of ${handle}`, "NV_ReadPublic", handle);
  }
  const digests = "00000001 000b 11*32";
  const areas: Readonly<Record<string, string>> = {
    "empty password": "00000009 40000009 0000 00 0000",
    "empty password, continued": "00000009 40000009 0000 01 0000",
    "area too small": "00000008 40000009 0000 00 0000",
    "area one too large": "0000000a 40000009 0000 00 0000",
    "area beyond the end": "00001000 40000009 0000 00 0000",
    "password with encrypt": "00000009 40000009 0000 40 0000",
    "password with audit": "00000009 40000009 0000 80 0000",
    "reserved attribute": "00000009 40000009 0000 08 0000",
    "password with nonce": "0000000a 40000009 0001 aa 00 0000",
    "wrong password": "0000000a 40000009 0000 00 0001 aa",
    "password of zeros": "0000000a 40000009 0000 00 0001 00",
    "password of 65 bytes": "0000004a 40000009 0000 00 0041 00*65",
    "two passwords": "00000012 40000009 0000 00 0000 40000009 0000 00 0000",
    "four passwords":
      "00000024 40000009 0000 00 0000 40000009 0000 00 0000 40000009 0000 00 0000 40000009 0000 00 0000",
    "policy session not loaded": "00000009 03000000 0000 00 0000",
    "HMAC session not loaded": "00000009 02000000 0000 00 0000",
    "second session not loaded": "00000012 40000009 0000 00 0000 03000000 0000 00 0000",
    "no session handle": "00000009 40000001 0000 00 0000",
    "object as session": "00000009 80000001 0000 00 0000",
  };
  for (const [name, area] of Object.entries(areas)) {
    const bytes = `00000010 ${area} ${digests}`;
    const size =
      bytes.replace(/(\w\w)\*(\d+)/g, (_, byte: string, n: string) => byte.repeat(Number(n))).replace(/ /g, "").length /
      2;
    await tpm.raw(name, `8002 ${(10 + size).toString(16).padStart(8, "0")} 00000182 ${bytes}`);
  }
  await tpm.step("no authorization", "PCR_Extend", `00000010 ${digests}`);
  await tpm.step("self test", "SelfTest", "01");
  await tpm.step("self test, bad flag", "SelfTest", "02");
  await tpm.step("random", "GetRandom", "0020");
  await tpm.step("random, none", "GetRandom", "0000");
  await tpm.step("random, more than a digest", "GetRandom", "0041");
});

story("emulator and swtpm: PCRs", async (tpm) => {
  const read = (selection: string) => tpm.step(`read ${selection}`, "PCR_Read", selection, { bytes: true });
  await read("00000001 000b 03 ffff00");
  await read("00000001 000b 03 0000ff");
  await read("00000001 000c 03 010082");
  for (let locality = 0; locality <= 4; locality++) {
    await tpm.platform((platform) => platform.setLocality(locality));
    for (let pcr = 0; pcr < 24; pcr++) {
      const handle = pcr.toString(16).padStart(8, "0");
      await tpm.step(
        `extend ${pcr} at ${locality}`,
        "PCR_Extend",
        `${handle} pw 00000001 000b ${(pcr + 32).toString(16)}*32`,
      );
      await tpm.step(`reset ${pcr} at ${locality}`, "PCR_Reset", `${handle} pw`);
      await tpm.step(`extend ${pcr} at ${locality} again`, "PCR_Extend", `${handle} pw 00000002 0004 aa*20 000b bb*32`);
      await tpm.step(`read ${pcr}`, "PCR_Read", "00000002 000b 03 808080 0004 03 010101", { bytes: true });
    }
  }
  await tpm.platform((platform) => platform.setLocality(0));
  for (const selection of ["000b 03 ff0000", "000b 03 00ff00", "000b 03 0000ff", "0004 03 ff0000", "0004 03 0000ff"])
    await read(`00000001 ${selection}`);
  await read("00000002 000b 03 0f0000 0004 03 ff0000");
  await read("00000000");
  for (const bad of [
    "00000001 000b 02 0100",
    "00000001 000b 04 01000000",
    "00000001 0012 03 010000",
    "00000001 0010 03 010000",
  ])
    await read(bad);
  for (const bad of ["00000001 000b 03", "00000001 000b 00", "00000011 00*102", "00000001 0000 03 010000"])
    await read(bad);
  const extend = (name: string, body: string) => tpm.step(name, "PCR_Extend", body);
  await extend("NULL is no PCR and no error", "40000007 pw 00000001 000b 11*32");
  await extend("PCR 24", "00000018 pw 00000001 000b 11*32");
  await extend("no digests", "00000010 pw 00000000");
  await extend("five digests", `00000010 pw 00000005 ${"000b 11*32 ".repeat(5)}`);
  await extend("four digests", `00000010 pw 00000004 ${"000b 11*32 ".repeat(4)}`);
  await extend("unknown algorithm", "00000010 pw 00000001 0012 11*32");
  await extend("NULL algorithm", "00000010 pw 00000001 0010 11*32");
  await extend("digest cut", "00000010 pw 00000001 000b 11*31");
  await extend("trailing byte", "00000010 pw 00000001 000b 11*32 00");
  await extend("no parameters", "00000010 pw");
  await read("00000001 000b 03 000001");
  await tpm.step("reset NULL", "PCR_Reset", "40000007 pw");
  await tpm.platform((platform) => platform.hashSequence(new Uint8Array(10_000).fill(0x5a)));
  await read("00000001 000b 03 00007e");
});

story("emulator and swtpm: hashing", async (tpm) => {
  const hash = (name: string, body: string) => tpm.step(name, "Hash", body, { bytes: true });
  await tpm.step("hash", "Hash", "2b:616263 000b 40000001");
  await hash("hash without a ticket", "2b:616263 000b 40000007");
  for (const alg of ["0004", "000c", "000d"]) await hash(`hash ${alg}`, `2b:616263 ${alg} 40000007`);
  await tpm.step("looks like an attestation", "Hash", "2b:ff544347 000b 40000001", { bytes: true });
  await tpm.step("begins like an attestation", "Hash", "2b:ff5443 000b 40000001");
  await hash("unknown hierarchy", "2b:616263 000b 40000009");
  await hash("lockout is no hierarchy", "2b:616263 000b 4000000a");
  await tpm.step("platform", "Hash", "2b:616263 000b 4000000c");
  await hash("NULL algorithm", "2b:616263 0010 40000001");
  await hash("unknown algorithm", "2b:616263 0012 40000001");
  await tpm.step("1024 bytes", "Hash", "2b:61*1024 000b 40000001");
  await hash("1025 bytes", "2b:61*1025 000b 40000001");
  await hash("data cut", "0010 616263");
  await hash("nothing", "");
  const start = (name: string, body: string) => tpm.step(name, "HashSequenceStart", body, { bytes: true });
  const update = (name: string, body: string) => tpm.step(name, "SequenceUpdate", body, { bytes: true });
  const complete = (name: string, body: string) => tpm.step(name, "SequenceComplete", body);
  await start("sequence", "0000 000b");
  await start("event sequence", "0000 0010");
  await start("password of 65 bytes", "2b:11*65 000b");
  await start("unknown algorithm", "0000 0012");
  await start("third", "2b:aabb 000b");
  await start("fourth", "0000 000b");
  await update("update", "80000000 pw 2b:616263");
  await update("wrong password", "80000000 pw:aa 2b:616263");
  await update("missing password", "80000002 pw 2b:616263");
  await update("password", "80000002 pw:aabb 2b:ff5443");
  await update("password with zeros", "80000002 pw:aabb00 2b:47");
  await update("1025 bytes", "80000000 pw 2b:61*1025");
  await tpm.step("sequences have no public area", "ReadPublic", "80000000");
  await tpm.step("nor do they sign", "Sign", "80000001 pw 0000 0010 8024 40000007 0000");
  await tpm.step("nor quote", "Quote", "80000001 pw 0000 0010 00000000");
  await tpm.step("nor have children", "Load", "80000001 pw 0000 0000");
  await tpm.step("nor become persistent", "EvictControl", "40000001 80000001 pw 81000000");
  await complete("event sequences end otherwise", "80000001 pw 0000 40000001");
  await complete("unknown hierarchy", "80000000 pw 0000 40000000");
  await complete("complete", "80000000 pw 2b:646566 40000001");
  await complete("complete again", "80000000 pw 0000 40000001");
  await tpm.step("no ticket for what looks like an attestation", "SequenceComplete", "80000002 pw:aabb 0000 40000001", {
    bytes: true,
  });
  await tpm.step("flush", "FlushContext", "80000001");
  await tpm.step("flush again", "FlushContext", "80000001");
});

/** tpm2-tools as the independent judge of what the TPM client and shared/tpm make. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createTpmClient, type TpmClient } from "../../attester/tpm/index.ts";
import { openSwtpm } from "../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../hw/tpm/swtpm-control.ts";
import { concat, decode, encode, toHex, u32be } from "../../shared/bytes/index.ts";
import {
  makeCredential,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  Tpm2bPublic,
  TpmAlg,
  TpmtSignature,
} from "../../shared/tpm/index.ts";
import { needs } from "../support/programs.ts";
import { seededRandom } from "../support/random.ts";
import { type Swtpm, startSwtpm } from "../support/swtpm.ts";

const run = promisify(execFile);
const random = seededRandom(1, "tpm2-tools");
const SELECTION = [{ hash: TpmAlg.SHA256, pcrSelect: 0x000600ff }];

/** The TPM2_MakeCredential tools write: u32 magic, u32 version 1, then TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. */
const credentialFile = (idObject: Uint8Array, encSecret: Uint8Array) =>
  concat(encode(u32be, 0xbadcc0de), encode(u32be, 1), idObject, encSecret);

describe("TPM against tpm2-tools", () => {
  let swtpm: Swtpm;
  let client: TpmClient;
  let directory: string;
  let close: () => Promise<void>;
  const file = (name: string) => join(directory, name);

  before(async function () {
    needs(this, "swtpm", "tpm2_checkquote", "tpm2_makecredential", "tpm2_readpublic");
    directory = mkdtempSync(join(tmpdir(), "fobnail-tools-"));
    swtpm = await startSwtpm();
    const transport = await openSwtpm(swtpm.data);
    const control = await openSwtpmControl(swtpm.control);
    client = createTpmClient(transport, { random, log: { write: () => undefined } });
    await client.startUp({ platform: control, own: true });
    close = async () => {
      await transport.close();
      await control.close();
      await swtpm.stop();
      rmSync(directory, { recursive: true });
    };
  });

  after(() => close?.());

  for (const kind of ["reference", "restricted-rsa", "restricted-ecc"] as const) {
    it(`tpm2_checkquote accepts a quote by the ${kind} AIK, and not with another nonce`, async () => {
      const ek = await client.ensureEk("rsa");
      const aik = await client.ensureAik(kind, ek);
      const nonce = random.bytes(32);
      const quote = await client.quote(aik, nonce, SELECTION);
      writeFileSync(file("aik.pub"), encode(Tpm2bPublic, aik.publicArea));
      writeFileSync(file("quote"), quote.quoted);
      writeFileSync(file("signature"), encode(TpmtSignature, quote.signature));
      const check = (qualification: string) =>
        run("tpm2_checkquote", [
          ...["-u", file("aik.pub"), "-m", file("quote"), "-s", file("signature")],
          ...["-g", "sha256", "-q", qualification],
        ]);
      await check(toHex(nonce));
      await assert.rejects(check(toHex(random.bytes(32))));
    });
  }

  it("a credential by tpm2_makecredential is activated by our client", async () => {
    const ek = await client.ensureEk("rsa");
    const aik = await client.ensureAik("restricted-rsa", ek);
    const secret = random.bytes(32);
    writeFileSync(file("ek.pub"), encode(Tpm2bPublic, ek.publicArea));
    writeFileSync(file("secret"), secret);
    await run("tpm2_makecredential", [
      ...["-T", "none", "-u", file("ek.pub"), "-s", file("secret"), "-n", toHex(aik.name), "-o", file("credential")],
    ]);
    const made = new Uint8Array(readFileSync(file("credential")));
    const idBytes = made.slice(8, 8 + 70);
    const encSecret = decode(Tpm2bEncryptedSecret, made.slice(8 + 70));
    const got = await client.activateCredential(ek, aik, decode(Tpm2bIdObject, idBytes), encSecret);
    assert.deepEqual(got, secret);
  });

  it("tpm2_activatecredential opens a credential of ours", async function () {
    needs(this, "tpm2_activatecredential", "tpm2_startauthsession", "tpm2_policysecret", "tpm2_flushcontext");
    const server = await startSwtpm({ sockets: "tcp", arguments: ["--flags", "not-need-init,startup-clear"] });
    assert.ok("port" in server.data);
    const transport = await openSwtpm(server.data);
    const tool = createTpmClient(transport, { random, log: { write: () => undefined } });
    const ek = await tool.ensureEk("rsa");
    const aik = await tool.ensureAik("restricted-ecc", ek);
    await transport.close(); // swtpm serves one client at a time
    const secret = random.bytes(32);
    const made = makeCredential(ek.publicArea, aik.name, secret, random) ?? assert.fail();
    writeFileSync(file("ours"), credentialFile(made.idObject, made.encSecret));
    const env = { ...process.env, TPM2TOOLS_TCTI: `swtpm:host=127.0.0.1,port=${server.data.port}` };
    const session = file("session");
    await run("tpm2_startauthsession", ["--policy-session", "-S", session], { env });
    await run("tpm2_policysecret", ["-S", session, "-c", "e"], { env });
    const handle = (key: { handle: number }) => `0x${key.handle.toString(16)}`;
    await run(
      "tpm2_activatecredential",
      [...["-c", handle(aik), "-C", handle(ek), "-i", file("ours"), "-o", file("opened"), "-P", `session:${session}`]],
      { env },
    );
    assert.deepEqual(new Uint8Array(readFileSync(file("opened"))), secret);
    await server.stop();
  });
});

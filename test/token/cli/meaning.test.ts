import assert from "node:assert/strict";
import { meaningOf, type Situation } from "../../../token/cli/meaning.ts";
import { NOTHING_TOLD, nextTold } from "../../../token/cli/told.ts";
import type { PlatformSummary, TokenEvent } from "../../../token/domain/events.ts";

const platform = (serialNumber: string): PlatformSummary => ({
  id: serialNumber.repeat(64).slice(0, 64),
  manufacturer: "PC Engines",
  productName: "apu2",
  serialNumber,
});
const [A, B] = [platform("a"), platform("b")];

const attested = (of: PlatformSummary): TokenEvent => ({ type: "attested", verdict: { trusted: true, platform: of } });
const failed = (of: PlatformSummary): TokenEvent => ({
  type: "attestation-failed",
  verdict: { trusted: false, reason: "pcr-mismatch", platform: of },
});
const explained = (of: PlatformSummary, pcrs: readonly number[]): TokenEvent => ({
  type: "attestation-explained",
  verdict: { trusted: false, reason: "pcr-mismatch", platform: of, pcrs },
});
const sessions = (count: number): TokenEvent => ({ type: "attested-sessions", count });

function meaning(events: readonly TokenEvent[], more: Partial<Situation> = {}): string {
  const told = events.reduce(nextTold, NOTHING_TOLD);
  return meaningOf({
    api: "v1",
    plugged: true,
    attached: true,
    provisioned: true,
    held: false,
    lamps: { green: false, red: false },
    verdictShows: false,
    told,
    nameOf: ({ id }) => (id === B.id ? "lab" : ""),
    ...more,
  });
}

describe("what the lamps mean, API v1", () => {
  it("nothing yet: unplugged, unprovisioned, idle, held", () => {
    assert.equal(meaning([], { plugged: false, attached: false }), "not plugged in");
    assert.equal(meaning([], { attached: false }), "waits for a computer");
    assert.equal(meaning([], { provisioned: false }), "not provisioned by an owner yet");
    assert.equal(meaning([]), "provisioned; nobody is attested");
    assert.equal(meaning([], { held: true }), "button held; ten seconds wipe the token");
    assert.equal(meaning([{ type: "wiped" }], { held: true, provisioned: false }), "wiped; not provisioned by an owner any more"); // biome-ignore format: one row
  });

  it("names who is attested, as its owner calls it, as far as that is certain", () => {
    for (const order of [
      [attested(A), sessions(1)],
      [sessions(1), attested(A)],
    ]) {
      assert.equal(meaning(order), "PC Engines apu2 a booted as recorded");
    }
    const both = [attested(A), sessions(1), attested(B), sessions(2)];
    assert.equal(meaning([attested(B), sessions(1)]), "lab (PC Engines apu2 b) booted as recorded");
    assert.equal(meaning(both), "attested: 2 sessions, the latest of lab (PC Engines apu2 b)");
    assert.equal(meaning([...both, sessions(1)]), "one computer booted as recorded");
    assert.equal(meaning([...both, attested(A), sessions(3), sessions(2)]), "attested: 2 sessions");
    assert.equal(meaning([...both, sessions(1), sessions(0)]), "provisioned; nobody is attested");
    assert.equal(meaning([...both, sessions(0), attested(A), sessions(1)]), "PC Engines apu2 a booted as recorded");
  });

  it("says why it is red while it is red, with the PCRs once they are explained, and who stays green", () => {
    const red = { verdictShows: true };
    assert.equal(meaning([failed(A)], red), "PC Engines apu2 a is not trusted: the PCRs are not as recorded");
    assert.equal(meaning([failed(A), explained(A, [4])], red), "PC Engines apu2 a is not trusted: the PCRs are not as recorded: PCR 4 differs"); // biome-ignore format: one row
    assert.match(meaning([failed(A), explained(A, [4, 17])], red), /: PCRs 4, 17 differ$/);
    assert.match(meaning([failed(A), explained(A, [0, 1, 3, 4, 5, 17, 18, 23])], red), /: PCRs 0, 1, 3-5, 17, 18, 23 differ$/); // biome-ignore format: one row
    assert.equal(
      meaning([attested(B), sessions(1), failed(A)], red),
      "PC Engines apu2 a is not trusted: the PCRs are not as recorded; still attested: lab (PC Engines apu2 b)",
    );
    assert.equal(meaning([failed(A)]), "provisioned; nobody is attested");
    const nobody: TokenEvent = { type: "attestation-failed", verdict: { trusted: false, reason: "nonce-mismatch" } };
    assert.equal(meaning([nobody], red), "not trusted: the quote answers another nonce");
  });

  it("tells the last news as long as nobody is attested", () => {
    const refused: TokenEvent = { type: "attestation-refused", reason: "unknown-platform" };
    assert.equal(meaning([refused]), "attestation refused: this platform is not enrolled; nobody is attested");
    assert.equal(meaning([refused, attested(A), sessions(1)]), "PC Engines apu2 a booted as recorded");
    assert.equal(meaning([{ type: "platform-refused", reason: "platform-known" }]), "platform not provisioned: this platform is already enrolled; nobody is attested"); // biome-ignore format: one row
    assert.equal(meaning([{ type: "platform-provisioned", platform: B }]), "lab (PC Engines apu2 b) is provisioned; nobody is attested"); // biome-ignore format: one row
    assert.equal(meaning([{ type: "platform-removed", platform: A }]), "PC Engines apu2 a is removed; nobody is attested"); // biome-ignore format: one row
    assert.equal(meaning([refused, { type: "detached" }, { type: "attached" }]), "attestation refused: this platform is not enrolled; nobody is attested"); // biome-ignore format: one row
  });
});

describe("what the lamps mean, API v0", () => {
  const v0 = (events: readonly TokenEvent[], more: Partial<Situation> = {}) => meaning(events, { api: "v0", ...more });

  it("is what it was", () => {
    assert.equal(v0([attested(B)], { verdictShows: true }), "PC Engines apu2 b booted as recorded");
    assert.equal(v0([failed(A)], { verdictShows: true }), "not trusted: the PCRs are not as recorded");
    assert.equal(v0([failed(A)]), "provisioned; no attestation now");
    assert.equal(v0([{ type: "platform-refused", reason: "ek-chain" }]), "this computer could not be provisioned; the token tries again"); // biome-ignore format: one row
    assert.equal(v0([{ type: "token-provisioned", deviceId: "1" }]), "provisioned by its owner; provisioning this computer"); // biome-ignore format: one row
  });
});

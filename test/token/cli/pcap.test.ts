import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes } from "../../support/process.ts";
import { needs } from "../../support/programs.ts";

/** Captures of the links of one machine; those of USB/IP, usbredir and TAP are looked at where these are tried. */
describe("fobnail token --pcap", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-pcap-"));
  before(function () {
    needs(this, "tshark");
  });
  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A CoAP ping and its RST over a token's link, which then ends so. */
  async function capture(net: "usb" | "udp", signal: NodeJS.Signals) {
    const file = join(folder, `${net}-${signal}.pcapng`);
    const args = ["--net", net, "--port", "0", "--pcap", file, "--state", join(folder, net)];
    const token = processes.start(["token", ...args]);
    const [, port] = await token.line(/Listening on 127\.0\.0\.1:(\d+) \(UDP\)$/);
    await token.line(/Link is up$/);
    const socket = createSocket("udp4");
    socket.send(Uint8Array.of(0x40, 0, 0x12, 0x34), Number(port), "127.0.0.1");
    await once(socket, "message");
    socket.close();
    const ending = await token.kill(signal);
    assert.ok(ending === 0 || ending === signal);
    return { file, port };
  }

  type Captured = Awaited<ReturnType<typeof capture>>;
  const rows = ({ file, port }: Captured, filter: string, ...fields: readonly string[]) => {
    const args = [
      "-n",
      "-d",
      `udp.port==${port},coap`,
      "-r",
      file,
      "-Y",
      filter,
      "-T",
      "fields",
      ...fields.flatMap((field) => ["-e", field]),
    ];
    const text = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.split("\n").filter((line) => line !== "");
  };
  const PING = ["frame.packet_flags_direction", "ip.src", "coap.type", "coap.mid"];

  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    it(`--net usb: frames and transfers of the stick, also after ${signal}`, async () => {
      const captured = await capture("usb", signal);
      assert.deepEqual(rows(captured, "arp", "arp.opcode"), ["1", "2"]);
      assert.deepEqual(rows(captured, "coap", ...PING), [
        "0x00000001\t169.254.0.8\t0\t4660",
        "0x00000002\t169.254.0.1\t3\t4660",
      ]);
      assert.equal(rows(captured, 'frame.comment contains "SET_CONFIGURATION(1): done"', "frame.number").length, 1);
    });

    it(`--net udp: datagrams as IP packets, also after ${signal}`, async () => {
      const captured = await capture("udp", signal);
      assert.deepEqual(rows(captured, "coap", ...PING), [
        "0x00000001\t127.0.0.1\t0\t4660",
        "0x00000002\t127.0.0.1\t3\t4660",
      ]);
      assert.deepEqual(rows(captured, "frame", "frame.interface_name"), ["udp", "udp"]);
    });
  }
});

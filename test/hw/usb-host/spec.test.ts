import assert from "node:assert/strict";
import { chooseStick, describeStick, parseUsbSpec, UsbSpecError } from "../../../hw/usb-host/spec.ts";
import { type FoundStick, UsbHostError } from "../../../hw/usb-host/usb-host.ts";

const stick = (more: Partial<FoundStick> = {}): FoundStick => ({
  at: "1-1",
  vendorId: 0x1234,
  productId: 0x4321,
  manufacturer: "Fobnail",
  product: "Fobnail",
  serial: "TEST",
  state: "free",
  isToken: true,
  ...more,
});

describe("--usb", () => {
  it("means the only stick, one by its serial number, or one of USB/IP", () => {
    assert.deepEqual(parseUsbSpec(true), { kind: "local", serial: undefined });
    assert.deepEqual(parseUsbSpec(""), { kind: "local", serial: undefined });
    assert.deepEqual(parseUsbSpec("4711"), { kind: "local", serial: "4711" });
    assert.deepEqual(parseUsbSpec("1-2.4"), { kind: "local", serial: "1-2.4" });
    const usbip = (host: string, port: number, busid?: string) => ({ kind: "usbip", host, port, busid });
    assert.deepEqual(parseUsbSpec("usbip:127.0.0.1"), usbip("127.0.0.1", 3240));
    assert.deepEqual(parseUsbSpec("usbip:host.example:33/1-2"), usbip("host.example", 33, "1-2"));
    assert.deepEqual(parseUsbSpec("usbip:localhost/3-2.4"), usbip("localhost", 3240, "3-2.4"));
    assert.deepEqual(parseUsbSpec("usbip:[::1]:3241"), usbip("::1", 3241));
  });

  it("is refused where it is neither", () => {
    for (const text of ["usbip:", "usbip:/1-1", "usbip:h:0", "usbip:h:65536", "usbip:h:x", "usbip:h/", "usbip:::1"]) {
      assert.throws(() => parseUsbSpec(text), UsbSpecError, text);
    }
    for (const busid of ["1", "1-", "../1-1", "1-1 ", `1-1${".1".repeat(20)}`]) {
      assert.throws(() => parseUsbSpec(`usbip:h/${busid}`), /no bus id/, busid);
    }
  });
});

describe("choosing a stick", () => {
  const refusal = (sticks: readonly FoundStick[], serial?: string) => {
    try {
      chooseStick(sticks, serial);
    } catch (error) {
      assert.ok(error instanceof UsbHostError);
      return { reason: error.reason, message: error.message };
    }
    return assert.fail("chosen");
  };
  const second = stick({ at: "1-2", serial: "B", state: "kernel", driver: "cdc_eem" });

  it("takes the only token, or the named one", () => {
    const other = stick({ at: "1-9", isToken: false });
    assert.equal(chooseStick([other, stick()]).at, "1-1");
    assert.equal(chooseStick([stick(), second], "B").at, "1-2");
    assert.equal(chooseStick([stick(), second], "1-1").serial, "TEST");
  });

  it("says when there is none, and lists what there is", () => {
    assert.deepEqual(refusal([]), { reason: "none", message: "No Fobnail token is plugged in" });
    assert.deepEqual(refusal([stick({ isToken: false })], "A").reason, "none");
    assert.equal(
      refusal([stick(), second], "C").message,
      "No Fobnail token has the serial number C or is at that place; there is:\n" +
        "  1-1  1234:4321  Fobnail  serial TEST  free\n" +
        "  1-2  1234:4321  Fobnail  serial B  taken by the kernel's driver cdc_eem",
    );
  });

  it("lists several, and says how to name one", () => {
    const { reason, message } = refusal([stick(), second]);
    assert.equal(reason, "several");
    assert.match(message, /^2 sticks are plugged in; say which by its serial number, such as --usb TEST:\n {2}1-1 /);
    const same = refusal([stick(), stick({ at: "1-3" })], "TEST");
    assert.match(same.message, /^2 sticks have the serial number TEST; say which by its place, such as --usb 1-1:/);
    const { serial: _, ...first } = stick();
    assert.throws(
      () => chooseStick([first, { ...first, at: "1-2" }], undefined, "usbip:h:1/"),
      /^UsbHostError: 2 sticks are plugged in; say which by its place, such as --usb usbip:h:1\/1-1:\n/,
    );
  });

  it("describes what is not known by leaving it out", () => {
    assert.equal(
      describeStick({ at: "1-1", vendorId: 1, productId: 2, state: "unknown", isToken: false }),
      "1-1  0001:0002",
    );
    assert.match(describeStick(stick({ state: "claimed" })), /in use by a program$/);
  });

  it("shows what would steer the terminal, and obeys none of it", () => {
    const [esc, bell] = ["\u001b", "\u0007"];
    const evil = `${esc}]0;pwned${bell}${esc}[2J\n`;
    const seen = "\\x1b]0;pwned\\x07\\x1b[2J\\x0a";
    const hostile = stick({ at: evil, serial: evil, manufacturer: evil, state: "kernel", driver: evil });
    const [names, taken] = [`${seen} Fobnail`, `taken by the kernel's driver ${seen}`];
    assert.equal(describeStick(hostile), `${seen}  1234:4321  ${names}  serial ${seen}  ${taken}`);
    const { message } = refusal([hostile, stick()]);
    assert.ok(message.includes(`such as --usb ${seen}:\n  ${seen}`), message);
    assert.ok(refusal([hostile, hostile], evil).message.startsWith(`2 sticks have the serial number ${seen}; `));
    for (const sticks of [[], [hostile]]) {
      const { message: none } = refusal(sticks, `x${evil}`);
      assert.doesNotMatch(none, /[^\P{Cc}\n]/u);
      assert.ok(none.includes(`x${seen}`), none);
    }
  });
});

/** The guest's first file system: busybox, modules, and a script that brings it up and then does what it is told. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ArchiveEntry, archive } from "../../attester/cli/os/cpio.ts";
import { findPackages, type Say, unpacked } from "../../attester/cli/os/debian.ts";
import type { Kernel } from "../../attester/cli/os/kernel.ts";
import { concat, utf8 } from "../../shared/bytes/index.ts";

/** Loaded at the start. */
const START_MODULES = ["virtio_pci", "9p", "9pnet_virtio", "xhci_pci", "cdc_eem", "e1000"];
/** Loaded where USB/IP is tried: its eight host controllers take their time. */
export const USBIP_MODULES: readonly string[] = ["usbip_core", "vhci_hcd"];
export const GUEST_MODULES: readonly string[] = [...START_MODULES, ...USBIP_MODULES];

/**
 * The console is ttyS0, and ttyS1 is where commands come from: a line has a number and a script in base64, the answer has the
 * number, the exit code and the output in base64. /host is the machine that runs the virtual machine, read-only but for /run.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox mkdir -p /bin /proc /sys /dev /host /tmp
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order); do insmod /modules/$module.ko || echo "no module $module"; done
ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host0 /host || echo "@@ trouble no-host"
mount -o bind /dev /host/dev
mount -t proc proc /host/proc
mount -t sysfs sysfs /host/sys
mount -t tmpfs tmpfs /host/run
mkdir -p /host/run/home
. /functions
echo "@@ ready"
while read -r number script; do
  echo "$script" | base64 -d >/tmp/script
  (. /tmp/script) </dev/null >/tmp/output 2>&1
  echo "@@ $number $? $(base64 -w 0 /tmp/output)"
done
`;

/** What scripts may use. */
const FUNCTIONS = `
in_host="chroot /host /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home NO_COLOR=1"
# here COMMAND...: a program of the machine outside.
here() { $in_host "$@"; }
# start NAME COMMAND...: the same in the background; what it says is in /host/run/NAME.log.
start() {
  local name=$1; shift
  $in_host "$@" </dev/null >/host/run/$name.log 2>&1 &
  echo $! >/host/run/$name.pid
}
# end NAME SIGNAL: and waits for its end.
end() {
  local pid=$(cat /host/run/$1.pid)
  kill -$2 $pid 2>/dev/null
  wait_for 20 ended $pid
}
ended() { [ ! -e /proc/$1/exe ] || ! readlink /proc/$1/exe; }
# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local tries=$(($1 * 20)); shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || return 1
    sleep 0.05
  done
}
gone() { [ ! -e /sys/class/net/$1 ]; }
# said NAME PATTERN...: the words stand in its log.
said() { grep -q "$2" /host/run/$1.log; }
# interface_up NAME ADDRESS: waits for it.
interface_up() {
  wait_for 30 test -e /sys/class/net/$1 || { echo "no $1"; return 1; }
  ip address show $1 | grep -q " $2 " || ip address add $2 dev $1 || return 1
  ip link set $1 up
}
`;

/** Writes the archive to `file`. */
export async function makeInitramfs(kernel: Kernel, file: string, say: Say): Promise<void> {
  const [busybox] = await findPackages(["busybox-static"], say);
  if (busybox === undefined) throw new Error("no package busybox-static");
  const text = (path: string, content: string): ArchiveEntry => {
    return { kind: "file", path, data: utf8(content), executable: path === "init" };
  };
  const program = readFileSync(join(await unpacked(busybox), "bin", "busybox"));
  const order = kernel.modules(START_MODULES).map(({ name }) => name);
  const modules = kernel.modules(GUEST_MODULES).map((module): ArchiveEntry => {
    return { kind: "file", path: `modules/${module.name}.ko`, data: readFileSync(kernel.moduleFile(module)) };
  });
  const entries: readonly ArchiveEntry[] = [
    { kind: "file", path: "bin/busybox", data: program, executable: true },
    { kind: "link", path: "bin/sh", to: "busybox" },
    ...[text("init", INIT), text("functions", FUNCTIONS), text("modules/order", order.join("\n"))],
    ...modules,
  ];
  writeFileSync(file, concat(...archive(entries)));
}

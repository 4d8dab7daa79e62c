/** The first program of the small OS, and what stands on its kernel's command line. */

/** Where things are in the image. */
export const OS_PATHS = { node: "/usr/bin/node", package: "/opt/fobnail" } as const;

/**
 * Options are words of the kernel's command line, which is measured: `fobnail.NAME=VALUE`. docs/os.md lists them. The script never gives
 * a shell to anybody, and never ends: where it stops, the reason stays on the console.
 */
export const INIT = `#!/bin/busybox sh
/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin /proc /sys /dev /run /tmp /root /target
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NO_COLOR=1
set -f
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t securityfs securityfs /sys/kernel/security
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
exec </dev/console >/dev/console 2>&1
dmesg -n 4

say() { echo "fobnail-os: $*"; }
stop() {
  say "STOPPED: $*"
  while :; do sleep 3600; done
}
# option NAME DEFAULT
option() {
  local word value=$2
  for word in $(cat /proc/cmdline); do
    case $word in "fobnail.$1="*) value=\${word#*=} ;; esac
  done
  echo "$value"
}
# seconds NAME DEFAULT: an option that is a number, without leading zeros (they would make it octal), in $seconds.
seconds() {
  seconds=$(option "$1" "$2")
  case $seconds in '' | *[!0-9]* | ??????????*) stop "fobnail.$1=$seconds is no number of seconds" ;; esac
  seconds=\${seconds#"\${seconds%%[!0]*}"}
  seconds=\${seconds:-0}
}
# wait_for SECONDS COMMAND...: until it succeeds; 0 seconds is for ever.
wait_for() {
  local end=$(($(cut -d. -f1 /proc/uptime) + $1)) forever=$1; shift
  until "$@"; do
    [ $forever = 0 ] || [ $(cut -d. -f1 /proc/uptime) -lt $end ] || return 1
    sleep 0.2
    load_drivers
  done
}
# Those that the devices ask for; more devices may be behind them.
load_drivers() {
  local device
  find /sys/devices -name modalias -exec cat {} + 2>/dev/null | grep -E '^(acpi|mmc|pci|scsi|usb|virtio):' | sort -u >/run/devices
  cmp -s /run/devices /run/served && return
  cp /run/devices /run/served
  for device in $(cat /run/devices); do modprobe -q -b $device; done
}
# The interface of the stick: whatever cdc_eem drives.
stick() {
  local name
  for name in $(ls /sys/class/net); do
    [ "$(readlink /sys/class/net/$name/device/driver | sed 's|.*/||')" = cdc_eem ] && echo $name && return
  done
  return 1
}
has_address() { ip -4 address show dev "$1" | grep -q ' 169\\.254\\.0\\.8/16 '; }
# Whenever a stick is plugged in, it finds its computer.
serve_stick() {
  local name
  while :; do
    name=$(stick) && ! has_address $name && ip address add 169.254.0.8/16 dev $name && ip link set $name up &&
      say "the stick is $name, 169.254.0.8/16"
    sleep 0.2
  done
}
stick_is_up() { local name; name=$(stick) && has_address $name; }
find_target() {
  case $1 in
    /dev/*) [ -b "$1" ] && echo "$1" ;;
    *) findfs "$1" 2>/dev/null ;;
  esac
}
attester() { node ${OS_PATHS.package}/dist/attester/cli/main.js "$@"; }

mode=$(option mode gate)
say "fobnail $(cat /etc/fobnail-version), Linux $(uname -r), mode $mode"
say "command line: $(cat /proc/cmdline)"
ip link set lo up
for module in crc32c_generic ext4 vfat nls_cp437 nls_ascii cdc_eem; do modprobe -q $module; done
load_drivers
load_drivers
[ -c /dev/tpmrm0 ] || stop "this computer shows no TPM"

folder=/target
disk=$(option target)
if [ -n "$disk" ]; then
  wait_for 30 find_target "$disk" >/run/target || stop "there is no $disk"
  mount -o ro "$(cat /run/target)" /target || stop "$disk cannot be mounted"
  folder=/target/$(option folder fobnail)
  [ -d "$folder" ] || stop "$disk has no folder $(option folder fobnail)"
fi

set -- --key "$(option key rsa)"
[ "$(option aia off)" = on ] || set -- "$@" --no-aia
[ -f $folder/firmware.log ] && set -- "$@" --firmware-log $folder/firmware.log
[ -f $folder/drtm.log ] && set -- "$@" --drtm-log $folder/drtm.log
[ -f $folder/ek-chain.pem ] && set -- "$@" --ek-chain $folder/ek-chain.pem

seconds wait 0
serve_stick &
stick_is_up || say "waiting for the token ..."
wait_for $seconds stick_is_up || stop "no token was plugged in"

case $mode in
  attest)
    if attester attest "$@" >/run/said 2>&1; then verdict=green; else verdict=red; fi
    cat /run/said
    stop "$verdict: $(tail -n 1 /run/said)"
    ;;
  gate) ;;
  *) stop "there is no mode $mode" ;;
esac

[ -f $folder/vmlinuz ] || stop "no kernel to start: the folder of fobnail.target has no vmlinuz"
initrd= # not what the kernel passes on of its command line
[ -f $folder/initrd.img ] && initrd="--initrd $folder/initrd.img"
cmdline=
[ -f $folder/cmdline ] && cmdline=$(cat $folder/cmdline)
tell='echo "$FOBNAIL_REASON" >/run/reason; echo "$FOBNAIL_VERDICT ($FOBNAIL_REASON): $FOBNAIL_DETAIL" >/run/shut'
attester gate "$@" --timeout "$(option timeout 60)" --on-red "$tell" \\
  --kexec $folder/vmlinuz $initrd --cmdline "$cmdline"
case $(cat /run/reason),$(option enrol no) in
  unknown-platform,once | no-key,once)
    attester provision "$@" || stop "this computer was not enrolled"
    stop "this computer is enrolled: start it again"
    ;;
esac
stop "$(cat /run/shut || echo "the gate stays shut")"
`;

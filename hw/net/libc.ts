/** The few functions of the C library that Node has no name for. Loaded when first asked for: nobody else needs koffi. */
export interface Libc {
  /** `argument` is read and written in place. The error's name, such as EPERM; undefined when it went well. */
  ioctl(fd: number, request: number, argument: Uint8Array): string | undefined;
  /** A socket to ask the kernel about interfaces with: AF_INET, SOCK_DGRAM. The error's name otherwise. */
  controlSocket(): number | string;
  /** Bytes read; the error's name otherwise. */
  read(fd: number, into: Uint8Array): number | string;
  /** Waits in another thread until there is something to read, or something wrong, or `limitMs` went by. */
  readable(fd: number, limitMs: number): Promise<"readable" | "quiet" | "broken">;
}

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

// poll(2) of Linux
const POLLIN = 0x01;
const POLLERR = 0x08;
const POLLHUP = 0x10;
const POLLNVAL = 0x20;

let loaded: Promise<Libc> | undefined;

/** Rejects with a sentence where koffi or Linux is missing. */
export function openLibc(): Promise<Libc> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Libc> {
  if (process.platform !== "linux") throw new Error("this needs Linux");
  const { default: koffi } = await import("koffi").catch((cause: unknown) => {
    throw new Error(`this needs the package koffi, which cannot be loaded: ${String(cause)}`, { cause });
  });
  const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));
  const failed = (): string => names.get(koffi.errno()) ?? `errno ${koffi.errno()}`;
  const self = koffi.load(null);
  const ioctl: (fd: number, request: number, kind: string, argument: Uint8Array) => number = self.func("int ioctl(int fd, unsigned long request, ...)"); // biome-ignore format: as its neighbours
  const socket: (domain: number, type: number, protocol: number) => number = self.func("int socket(int domain, int type, int protocol)"); // biome-ignore format: one prototype
  const read: (fd: number, into: Uint8Array, size: number) => number = self.func("long read(int fd, uint8_t *into, size_t size)"); // biome-ignore format: one prototype
  const PollFd = koffi.struct({ fd: "int", events: "short", revents: "short" });
  const poll = self.func("poll", "int", [koffi.inout(koffi.pointer(PollFd)), "unsigned long", "int"]);

  return {
    ioctl: (fd, request, argument) => (ioctl(fd, request, "uint8_t *", argument) < 0 ? failed() : undefined),
    controlSocket() {
      const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      return fd < 0 ? failed() : fd;
    },
    read(fd, into) {
      const size = read(fd, into, into.byteLength);
      return size < 0 ? failed() : size;
    },
    readable(fd, limitMs) {
      const asked = [{ fd, events: POLLIN, revents: 0 }];
      return new Promise((resolve, reject) => {
        poll.async(asked, 1, limitMs, (error: Error | null, count: number) => {
          const revents = asked[0]?.revents ?? 0;
          if (error) reject(error);
          else if (count <= 0)
            resolve("quiet"); // also EINTR
          else resolve((revents & (POLLERR | POLLHUP | POLLNVAL)) === 0 ? "readable" : "broken");
        });
      });
    },
  };
}

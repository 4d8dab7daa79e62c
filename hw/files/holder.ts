import { readFileSync } from "node:fs";

/**
 * How a lock file names the process that holds it: by pid and start time. Pids come again, in a container that is started
 * again even to the same program, and nobody would then free the lock of a killed one.
 */
export function holderName(pid: number): string {
  return `${pid} ${startTimeOf(pid)}`;
}

/** The pid of the holder that a lock file names; undefined when that process is gone. */
export function livingHolder(name: string): number | undefined {
  const pid = Number.parseInt(name, 10);
  return pid > 0 && isAlive(pid) && holderName(pid) === name.trim() ? pid : undefined;
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; "-" where there is no such file. */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "-"; // the name in front may hold anything
  } catch {
    return "-"; // gone, or not Linux
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // it runs, under another user
  }
}

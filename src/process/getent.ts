// The system's own user lookup, in a child process: glibc's name service modules (LDAP, SSSD, systemd) may block for
// seconds and are foreign code that a root daemon had better not load. getent(1).
import { existsSync } from "node:fs";

/** Names of those that exist; null when the lookup itself failed. */
export type LookUp = (uids: readonly number[]) => Promise<ReadonlyMap<number, string> | null>;

/** Where it lives; never searched for, because the daemon's PATH is nobody's business. */
const PLACES = ["/usr/bin/getent", "/bin/getent", "/run/current-system/sw/bin/getent"];
/** Longer than any server's own time-out is of no use to anybody. */
const TIMEOUT_MS = 30_000;
/** getent: one or more of the keys could not be found. */
const NOT_ALL_FOUND = 2;

export async function getent(uids: readonly number[]): Promise<ReadonlyMap<number, string> | null> {
  const program = PLACES.find((place) => existsSync(place));
  // Without it (musl, minimal images) there is no name service either: the user database is /etc/passwd alone.
  if (program === undefined) return new Map();
  try {
    const child = Bun.spawn([program, "passwd", ...uids.map(String)], {
      env: { PATH: "/usr/bin:/bin" },
      cwd: "/",
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    const [text, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    return code === 0 || code === NOT_ALL_FOUND ? namesIn(text) : null;
  } catch {
    return null;
  }
}

function namesIn(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name, , uid] = line.split(":");
    if (name && uid) names.set(Number(uid), name);
  }
  return names;
}

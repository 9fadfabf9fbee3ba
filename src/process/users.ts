// User id → name, as the system itself looks it up: /etc/passwd directly, anything else (LDAP, SSSD,
// systemd's dynamic users) by getent beside the event loop. Cached; never blocks.
import { readFileSync, statSync } from "node:fs";

const PASSWD = "/etc/passwd";
/** How long an answer of "nobody has that number" stands: accounts are made while the daemon runs. */
const UNKNOWN_FOR_MS = 60_000;
/** How often /etc/passwd's change time is looked at, at most. */
const RECHECK_MS = 1_000;

export class UserNames {
  private names = new Map<number, string>();
  private readonly elsewhere = new Map<number, { name: string | null; atMs: number }>();
  private readonly asked = new Set<number>();
  private changedMs = 0;
  private checkedMs = 0;

  /**
   * @param onChange is called when a name became known or changed: whatever was made with the old answer must
   *   be made anew
   */
  constructor(private readonly onChange: () => void) {
    this.refresh();
  }

  /** Hot enough: one Map look-up. The number as a string where no name exists (or none is known yet). */
  nameOf(uid: number): string {
    const name = this.names.get(uid);
    if (name !== undefined) return name;
    const found = this.elsewhere.get(uid);
    if (found === undefined || (found.name === null && performance.now() - found.atMs > UNKNOWN_FOR_MS))
      this.ask(uid);
    return found?.name ?? String(uid);
  }

  /** Looks whether /etc/passwd changed; cheap enough for every batch. */
  refresh(): void {
    const nowMs = performance.now();
    if (this.changedMs !== 0 && nowMs - this.checkedMs < RECHECK_MS) return;
    this.checkedMs = nowMs;
    try {
      const changedMs = statSync(PASSWD).mtimeMs;
      if (changedMs === this.changedMs) return;
      const names = new Map<number, string>();
      for (const line of readFileSync(PASSWD, "utf8").split("\n")) {
        const [name, , uid] = line.split(":");
        if (name && uid && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
      }
      this.names = names;
      this.changedMs = changedMs;
      this.onChange();
    } catch {
      // No user database: numbers it is.
      this.changedMs = 1;
    }
  }

  private ask(uid: number): void {
    if (this.asked.has(uid)) return;
    this.asked.add(uid);
    void lookUp(uid).then((name) => {
      this.asked.delete(uid);
      this.elsewhere.set(uid, { name, atMs: performance.now() });
      if (name !== null) this.onChange();
    });
  }
}

async function lookUp(uid: number): Promise<string | null> {
  try {
    const child = Bun.spawn(["/usr/bin/getent", "passwd", String(uid)], {
      env: { PATH: "/usr/bin:/bin" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const text = await new Response(child.stdout).text();
    return text.split(":", 1)[0]?.trim() || null;
  } catch {
    // No getent (musl, minimal images): the user database is /etc/passwd alone.
    return null;
  }
}

// User id → name, as the system itself looks it up: /etc/passwd directly, anything else (LDAP, SSSD, systemd's dynamic
// users) by getent beside the event loop. Cached, never blocking; whoever needs a name that is being looked up can wait
// for it a moment (areAwaited).
import { readFileSync, statSync } from "node:fs";
import { getent, type LookUp } from "./getent.ts";

const PASSWD = "/etc/passwd";
/**
 * How long an answer stands. Accounts are made while the daemon runs, directory servers rename people, and systemd gives
 * a dynamic user's number to another service.
 */
const FRESH_MS = 60_000;
/** How often /etc/passwd's change time is looked at, at most. */
const RECHECK_MS = 1_000;
/** How long lines wait for a name: getent answers within 5 ms from a cache or a file, a server within 50. */
export const PATIENCE_MS = 200;
/** After a lookup that took longer nobody waits for this long: a server that is down must not slow everything. */
const SULKING_MS = 10_000;
/** Numbers asked for by one getent. */
const ASKED_TOGETHER_MAX = 64;
/** Numbers that were asked for since the daemon started: user namespaces may bring a hundred thousand. */
const REMEMBERED_MAX = 65_536;

export interface UserName {
  /** The number as text where no name exists, or none could be learnt. */
  readonly name: string;
  /** Why a number stands there though a name may exist; null where the answer is the system's. */
  readonly reason: "lookup_slow" | "lookup_failed" | null;
}

interface Answer {
  /** Null: there is no such user. */
  name: string | null;
  failed: boolean;
  atMs: number;
}

export class UserNames {
  private names = new Map<number, string>();
  private readonly elsewhere = new Map<number, Answer>();
  /** Being looked up: since when. */
  private readonly asked = new Map<number, number>();
  private readonly queue: number[] = [];
  private busy = false;
  private sulkingUntilMs = 0;
  private changedMs = 0;
  private checkedMs = 0;

  /**
   * @param onAnswer is called when an answer has come or /etc/passwd changed: whatever was made with the old one must be
   *   made anew
   * @param lookUp never rejects
   */
  constructor(
    private readonly onAnswer: () => void,
    private readonly lookUp: LookUp = getent,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.refresh();
  }

  /** Hot enough: one Map look-up for users of /etc/passwd. */
  nameOf(uid: number): UserName {
    const name = this.names.get(uid);
    if (name !== undefined) return { name, reason: null };
    this.askUnlessFresh(uid);
    const answer = this.elsewhere.get(uid);
    if (answer === undefined) return { name: String(uid), reason: "lookup_slow" };
    return { name: answer.name ?? String(uid), reason: answer.failed ? "lookup_failed" : null };
  }

  /** Asks for a name that a line may need soon. */
  expect(uid: number): void {
    if (!this.names.has(uid)) this.askUnlessFresh(uid);
  }

  /** Hot. True while answers are on their way that are worth waiting for. */
  get areAwaited(): boolean {
    if (this.asked.size === 0) return false;
    const nowMs = this.nowMs();
    if (nowMs < this.sulkingUntilMs) return false;
    // The oldest first.
    for (const sinceMs of this.asked.values()) {
      if (nowMs - sinceMs < PATIENCE_MS) return true;
      break;
    }
    this.sulkingUntilMs = nowMs + SULKING_MS;
    return false;
  }

  /** Looks whether /etc/passwd changed; cheap enough for every batch. */
  refresh(): void {
    const nowMs = this.nowMs();
    if (this.changedMs !== 0 && nowMs - this.checkedMs < RECHECK_MS) return;
    this.checkedMs = nowMs;
    try {
      const changedMs = statSync(PASSWD).mtimeMs;
      if (changedMs === this.changedMs) return;
      this.names = passwdNames(readFileSync(PASSWD, "utf8"));
      this.changedMs = changedMs;
      this.onAnswer();
    } catch {
      // No user database: numbers it is.
      this.changedMs = 1;
    }
  }

  /** Asks again where the answer is missing or old. */
  private askUnlessFresh(uid: number): void {
    const answer = this.elsewhere.get(uid);
    const fresh = answer !== undefined && this.nowMs() - answer.atMs < FRESH_MS;
    if (fresh || this.asked.has(uid)) return;
    this.asked.set(uid, this.nowMs());
    this.queue.push(uid);
    void this.work();
  }

  /** One child at a time: whatever is asked for meanwhile goes into the next one together. */
  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    while (this.queue.length > 0) {
      const uids = this.queue.splice(0, ASKED_TOGETHER_MAX);
      const found = await this.lookUp(uids);
      const atMs = this.nowMs();
      for (const uid of uids) {
        const known = this.elsewhere.get(uid);
        this.asked.delete(uid);
        this.elsewhere.delete(uid);
        // A failed lookup doesn't make a name wrong that was right a minute ago.
        const name = found === null ? (known?.name ?? null) : (found.get(uid) ?? null);
        this.elsewhere.set(uid, { name, failed: found === null && name === null, atMs });
      }
      for (const [oldest] of this.elsewhere) {
        if (this.elsewhere.size <= REMEMBERED_MAX) break;
        this.elsewhere.delete(oldest);
      }
      this.onAnswer();
    }
    this.busy = false;
  }
}

function passwdNames(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name, , uid] = line.split(":");
    if (name && uid && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

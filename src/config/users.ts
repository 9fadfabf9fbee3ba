// The user database: /etc/passwd and /etc/group, and what lies behind the system's name service (LDAP, SSSD) through
// getent(1), since there is no other way to it without linking the C library's plugins.
// Names and numbers enter, entries or null leave. Never trusts the environment: getent runs by its full path, with none.
import { existsSync, readFileSync } from "node:fs";

export interface UserEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface UserDatabase {
  byUid(uid: number): UserEntry | null;
  byName(name: string): UserEntry | null;
  /** The user's primary and supplementary groups, each once. */
  groupsOf(user: UserEntry): number[];
}

/** Where to look; other places serve the tests. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
  /** The first that exists is run; none: the two files are all there is. */
  readonly getent: readonly string[];
}

const SYSTEM_FILES: UserFiles = {
  passwd: "/etc/passwd",
  group: "/etc/group",
  getent: ["/usr/bin/getent", "/bin/getent", "/run/current-system/sw/bin/getent"],
};

// A directory server that doesn't answer must not keep a command waiting for ever.
const GETENT_TIMEOUT_MS = 5000;
/** uid_t is 32 bits and its highest value means "nobody at all" to setfsuid(2) and chown(2). */
const MAX_ID = 0xffff_fffe;

export function userDatabase(files: UserFiles = SYSTEM_FILES): UserDatabase {
  function find(key: string, isMeant: (entry: UserEntry) => boolean): UserEntry | null {
    const local = entryIn(textOf(files.passwd), isMeant);
    return local ?? entryIn(getent(files, "passwd", key), isMeant);
  }
  return {
    byUid: (uid) => find(String(uid), (entry) => entry.uid === uid),
    byName: (name) => (isName(name) ? find(name, (entry) => entry.name === name) : null),
    groupsOf(user) {
      // "alice                 4 24 1000": the name service first, which knows the groups in /etc/group as well.
      const answer = getent(files, "initgroups", user.name).trim().split(/\s+/).slice(1);
      const groups = answer.length > 0 ? answer.map(idOf) : groupsInFile(textOf(files.group), user.name);
      return [...new Set([user.gid, ...groups.filter((gid) => gid !== null)])];
    },
  };
}

/** "0" to "4294967294" → the number; anything else → null. */
export function idOf(text: string): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : null;
}

/** The first that is meant, of lines as in passwd(5). */
function entryIn(text: string, isMeant: (entry: UserEntry) => boolean): UserEntry | null {
  for (const line of text.split("\n")) {
    const [name = "", , uidText = "", gidText = "", , home = ""] = line.split(":");
    const uid = idOf(uidText);
    const gid = idOf(gidText);
    if (name === "" || uid === null || gid === null) continue;
    const entry = { name, uid, gid, home };
    if (isMeant(entry)) return entry;
  }
  return null;
}

function groupsInFile(text: string, user: string): (number | null)[] {
  return text.split("\n").flatMap((line) => {
    const [, , gid = "", members = ""] = line.split(":");
    return members.split(",").includes(user) ? [idOf(gid)] : [];
  });
}

/** A name that could be taken for an option or would break a line of the database is nobody's. */
function isName(name: string): boolean {
  return /^[^\s:\0-][^\s:\0]*$/.test(name);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** What getent prints; "" when there is none, it finds nothing, or it takes too long. */
function getent(files: UserFiles, database: "passwd" | "initgroups", key: string): string {
  const program = files.getent.find((path) => existsSync(path));
  if (program === undefined) return "";
  const run = Bun.spawnSync([program, database, key], {
    cwd: "/",
    env: { LC_ALL: "C" },
    stdin: "ignore",
    stderr: "ignore",
    timeout: GETENT_TIMEOUT_MS,
  });
  return run.success ? run.stdout.toString() : "";
}

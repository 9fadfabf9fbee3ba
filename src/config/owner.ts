// Whom fsmon works for: the person who called it, also behind sudo. Environment and options enter, an Owner leaves.
//
// The rule for the environment (HOME here, XDG_* in places.ts): it counts when this process runs as the owner, root included
// when nobody else called it. Through sudo or --user it doesn't: sudo may keep either person's HOME and drops XDG_*, so
// only the user database says where the owner's home is.
import { statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { Failure } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { idOf, type UserDatabase, type UserEntry, userDatabase } from "./users.ts";

export interface Owner extends Identity {
  readonly name: string;
  /** Absolute; existed when it was looked up. */
  readonly home: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface OwnerOptions {
  readonly env: Environment;
  /** `--user`: a name or a number. */
  readonly userOption?: string | undefined;
  /** For tests: the system's own by default. */
  readonly users?: UserDatabase | undefined;
  /** For tests: this process's own by default. */
  readonly processUid?: number | undefined;
}

/**
 * `--user` first, then SUDO_UID when this process is root, then the process's own user.
 *
 * @throws {Failure} when there is no such user, no home, or no right to work for somebody else
 */
export function findOwner(options: OwnerOptions): Owner {
  const { env, userOption } = options;
  const users = options.users ?? userDatabase();
  const processUid = options.processUid ?? ownUid();
  const sudoUid = processUid === 0 ? env.SUDO_UID : undefined;
  if (userOption !== undefined) {
    const entry = namedUser(userOption, users);
    if (processUid !== 0 && entry.uid !== processUid) {
      throw new Failure(`Cannot work for user "${entry.name}" without root`, "start it through sudo");
    }
    return entry.uid === processUid ? self(entry.uid, entry, env) : other(entry, users);
  }
  if (sudoUid !== undefined && sudoUid !== "") {
    const uid = idOf(sudoUid);
    if (uid === null) {
      throw new Failure(
        `Cannot tell whom to work for: SUDO_UID is "${sudoUid}"`,
        "name the user: fsmon daemon --user NAME",
      );
    }
    if (uid !== 0) return other(known(users.byUid(uid), `with the id ${uid} (from SUDO_UID)`), users);
  }
  return self(processUid, users.byUid(processUid), env);
}

/** Whether the environment's HOME and XDG_* are the owner's own: see the rule above. */
export function isOwnEnvironment(owner: Identity, processUid: number = ownUid()): boolean {
  return owner.uid === processUid;
}

function namedUser(option: string, users: UserDatabase): UserEntry {
  const uid = idOf(option);
  return known(uid === null ? users.byName(option) : users.byUid(uid), `"${option}"`);
}

function known(entry: UserEntry | null, who: string): UserEntry {
  if (entry !== null) return entry;
  throw new Failure(
    `Cannot find the user ${who} in the user database`,
    "name an existing user: fsmon daemon --user NAME (getent passwd lists them)",
  );
}

/** This process's own user, who needs no entry as long as HOME is set: containers run under arbitrary ids. */
function self(uid: number, entry: UserEntry | null, env: Environment): Owner {
  const identity = {
    uid,
    gid: process.getegid?.() ?? entry?.gid ?? uid,
    groups: process.getgroups?.() ?? [],
  };
  const home = env.HOME !== undefined && isAbsolute(env.HOME) ? env.HOME : entry?.home;
  if (home === undefined) {
    throw new Failure(
      `Cannot find the user with the id ${uid} in the user database`,
      "set HOME to an existing directory",
    );
  }
  return withHome(
    { ...identity, name: entry?.name ?? String(uid), home },
    "set HOME to an existing directory",
  );
}

function other(entry: UserEntry, users: UserDatabase): Owner {
  const { uid, gid, name, home } = entry;
  const owner = { uid, gid, groups: users.groupsOf(entry), name, home };
  return withHome(owner, `make it, or name another user: fsmon daemon --user NAME`);
}

/** Looked at with the owner's own rights: a home on NFS may be closed to root. */
function withHome(owner: Owner, hint: string): Owner {
  const isDirectory = asOwner(owner, () => {
    try {
      return isAbsolute(owner.home) && statSync(owner.home).isDirectory();
    } catch {
      return false;
    }
  });
  if (isDirectory) return { ...owner, home: resolve(owner.home) };
  throw new Failure(`Cannot use the home of user "${owner.name}": "${owner.home}" is no directory`, hint);
}

function ownUid(): number {
  return process.getuid?.() ?? 0;
}

// Where fsmon's files are when nobody says otherwise, and how a place in the config is read.
// The owner and the environment enter, absolute paths leave. Touches no file.
import { isAbsolute, join } from "node:path";
import { type Environment, isOwnEnvironment, type Owner } from "./owner.ts";

export interface Places {
  readonly configFile: string;
  readonly managedFile: string;
  readonly logDir: string;
  readonly socketPath: string;
}

/**
 * The default places. XDG_CONFIG_HOME, XDG_DATA_HOME and XDG_STATE_HOME count when they are absolute (their
 * specification says to ignore them otherwise) and the environment is the owner's own (the rule in owner.ts).
 */
export function defaultPlaces(
  owner: Owner,
  env: Environment,
  isOwn: boolean = isOwnEnvironment(owner),
): Places {
  const base = (variable: string, below: string): string => {
    const value = isOwn ? env[variable] : undefined;
    return value !== undefined && isAbsolute(value) ? value : join(owner.home, below);
  };
  return {
    configFile: join(base("XDG_CONFIG_HOME", ".config"), "fsmon", "config.toml"),
    managedFile: join(base("XDG_DATA_HOME", ".local/share"), "fsmon", "managed.jsonl"),
    logDir: join(base("XDG_STATE_HOME", ".local/state"), "fsmon"),
    socketPath: `/tmp/fsmon-${owner.uid}.sock`,
  };
}

/** Expands `~` at the beginning and `<UID>` anywhere. */
export function expandPlace(text: string, owner: Owner): string {
  const withHome = text === "~" || text.startsWith("~/") ? owner.home + text.slice(1) : text;
  return withHome.replaceAll("<UID>", String(owner.uid));
}

/** The reverse, for the config that `generate` writes: it should still be right in another home. */
export function contractPlace(path: string, owner: Owner): string {
  if (path === `/tmp/fsmon-${owner.uid}.sock`) return "/tmp/fsmon-<UID>.sock";
  const isBelowHome = owner.home !== "/" && path.startsWith(`${owner.home}/`);
  return isBelowHome ? `~${path.slice(owner.home.length)}` : path;
}

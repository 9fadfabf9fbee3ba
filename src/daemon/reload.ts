// SIGHUP and the request `reload`: config and store are read again, and what differs takes effect. Nothing is changed before all
// of it is known to be usable, and the marks of paths that stay are never lifted: no event is lost.
import { type Config, loadConfig } from "../config/config.ts";
import { Failure } from "../failure.ts";
import { checkPatterns } from "../filter/filter.ts";
import { loadStore, type StoredPaths } from "../managed/store.ts";
import type { Daemon } from "./daemon.ts";

/** Settings that only a restart can change. */
const FIXED = {
  logDir: "[logging] dir",
  socketPath: "[socket] path",
  managedFile: "[managed] file",
} as const;

/** @throws {Failure} when they can't be used; everything is as before then */
export function reload(daemon: Daemon): void {
  const { owner, places, flags } = daemon.options;
  const { paths } = daemon.pipeline.watching;
  const config = loadConfig({ owner, env: process.env, flags, places });
  refuseFixed(daemon.config, config);
  const stored = loadStore(config.managedFile, owner, checkPatterns);
  const wanted = new Map(stored.paths.map((managed) => [managed.path, managed]));
  const leaving = [...paths.keys(), ...daemon.unwatched.keys()].filter((path) => !wanted.has(path));
  refuseBroken(stored, leaving, config.managedFile);

  daemon.notes.broken(config.managedFile, stored);
  daemon.configure(config);
  for (const path of leaving) daemon.unwatch(path);
  for (const managed of wanted.values()) {
    const known = paths.get(managed.path)?.managed;
    if (known !== undefined && Bun.deepEquals(known, managed)) continue;
    daemon.unwatched.watchStored(managed);
  }
}

function refuseFixed(before: Config, after: Config): void {
  for (const field of Object.keys(FIXED) as (keyof typeof FIXED)[]) {
    if (after[field] === before[field]) continue;
    throw new Failure(
      `Cannot change ${FIXED[field]} from "${before[field]}" to "${after[field]}" while the daemon runs`,
      "restart it",
    );
  }
}

/** A slip in the line of a path that is being watched must not end its recording. */
function refuseBroken({ broken }: StoredPaths, leaving: readonly string[], file: string): void {
  const first = broken[0];
  if (first === undefined || leaving.length === 0) return;
  throw new Failure(
    `Cannot use the store "${file}": line ${first.line} is broken (${first.reason}), and "${leaving[0]}" has no line any more`,
    "mend the line, or remove the path with fsmon remove",
  );
}

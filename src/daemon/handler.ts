// What clients may ask of the running daemon. Changes take effect before the answer is given.
import type { AddReply, ControlHandler, DaemonStatus, RemoveReply } from "../control/protocol.ts";
import type { ManagedPath } from "../event.ts";
import { Failure } from "../failure.ts";
import { checkPatterns } from "../filter/filter.ts";
import { logHash } from "../log/names.ts";
import { notManaged } from "../managed/not-managed.ts";
import { updateStore } from "../managed/store.ts";
import type { Daemon } from "./daemon.ts";
import { logDirNote } from "./own-files.ts";

/**
 * The event loop stands still meanwhile, so not long: the owner could hold the lock for ever. The kernel's
 * queue bridges it.
 */
const LOCK_WAIT_MS = 500;

export class Handler implements ControlHandler {
  constructor(private readonly daemon: Daemon) {}

  add(entry: ManagedPath): AddReply {
    const { pipeline, options, config } = this.daemon;
    checkPatterns(entry);
    this.daemon.unwatched.watchNow(entry.path);
    const known = pipeline.watching.paths.has(entry.path);
    const change = (paths: readonly ManagedPath[]) => [
      ...paths.filter((one) => one.path !== entry.path),
      entry,
    ];
    const store = () => updateStore(config.managedFile, options.owner, change, LOCK_WAIT_MS);
    // New filters of a known path wait for the store: until it has them, the old ones hold without a gap. A new path is watched
    // first: whether that can be done at all is not known before.
    if (known) store();
    const watched = this.daemon.watch(
      entry,
      false,
      known
        ? undefined
        : (fresh) => {
            if (fresh.state === "impossible") {
              throw new Failure(
                `Cannot watch "${entry.path}": ${fresh.reason}`,
                "docs/limits.md lists what can be watched, and the remedies",
              );
            }
            store();
          },
    );
    return {
      path: entry.path,
      managedFile: config.managedFile,
      state: watched.state,
      reason: watched.reason,
      replaced: known,
      logFile: watched.log.path,
      notes: [...watched.notes, ...logDirNote(config, entry)],
    };
  }

  remove(path: string): RemoveReply {
    const { pipeline, options } = this.daemon;
    const { managedFile } = this.daemon.config;
    this.daemon.unwatched.watchNow(path);
    const managed = new Set(pipeline.watching.paths.keys());
    const change = (paths: readonly ManagedPath[]) => {
      for (const one of paths) managed.add(one.path);
      return paths.filter((one) => one.path !== path);
    };
    updateStore(managedFile, options.owner, change, LOCK_WAIT_MS);
    if (!managed.has(path)) throw notManaged(path, [...managed]);
    return { path, logFile: this.daemon.unwatch(path) };
  }

  status(): DaemonStatus {
    return this.daemon.status();
  }

  seal(hash: string): boolean {
    // At the start: a log must not be sealed just before it is opened.
    const { unwatched } = this.daemon;
    for (const path of [...unwatched.keys()]) if (logHash(path) === hash) unwatched.watchNow(path);
    return this.daemon.seal(hash);
  }

  async reload(): Promise<void> {
    await this.daemon.unwatched.started;
    this.daemon.reload();
  }
}

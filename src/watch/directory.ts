// Tells at once when something in a log directory has changed: by inotify where it works, by looking now and then in any case.
// A directory goes in, a call comes out. It may not exist yet, and may be removed and made again.
import { type FSWatcher, statSync, watch } from "node:fs";

/** Besides inotify: for what it can't tell (its directory was exchanged, the clients' limit was reached, network filesystems). */
const LOOK_MS = 1000;
/** Without inotify: soon enough for a person. */
const LOOK_OFTEN_MS = 100;

export class DirectoryWatch {
  private readonly path: string;
  private readonly onChange: () => void;
  private watcher: FSWatcher | null = null;
  private watched = "";
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(path: string, onChange: () => void) {
    this.path = path;
    this.onChange = onChange;
    this.look();
  }

  close(): void {
    this.watcher?.close();
    this.watcher = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private look(): void {
    this.watchAnew();
    this.timer = setTimeout(
      () => {
        this.look();
        this.onChange();
      },
      this.watcher === null ? LOOK_OFTEN_MS : LOOK_MS,
    );
  }

  private watchAnew(): void {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    const identity = stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
    if (identity === this.watched && this.watcher !== null) return;
    this.watcher?.close();
    this.watcher = null;
    this.watched = identity;
    if (stat === undefined) return;
    try {
      this.watcher = watch(this.path, this.onChange);
      this.watcher.on("error", () => {
        this.watcher?.close();
        this.watcher = null;
      });
    } catch {
      // fs.inotify.max_user_instances or max_user_watches is used up: looking has to do.
    }
  }
}

// Waits until everything is in the log, also where its files are sealed, renamed or dropped while somebody looks.
import type { TestDaemon } from "../support/daemon.ts";

export async function settled(daemon: TestDaemon, directory: string): Promise<void> {
  for (;;) {
    try {
      return await daemon.settle(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

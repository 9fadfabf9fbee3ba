// The executable's path of programs that nobody runs any more: /proc has it while a process lives, the kernel's flight
// recorder for a while after that. Never a guess: where the record may be overwritten, the path isn't known.
import { FlightRecorder } from "../kernel/flight-recorder.ts";
import type { Image } from "./process.ts";
import { withoutDeleted } from "./procfs.ts";

export class Executables {
  private recorder: FlightRecorder | null = null;

  /** @param recording false where the kernel's records of processes don't come from perf */
  constructor(recording: boolean) {
    if (!recording) return;
    try {
      this.recorder = FlightRecorder.open();
    } catch {
      // An older kernel, or the memory that may be locked is used up: short-lived programs have no path then.
    }
  }

  /** Latin1; null when it isn't known. */
  pathOf(image: Image): string | null {
    if (this.recorder === null || image.sinceNs === 0) return null;
    const path = this.recorder.find(image.pid, image.sinceNs);
    return path === null ? null : withoutDeleted(path.toString("latin1"));
  }

  /** CPUs came or went, some of them to come back. */
  followCpus(gone: ReadonlySet<number>): void {
    try {
      this.recorder?.followCpus(gone);
    } catch {
      // The memory that may be locked is used up, see above.
      this.close();
    }
  }

  close(): void {
    this.recorder?.close();
    this.recorder = null;
  }
}

// Filesystems behind which a server stands: FUSE and network filesystems. Before anything is asked of one, it is found out
// whether the server answers: a call that it doesn't answer would hold up the daemon, all other filesystems with it.
import { isAtOrBelow } from "../../containment.ts";
import { Probe } from "../../kernel/probe.ts";
import { type Mount, mountOf } from "./mounts.ts";

const WITH_SERVER = /^(fuse|nfs|cifs|smb|9p|ceph|afs|lustre|gfs2|ocfs2|virtiofs|beegfs|orangefs|coda|autofs)/;

export class Servers {
  private readonly probes = new Map<string, Probe>();
  /** Mounts whose server didn't answer, by device, and since when. */
  private readonly silent = new Map<string, { mount: Mount; sinceMs: number }>();

  /** The probe of a mount's filesystem; null where no server stands behind it. */
  probeOf(mount: Mount): Probe | null {
    if (!WITH_SERVER.test(mount.type)) return null;
    let probe = this.probes.get(mount.device);
    if (probe === undefined) {
      probe = new Probe();
      this.probes.set(mount.device, probe);
    }
    return probe;
  }

  /** Whether a mount can be asked now; waits for some hundred milliseconds at most, and not at all once it was silent. */
  answers(mount: Mount): boolean {
    const probe = this.probeOf(mount);
    if (probe === null || probe.answers(mount.mountPoint)) return true;
    if (!this.silent.has(mount.device)) this.silent.set(mount.device, { mount, sinceMs: Date.now() });
    return false;
  }

  /** The mount on the way to a path whose server doesn't answer; null when all do. */
  silentOn(mounts: readonly Mount[], path: string): Mount | null {
    for (const mount of mounts) {
      if (!WITH_SERVER.test(mount.type) || !isAtOrBelow(path, mount.mountPoint)) continue;
      if (mountOf(mounts, mount.mountPoint) === mount && !this.answers(mount)) return mount;
    }
    return null;
  }

  /** Since when those that answer again, or are gone, were silent; null when none does. */
  answering(mounts: readonly Mount[]): number | null {
    let sinceMs: number | null = null;
    for (const [device, one] of this.silent) {
      const isThere = mounts.some((mount) => mount.device === device);
      if (isThere && !this.probes.get(device)?.answers(one.mount.mountPoint)) continue;
      this.silent.delete(device);
      sinceMs = Math.min(sinceMs ?? one.sinceMs, one.sinceMs);
    }
    return sinceMs;
  }
}

// What this kernel offers and what this process may do with it. Reads and tries, changes nothing.
import { readFileSync, readlinkSync } from "node:fs";
import { release } from "node:os";
import { NEEDED } from "../daemon/anew.ts";
import { Failure } from "../failure.ts";
import { CAPABILITY_BITS, readCapabilities } from "../kernel/capabilities.ts";
import { FanotifyGroup } from "../kernel/fanotify.ts";
import { errnoName, errnoOf } from "../kernel/syscall.ts";
import { ProcessStreams } from "../process/streams.ts";
import { SOURCES } from "../process/way.ts";
import { type Finding, Findings } from "./finding.ts";

/** Inode number of the first namespace of its kind (linux/proc_ns.h). */
const FIRST_PID_NAMESPACE = 0xefff_fffc;
const FIRST_USER_NAMESPACE = 0xefff_fffd;

/** True where fanotify lets this process do all that the daemon does. */
export function mayWatch(): boolean {
  return (readCapabilities().effective & (1n << BigInt(CAPABILITY_BITS.CAP_SYS_ADMIN))) !== 0n;
}

export function kernelFindings(): Finding[] {
  const findings = new Findings("kernel");
  const version = `Linux ${release()}`;
  if (mayWatch()) {
    try {
      FanotifyGroup.probe();
      findings.fine(`${version} reports names and handles together (FAN_REPORT_TARGET_FID, FAN_RENAME)`);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      findings.broken(`${version}: ${error.message}`, error.hint);
    }
    return findings.list;
  }
  const errno = FanotifyGroup.unprivilegedErrno();
  if (errno === 0) findings.fine(`${version} reports names and handles together (FAN_REPORT_TARGET_FID)`);
  else if (errno === errnoOf("EPERM"))
    findings.unseen(`${version} lets only root ask what fanotify can do`, "sudo fsmon doctor");
  else {
    findings.broken(
      `${version} doesn't report names and handles together (${errnoName(errno)})`,
      "fsmon needs Linux 5.17, or the stable kernels from 5.15.154 and 5.10.220 on",
    );
  }
  return findings.list;
}

export function rightsFindings(): Finding[] {
  const findings = new Findings("rights");
  const { effective, bounding } = readCapabilities();
  const without = (set: bigint) =>
    NEEDED.filter((name) => (set & (1n << BigInt(CAPABILITY_BITS[name]))) === 0n);
  const what = (names: readonly string[]) => names.join(", ");
  if (process.geteuid?.() !== 0) {
    findings.unseen("Not root: what only root may try is left out", "sudo fsmon doctor PATH");
    const never = without(bounding);
    if (never.length > 0)
      findings.limit(
        `Not even root has ${what(never)} here`,
        "a container or unit took them: give them back",
      );
  } else if (without(effective).length === 0)
    findings.fine("root, with every capability that the daemon uses");
  else if (!mayWatch()) {
    findings.broken(
      "root without CAP_SYS_ADMIN: no filesystem can be watched",
      "run it outside the container, or in a privileged one (docs/operations.md)",
    );
  } else {
    findings.limit(
      `root without ${what(without(effective))}`,
      "docs/security.md says what each is for and what is missing without it",
    );
  }
  if (namespaceOf("user") !== null && namespaceOf("user") !== FIRST_USER_NAMESPACE)
    findings.limit(
      "In a user namespace: only filesystems that were mounted in it can be watched",
      "run it outside",
    );
  return findings.list;
}

export function processFindings(): Finding[] {
  const findings = new Findings("processes");
  const perf = numberIn("/proc/sys/kernel/perf_event_paranoid");
  if (mayWatch()) {
    const streams = new ProcessStreams(new Set(SOURCES));
    streams.close();
    if (streams.notes.length === 0) findings.fine(`Known by ${streams.way}, the shortest-lived, too`);
    else findings.limit(`Known by ${streams.way}`, null);
    for (const note of streams.notes) findings.limit(note, remedyForStream(note));
  } else {
    const value = perf === null ? "this kernel has no perf events" : `kernel.perf_event_paranoid is ${perf}`;
    findings.unseen(
      `How processes can be known needs CAP_SYS_ADMIN to see (${value}; it doesn't bind the daemon)`,
    );
  }
  const pidNamespace = namespaceOf("pid");
  if (pidNamespace !== null && pidNamespace !== FIRST_PID_NAMESPACE) {
    findings.limit(
      "In a pid namespace: changes by processes outside it are recorded without their names",
      "run it on the host, or give the container the host's (--pid=host)",
    );
  }
  return findings.list;
}

function remedyForStream(note: string): string | null {
  if (note.startsWith("perf"))
    return "it needs CAP_SYS_ADMIN or CAP_PERFMON, CONFIG_PERF_EVENTS, and no seccomp filter or lockdown against it";
  return "it needs the first pid and network namespaces, CONFIG_PROC_EVENTS, and before Linux 6.6 CAP_NET_ADMIN";
}

function namespaceOf(kind: "pid" | "user"): number | null {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/self/ns/${kind}`))?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}

export function numberIn(file: string): number | null {
  try {
    const value = Number(readFileSync(file, "latin1").trim());
    return Number.isFinite(value) ? value : null;
  } catch {
    return null;
  }
}

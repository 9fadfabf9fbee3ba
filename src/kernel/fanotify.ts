// A fanotify group: opened, marked, read into one reused buffer. Bytes go out as they came; decode/fan.ts
// reads them. fanotify(7), fanotify_init(2), fanotify_mark(2).
import { closeSync, readFileSync, writeFileSync } from "node:fs";
import { Failure } from "../failure.ts";
import * as abi from "./abi.ts";
import { cPath, helper } from "./helper.ts";
import { checked, errnoOf, SyscallError } from "./syscall.ts";

const QUEUE_SYSCTL = "/proc/sys/fs/fanotify/max_queued_events";
const O_RDONLY = 0;
const O_LARGEFILE = 0o100000;
const HERE = cPath(".");

/** Room for the largest event (656 bytes: a rename with two 255-byte names on btrfs), or read(2) answers EINVAL. */
export const EVENT_MAX_BYTES = 4096;

/** What a mark holds on to: everything on a filesystem, or one directory and its entries. */
export type MarkKind = "filesystem" | "inode";

export class FanotifyGroup {
  readonly fd: number;
  /** Events the kernel holds for us before it drops some and says so. */
  readonly queueLimit: number;
  /** The last read saw the queue empty: it had room for another event. */
  emptied = false;

  private constructor(fd: number, queueLimit: number) {
    this.fd = fd;
    this.queueLimit = queueLimit;
  }

  /**
   * Opens a group that reports directory, name and object by handle.
   *
   * @param wantedQueueEvents bound of the queue. The sysctl is copied when a group is made
   *   (fs/notify/fanotify), so it is raised for that moment only; where it can't be, the group gets the
   *   system's bound.
   * @throws {Failure} without the rights or on a kernel that is too old
   */
  static open(wantedQueueEvents: number): FanotifyGroup {
    const before = readQueueSysctl();
    const raised = wantedQueueEvents !== before && writeQueueSysctl(wantedQueueEvents);
    const flags = abi.FAN_CLASS_NOTIF | abi.FAN_CLOEXEC | abi.FAN_NONBLOCK | abi.FAN_UNLIMITED_MARKS;
    const fd = helper().fh_fan_init(flags | abi.FAN_REPORT_DFID_NAME_TARGET, O_RDONLY | O_LARGEFILE);
    if (raised) writeQueueSysctl(before);
    if (fd < 0) throw initFailure(-fd);
    return new FanotifyGroup(fd, raised ? wantedQueueEvents : before);
  }

  /** Whether a group could be opened, before anything else is touched. @throws {Failure} as open() does */
  static probe(): void {
    FanotifyGroup.open(readQueueSysctl()).close();
  }

  /**
   * What fanotify_init(2) says to somebody without rights who asks for names and handles: 0, or an errno. EINVAL: this
   * kernel doesn't report them together; EPERM: it lets only root ask.
   */
  static unprivilegedErrno(): number {
    const flags = abi.FAN_CLASS_NOTIF | abi.FAN_CLOEXEC | abi.FAN_NONBLOCK | abi.FAN_REPORT_DFID_NAME_TARGET;
    const fd = helper().fh_fan_init(flags, O_RDONLY | O_LARGEFILE);
    if (fd < 0) return -fd;
    closeSync(fd);
    return 0;
  }

  /**
   * Adds events to the mark of a directory, or of the whole filesystem that holds it. Returns 0 or -errno: callers
   * know what each means there.
   */
  mark(kind: MarkKind, directoryFd: number, mask: number): number {
    return this.change(kind, abi.FAN_MARK_ADD, directoryFd, mask);
  }

  /**
   * Takes events out of that mark; the mark goes when none is left. Returns 0 or -errno (ENOENT: there was no
   * mark).
   */
  unmark(kind: MarkKind, directoryFd: number, mask: number): number {
    return this.change(kind, abi.FAN_MARK_REMOVE, directoryFd, mask);
  }

  /** Whether that mark is (still) there. Asked by taking from its ignore mask, which is empty: nothing changes. */
  hasMark(kind: MarkKind, directoryFd: number): boolean {
    const command = abi.FAN_MARK_REMOVE | abi.FAN_MARK_IGNORED_MASK;
    return this.change(kind, command, directoryFd, abi.FAN_MODIFY) === 0;
  }

  private change(kind: MarkKind, command: number, directoryFd: number, mask: number): number {
    const flags = command | (kind === "filesystem" ? abi.FAN_MARK_FILESYSTEM : abi.FAN_MARK_INODE);
    return helper().fh_fan_mark(this.fd, flags, mask >>> 0, 0, directoryFd, HERE);
  }

  /**
   * Hot. One read(2) of whole events into buffer.
   *
   * @returns bytes read; 0 when the queue is empty
   */
  read(buffer: Uint8Array): number {
    const got = helper().fh_read(this.fd, buffer, buffer.length);
    this.emptied = got <= 0 || buffer.length - got >= EVENT_MAX_BYTES;
    if (got >= 0) return got;
    if (-got === errnoOf("EAGAIN") || -got === errnoOf("EINTR")) return 0;
    throw new SyscallError("read(fanotify)", -got);
  }

  /** Events that wait in the queue now: FIONREAD counts 24 bytes for each. */
  pendingEvents(): number {
    return checked("ioctl(FIONREAD)", helper().fh_pending(this.fd)) / abi.METADATA_BYTES;
  }

  /**
   * Devices ("8:1") whose filesystem this group has marked: the kernel removes a mark silently with the
   * filesystem's last mount.
   */
  markedDevices(): Set<string> {
    const devices = new Set<string>();
    // fanotify sdev:800001 mflags:0 mask:400003c8 ignored_mask:0 (proc_pid_fdinfo(5)); sdev is major << 20 |
    // minor.
    for (const match of readFileSync(`/proc/self/fdinfo/${this.fd}`, "latin1").matchAll(
      /^fanotify sdev:([0-9a-f]+) /gm,
    )) {
      const device = Number.parseInt(match[1]!, 16);
      devices.add(`${device >>> 20}:${device & 0xfffff}`);
    }
    return devices;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function readQueueSysctl(): number {
  try {
    return Number(readFileSync(QUEUE_SYSCTL, "latin1")) || 16384;
  } catch {
    // The sysctl is 5.13; before it the bound was fixed at 16384.
    return 16384;
  }
}

function writeQueueSysctl(events: number): boolean {
  try {
    writeFileSync(QUEUE_SYSCTL, String(events));
    return true;
  } catch {
    // Read-only /proc/sys in containers: the system's own bound serves.
    return false;
  }
}

/** fanotify_init(2): each errno means one thing there. */
function initFailure(errno: number): Failure {
  const { code } = new SyscallError("fanotify_init", errno);
  switch (code) {
    case "EPERM":
      return new Failure(
        "Cannot watch filesystems: fanotify_init was refused (EPERM)",
        "it needs CAP_SYS_ADMIN: run as root (sudo fsmon daemon), outside a container or in a privileged one",
      );
    case "EINVAL":
      return new Failure(
        "Cannot watch filesystems: this kernel doesn't report names and handles together (EINVAL)",
        "fsmon needs FAN_REPORT_TARGET_FID: Linux 5.17, or the stable kernels from 5.15.154 and 5.10.220 on",
      );
    case "ENOSYS":
      return new Failure(
        "Cannot watch filesystems: fanotify is missing here (ENOSYS)",
        "the kernel was built without CONFIG_FANOTIFY, or a seccomp filter forbids it",
      );
    case "EMFILE":
      return new Failure(
        "Cannot watch filesystems: too many fanotify groups or open files (EMFILE)",
        "raise sysctl fs.fanotify.max_user_groups, or end another monitor",
      );
    default:
      return new Failure(`Cannot watch filesystems: fanotify_init failed (${code})`);
  }
}

// Numbers of the kernel's interface, each with its header. Constants only: decode/ imports this file and
// nothing else of kernel/. Offsets are compared with the C compiler's own in test/kernel/abi.test.ts
// (fh_layout answers in LAYOUT's order).

// --- linux/fanotify.h: event bits (the 14 that a log line names stand in src/event.ts) ---
export const FAN_ACCESS = 0x1;
export const FAN_MODIFY = 0x2;
export const FAN_ATTRIB = 0x4;
export const FAN_CLOSE_WRITE = 0x8;
export const FAN_CLOSE_NOWRITE = 0x10;
export const FAN_OPEN = 0x20;
export const FAN_MOVED_FROM = 0x40;
export const FAN_MOVED_TO = 0x80;
export const FAN_CREATE = 0x100;
export const FAN_DELETE = 0x200;
export const FAN_DELETE_SELF = 0x400;
export const FAN_MOVE_SELF = 0x800;
export const FAN_OPEN_EXEC = 0x1000;
/** The queue was full and events were dropped. */
export const FAN_Q_OVERFLOW = 0x4000;
/** The filesystem reported an error (5.16); needs a filesystem mark. */
export const FAN_FS_ERROR = 0x8000;
/** Both ends of a rename in one event (5.17, 5.15.154, 5.10.220). */
export const FAN_RENAME = 0x10000000;
/** In a directory's mark: events of its entries are wanted too. */
export const FAN_EVENT_ON_CHILD = 0x8000000;
/** In an event: the object is a directory. In a mask: events of directories are wanted too. */
export const FAN_ONDIR = 0x40000000;

// --- linux/fanotify.h: fanotify_init flags ---
export const FAN_CLOEXEC = 0x1;
export const FAN_NONBLOCK = 0x2;
export const FAN_CLASS_NOTIF = 0;
export const FAN_UNLIMITED_MARKS = 0x20;
/** FAN_REPORT_DIR_FID | NAME | FID | TARGET_FID: directory, name and the object's own handle (5.17). */
export const FAN_REPORT_DFID_NAME_TARGET = 0x1e00;

// --- linux/fanotify.h: fanotify_mark flags ---
export const FAN_MARK_ADD = 0x1;
export const FAN_MARK_REMOVE = 0x2;
export const FAN_MARK_IGNORED_MASK = 0x20;
export const FAN_MARK_INODE = 0;
export const FAN_MARK_FILESYSTEM = 0x100;

// --- linux/fanotify.h: struct fanotify_event_metadata ---
export const METADATA_BYTES = 24;
export const METADATA_VERS = 4;
export const METADATA_LEN = 6;
export const METADATA_MASK = 8;
export const METADATA_FD = 16;
export const METADATA_PID = 20;
export const METADATA_VERSION = 3;

// --- linux/fanotify.h: struct fanotify_event_info_* ---
export const INFO_HEADER_BYTES = 4;
export const INFO_LEN = 2;
export const INFO_FSID = 4;
/** Where {u32 bytes, s32 type, data} starts in a record that carries a handle. */
export const INFO_HANDLE = 12;
export const INFO_ERROR_BYTES = 12;
export const INFO_ERROR_ERROR = 4;
export const INFO_ERROR_COUNT = 8;
export const INFO_TYPE_FID = 1;
export const INFO_TYPE_DFID_NAME = 2;
export const INFO_TYPE_DFID = 3;
export const INFO_TYPE_ERROR = 5;
export const INFO_TYPE_OLD_DFID_NAME = 10;
export const INFO_TYPE_NEW_DFID_NAME = 12;

/** {u32 bytes, s32 type} before a handle's data (struct file_handle, fcntl.h). */
export const HANDLE_HEADER_BYTES = 8;
/** MAX_HANDLE_SZ (linux/exportfs.h) behind that header. */
export const HANDLE_RECORD_MAX_BYTES = 136;

// --- linux/netlink.h, linux/connector.h, linux/cn_proc.h ---
export const NLMSG_HEADER_BYTES = 16;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const CN_MSG_BYTES = 20;
/** Offset of len in struct cn_msg. */
export const CN_MSG_LEN = 16;
export const PROC_WHAT = 0;
/** CLOCK_MONOTONIC nanoseconds. */
export const PROC_TIMESTAMP = 8;
export const PROC_DATA = 16;
export const PROC_CN_MCAST_LISTEN = 1;
export const PROC_CN_MCAST_IGNORE = 2;
export const PROC_EVENT_NONE = 0;
export const PROC_EVENT_FORK = 0x1;
export const PROC_EVENT_EXEC = 0x2;
export const PROC_EVENT_UID = 0x4;
export const PROC_EVENT_COMM = 0x200;
export const PROC_EVENT_EXIT = 0x80000000;

export const NETLINK_CONNECTOR = 11;
export const NETLINK_KOBJECT_UEVENT = 15;
export const NETLINK_GENERIC = 16;
export const NLM_F_REQUEST = 1;
export const CN_IDX_PROC = 1;
/** Group of a uevent socket that the kernel itself sends to. */
export const UEVENT_GROUP_KERNEL = 1;

// --- linux/genetlink.h, linux/taskstats.h ---
export const GENL_HEADER_BYTES = 4;
export const GENL_ID_CTRL = 16;
export const CTRL_CMD_GETFAMILY = 3;
export const CTRL_ATTR_FAMILY_ID = 1;
export const CTRL_ATTR_FAMILY_NAME = 2;
export const TASKSTATS_NAME = "TASKSTATS";
export const TASKSTATS_CMD_GET = 1;
export const TASKSTATS_CMD_ATTR_REGISTER_CPUMASK = 3;
export const TASKSTATS_TYPE_STATS = 3;
export const TASKSTATS_TYPE_AGGR_PID = 4;
/** Offsets in struct taskstats; it only ever grows at its end. */
export const TASKSTATS_COMM = 80;
export const TASKSTATS_UID = 120;
export const TASKSTATS_PID = 128;
export const TASKSTATS_PPID = 132;
/** Version 12 (5.18), before: not there. */
export const TASKSTATS_TGID = 368;
export const TASKSTATS_TGID_VERSION = 12;

// --- linux/perf_event.h ---
export const PERF_HEADER_BYTES = 8;
export const PERF_MISC = 4;
export const PERF_SIZE = 6;
export const PERF_RECORD_LOST = 2;
export const PERF_RECORD_COMM = 3;
export const PERF_RECORD_EXIT = 4;
export const PERF_RECORD_FORK = 7;
/** In misc of a COMM record: the name changed by exec. */
export const PERF_RECORD_MISC_COMM_EXEC = 0x2000;
/** sample_id behind each record for TID | TIME | CPU: {u32 pid, u32 tid, u64 time, u32 cpu, u32 0}. */
export const PERF_SAMPLE_ID_BYTES = 24;

/** comm is at most 15 bytes and a NUL (TASK_COMM_LEN, linux/sched.h). */
export const COMM_BYTES = 16;

/** What fh_layout(i) must answer. */
export const LAYOUT: readonly (readonly [name: string, value: number])[] = [
  ["sizeof(fanotify_event_metadata)", METADATA_BYTES],
  ["fanotify_event_metadata.vers", METADATA_VERS],
  ["fanotify_event_metadata.metadata_len", METADATA_LEN],
  ["fanotify_event_metadata.mask", METADATA_MASK],
  ["fanotify_event_metadata.fd", METADATA_FD],
  ["fanotify_event_metadata.pid", METADATA_PID],
  ["sizeof(fanotify_event_info_header)", INFO_HEADER_BYTES],
  ["fanotify_event_info_header.len", INFO_LEN],
  ["fanotify_event_info_fid.fsid", INFO_FSID],
  ["fanotify_event_info_fid.handle", INFO_HANDLE],
  ["sizeof(fanotify_event_info_error)", INFO_ERROR_BYTES],
  ["fanotify_event_info_error.error", INFO_ERROR_ERROR],
  ["fanotify_event_info_error.error_count", INFO_ERROR_COUNT],
  ["sizeof(nlmsghdr)", NLMSG_HEADER_BYTES],
  ["sizeof(cn_msg)", CN_MSG_BYTES],
  ["cn_msg.len", CN_MSG_LEN],
  ["proc_event.what", PROC_WHAT],
  ["proc_event.timestamp_ns", PROC_TIMESTAMP],
  ["proc_event.event_data", PROC_DATA],
  ["sizeof(perf_event_header)", PERF_HEADER_BYTES],
  ["perf_event_header.misc", PERF_MISC],
  ["perf_event_header.size", PERF_SIZE],
  ["taskstats.ac_comm", TASKSTATS_COMM],
  ["taskstats.ac_uid", TASKSTATS_UID],
  ["taskstats.ac_pid", TASKSTATS_PID],
  ["taskstats.ac_ppid", TASKSTATS_PPID],
];

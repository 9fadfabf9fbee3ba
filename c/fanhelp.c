/* fanhelp: the system calls that fsmon needs and the runtime doesn't offer.
 *
 * Called through bun:ffi from src/kernel/ only (src/kernel/helper.ts lists every function with its types).
 * Every function returns >= 0 or -errno, takes a size with every buffer, owns nothing it wasn't given, never
 * prints and decides nothing: policy is TypeScript's. 64-bit results travel as double, exact up to 2^53. All
 * descriptors are close-on-exec from birth.
 *
 * Used: fanotify_init/mark (5.1 for names by handle, 5.9 for FAN_REPORT_NAME, 5.17 for FAN_RENAME),
 * name_to_handle_at, open_by_handle_at (2.6.39), getdents64, statx (4.11), statfs, open_tree, fsopen, fsconfig,
 * fsmount (5.2), netlink connector (2.6.14,
 * event filter 6.6), taskstats (2.6.17), uevents, perf_event_open (software dummy event 3.12, lost counter 6.0),
 * setfsuid/setfsgid/setgroups, flock, splice (2.6.17), copy_file_range (4.5), F_SETPIPE_SZ (2.6.35), SO_PEERCRED, epoll, prctl(PR_CAPBSET_*), capset, execve. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>
#include <linux/capability.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/fanotify.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/taskstats.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* The newest symbol versions would tie the binary to the glibc it was built with; the runtime itself runs
 * from 2.17 on. pthread_create moved into libc in 2.34 and kept its old version; statx and fstatat are called
 * as the system calls they are. */
#if defined(__x86_64__)
__asm__(".symver pthread_create,pthread_create@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver pthread_create,pthread_create@GLIBC_2.17");
#endif

#define EXPORT __attribute__((visibility("default")))

/* Largest handle the kernel makes: MAX_HANDLE_SZ in linux/exportfs.h. */
#define HANDLE_MAX 128

/* Arguments, or variables, that fh_exec_self() hands on: a command line of fsmon has a dozen. */
#define EXEC_STRINGS_MAX 1024
/* MADV_PAGEOUT of linux/mman.h; older C libraries lack it. */
#define MADVISE_PAGEOUT 21

/* The kernel's struct file_handle with room for the largest handle (fcntl.h leaves the array open). */
struct handle {
	uint32_t bytes;
	int32_t type;
	unsigned char data[HANDLE_MAX];
};

static int64_t result(int64_t rc)
{
	return rc < 0 ? -(int64_t)errno : rc;
}

/* ---- identity ------------------------------------------------------------------------------------------------ */

/* Gives the calling thread another filesystem identity. Raw system calls, because glibc's setgroups() changes
 * every thread of the process. setfsuid() never fails visibly: it is asked a second time what is in force. */
EXPORT int32_t fh_identity(uint32_t uid, uint32_t gid, const uint32_t *groups, uint32_t count)
{
	/* Root first: setgroups needs CAP_SETGID, which stays, but leaving a person's identity must not
	 * depend on it. */
	setfsuid(0);
	setfsgid(0);
	if (syscall(SYS_setgroups, (size_t)count, groups) < 0)
		return -errno;
	setfsgid(gid);
	setfsuid(uid);
	if ((uint32_t)setfsgid((gid_t)-1) != gid || (uint32_t)setfsuid((uid_t)-1) != uid)
		return -EPERM;
	return 0;
}

/* Supplementary groups of the calling thread; returns how many. */
EXPORT int32_t fh_groups(uint32_t *groups, uint32_t capacity)
{
	return (int32_t)result(syscall(SYS_getgroups, (int)capacity, groups));
}

/* ---- files, locks, sockets ----------------------------------------------------------------------------------- */

/* flock(2); operation is LOCK_* of sys/file.h. */
EXPORT int32_t fh_flock(int32_t fd, int32_t operation)
{
	return (int32_t)result(flock(fd, operation));
}

/* Credentials of a Unix socket's peer into out: pid, uid, gid. */
EXPORT int32_t fh_peer(int32_t fd, uint32_t *out, uint32_t capacity)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;

	if (capacity < 3)
		return -EINVAL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	out[0] = (uint32_t)credentials.pid;
	out[1] = credentials.uid;
	out[2] = credentials.gid;
	return 0;
}

/* A Unix socket's address; one that begins with '@' is abstract. Returns its size or -EINVAL. */
static int unix_address(struct sockaddr_un *to, const char *address, uint32_t size)
{
	memset(to, 0, sizeof *to);
	to->sun_family = AF_UNIX;
	if (size == 0 || size >= sizeof to->sun_path)
		return -EINVAL;
	memcpy(to->sun_path, address, size);
	if (to->sun_path[0] == '@')
		to->sun_path[0] = 0;
	return (int)(offsetof(struct sockaddr_un, sun_path) + size);
}

/* Clients that wait to be taken; the next one gets EAGAIN. */
#define LISTEN_BACKLOG 512

/* Listens at a path with a file that only its owner may use. Returns the descriptor. */
EXPORT int32_t fh_unix_listen(const char *path, uint32_t path_size)
{
	struct sockaddr_un at;
	int fd, rc, size = unix_address(&at, path, path_size);

	if (size < 0)
		return size;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* bind(2) gives the file the mode of the socket itself: there is no moment in which others could use it. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&at, (socklen_t)size) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* Tries to connect to a path without waiting: 0 when somebody listens, -EAGAIN when its backlog is full. */
EXPORT int32_t fh_unix_try(const char *path, uint32_t path_size)
{
	struct sockaddr_un to;
	int fd, rc, size = unix_address(&to, path, path_size);

	if (size < 0)
		return size;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (struct sockaddr *)&to, (socklen_t)size) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

/* poll(2) on one descriptor; returns the events that are ready, 0 when the time is over. */
EXPORT int32_t fh_poll(int32_t fd, int32_t events, int32_t timeout_ms)
{
	struct pollfd one = {.fd = fd, .events = (short)events};
	int rc = poll(&one, 1, timeout_ms);

	if (rc < 0)
		return -errno;
	return rc == 0 ? 0 : one.revents;
}

/* Columns of the terminal behind fd; 0 when it doesn't know. */
EXPORT int32_t fh_columns(int32_t fd)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return -errno;
	return size.ws_col;
}

/* read(2). */
EXPORT double fh_read(int32_t fd, void *buffer, uint32_t size)
{
	return (double)result(read(fd, buffer, size));
}

/* Moves [at, at + size) of a file into a pipe by reference (splice, 2.6.17), or into another regular file without a
 * detour through this process (copy_file_range, 4.5). Returns how much the kernel moved; 0 at the file's end. */
EXPORT double fh_move(int32_t in, double at, int32_t out, double size, int32_t to_pipe)
{
	int64_t from = (int64_t)at;

	/* copy_file_range as the system call it is: glibc has a function for it only from 2.27 on. */
	if (to_pipe)
		return (double)result(splice(in, &from, out, NULL, (size_t)size, SPLICE_F_MORE));
	return (double)result(syscall(SYS_copy_file_range, in, &from, out, NULL, (size_t)size, 0u));
}

/* Asks for a larger pipe (F_SETPIPE_SZ, 2.6.35); returns what it holds now. */
EXPORT int32_t fh_pipe_size(int32_t fd, int32_t bytes)
{
	return (int32_t)result(fcntl(fd, F_SETPIPE_SZ, bytes));
}

/* Bytes that a read would find: for a fanotify group 24 times the number of queued events. */
EXPORT int32_t fh_pending(int32_t fd)
{
	int bytes = 0;

	if (ioctl(fd, FIONREAD, &bytes) < 0)
		return -errno;
	return bytes;
}

/* CLOCK_MONOTONIC in nanoseconds, on which perf and the proc connector stamp their records. */
EXPORT double fh_monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Gives the pages of a mapping back to the kernel (Linux 5.4). Of a file's mapping they are read again when they are touched. */
EXPORT int32_t fh_page_out(double address, double bytes)
{
	return madvise((void *)(uintptr_t)address, (size_t)bytes, MADVISE_PAGEOUT) < 0 ? -errno : 0;
}

/* 0 while a process of that number exists, a zombie included. */
EXPORT int32_t fh_alive(int32_t pid)
{
	/* EPERM: there is one, and it is not ours to signal. */
	return kill(pid, 0) < 0 && errno != EPERM ? -errno : 0;
}

/* Sizes of `count` files whose NUL-terminated paths stand one after the other; out[i] is the size in bytes,
 * or -errno. Never opens the file, never follows a link, never asks a server (AT_STATX_DONT_SYNC). */
EXPORT int32_t fh_sizes(const char *paths, uint32_t size, uint32_t count, double *out)
{
	const char *end = paths + size;

	for (uint32_t i = 0; i < count; i++) {
		struct statx stx;
		size_t length;

		if (paths >= end)
			return -EINVAL;
		length = strnlen(paths, (size_t)(end - paths));
		if (paths + length >= end)
			return -EINVAL;
		if (syscall(SYS_statx, AT_FDCWD, paths, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
			    STATX_SIZE | STATX_TYPE, &stx) < 0)
			out[i] = -errno;
		else
			out[i] = S_ISDIR(stx.stx_mode) ? 0 : (double)stx.stx_size;
		paths += length + 1;
	}
	return (int32_t)count;
}

/* ---- filesystems that may not answer -------------------------------------------------------------------------------
 *
 * A FUSE or network server that hangs holds up whoever asks it, uninterruptibly, and a thread that is held up would keep
 * the process from ending. So such filesystems are asked by processes of their own that share our memory and nothing
 * else: no descriptors (a lock file would stay locked), no signals. They make system calls without libc, whose errno is
 * the calling thread's. They end with the thread that made them. */
#define PROBES_MAX 16
#define PROBE_PATHS (1 << 20)
#define PROBE_RESULTS (1 << 14)
#define PROBE_STACK (64 << 10)
#ifndef CLOSE_RANGE_SYSCALL
#define CLOSE_RANGE_SYSCALL 436
#endif

struct probe {
	/* How many jobs were given, and how many were done: equal while there is nothing to do. */
	uint32_t given, done;
	uint32_t count, answered, cancelled;
	int32_t flags;
	char paths[PROBE_PATHS];
	double results[PROBE_RESULTS];
	char stack[PROBE_STACK] __attribute__((aligned(16)));
};

static struct probe *probes[PROBES_MAX];

static long raw_syscall(long number, long a, long b, long c, long d, long e)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long rc;

	__asm__ volatile("syscall" : "=a"(rc) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return rc;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
#endif
}

static int probe_main(void *argument)
{
	struct probe *probe = argument;
	uint32_t job = 0;

	raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	raw_syscall(SYS_prctl, PR_SET_NAME, (long)"fsmon-probe", 0, 0, 0);
	/* 5.9; before, the few that there are stay open in it. */
	raw_syscall(CLOSE_RANGE_SYSCALL, 0, (long)~0U, 0, 0, 0);
	for (;;) {
		const char *path = probe->paths;

		while (__atomic_load_n(&probe->given, __ATOMIC_ACQUIRE) == job)
			raw_syscall(SYS_futex, (long)&probe->given, FUTEX_WAIT_PRIVATE, job, 0, 0);
		for (uint32_t i = 0; i < probe->count && !__atomic_load_n(&probe->cancelled, __ATOMIC_ACQUIRE); i++) {
			struct statx stx;
			long rc = raw_syscall(SYS_statx, AT_FDCWD, (long)path, probe->flags, STATX_SIZE | STATX_TYPE, (long)&stx);

			probe->results[i] = rc < 0 ? (double)rc : S_ISDIR(stx.stx_mode) ? 0 : (double)stx.stx_size;
			__atomic_store_n(&probe->answered, i + 1, __ATOMIC_RELEASE);
			while (*path++)
				;
		}
		job++;
		__atomic_store_n(&probe->done, job, __ATOMIC_RELEASE);
		raw_syscall(SYS_futex, (long)&probe->done, FUTEX_WAKE_PRIVATE, 1, 0, 0);
	}
	return 0;
}

static int probe_start(uint32_t index)
{
	struct probe *probe = mmap(NULL, sizeof *probe, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	sigset_t all, before;
	int pid, failed;

	if (probe == MAP_FAILED)
		return -errno;
	/* Its handlers are the runtime's, which must not run there. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone(probe_main, probe->stack + PROBE_STACK, CLONE_VM, probe);
	failed = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		munmap(probe, sizeof *probe);
		return -failed;
	}
	probes[index] = probe;
	return 0;
}

/* As fh_sizes(), through the probe of that index; force_sync: the server itself is asked, whatever is cached. Waits so
 * long at most: what wasn't answered until then is -ETIMEDOUT. -EBUSY: an earlier question still waits for its answer. */
EXPORT int32_t fh_probe_sizes(uint32_t index, int32_t force_sync, const char *paths, uint32_t size, uint32_t count, double *out,
			      int32_t timeout_ms)
{
	struct timespec deadline, now, left;
	struct probe *probe;
	uint32_t answered, job;
	int rc;

	if (index >= PROBES_MAX || size == 0 || paths[size - 1] != 0)
		return -EINVAL;
	if (size > PROBE_PATHS || count > PROBE_RESULTS)
		return -EOVERFLOW;
	if (!probes[index] && (rc = probe_start(index)) < 0)
		return rc;
	probe = probes[index];
	job = probe->given;
	if (__atomic_load_n(&probe->done, __ATOMIC_ACQUIRE) != job)
		return -EBUSY;
	memcpy(probe->paths, paths, size);
	probe->count = count;
	probe->answered = probe->cancelled = 0;
	probe->flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (force_sync ? AT_STATX_FORCE_SYNC : AT_STATX_DONT_SYNC);
	__atomic_store_n(&probe->given, job + 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &probe->given, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += timeout_ms / 1000;
	deadline.tv_nsec += (timeout_ms % 1000) * 1000000L;
	while (__atomic_load_n(&probe->done, __ATOMIC_ACQUIRE) != job + 1) {
		int64_t left_ns;

		clock_gettime(CLOCK_MONOTONIC, &now);
		left_ns = (deadline.tv_sec - now.tv_sec) * 1000000000LL + deadline.tv_nsec - now.tv_nsec;
		if (left_ns <= 0)
			break;
		left.tv_sec = left_ns / 1000000000;
		left.tv_nsec = left_ns % 1000000000;
		syscall(SYS_futex, &probe->done, FUTEX_WAIT_PRIVATE, job, &left, NULL, 0);
	}
	__atomic_store_n(&probe->cancelled, 1, __ATOMIC_RELEASE);
	answered = __atomic_load_n(&probe->answered, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < count; i++)
		out[i] = i < answered ? probe->results[i] : -ETIMEDOUT;
	return (int32_t)count;
}

/* ---- fanotify ------------------------------------------------------------------------------------------------- */

EXPORT int32_t fh_fan_init(uint32_t flags, uint32_t event_flags)
{
	return (int32_t)result(syscall(SYS_fanotify_init, flags, event_flags));
}

/* fanotify_mark(2). A path of NULL marks what dirfd itself refers to. The mask comes in two halves because a
 * JavaScript number has no 64 bits. */
EXPORT int32_t fh_fan_mark(int32_t fan, uint32_t flags, uint32_t mask_low, uint32_t mask_high, int32_t dirfd, const char *path)
{
	uint64_t mask = (uint64_t)mask_high << 32 | mask_low;

	return (int32_t)result(syscall(SYS_fanotify_mark, fan, flags, mask, dirfd, path));
}

/* ---- handles -------------------------------------------------------------------------------------------------- */

/* Default overlayfs has handles that name an object and can't be opened; they must be asked for (6.5). */
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

static int handle_of(int dirfd, const char *path, int flags, struct handle *handle, int *mount_id)
{
	handle->bytes = HANDLE_MAX;
	if (name_to_handle_at(dirfd, path, (struct file_handle *)handle, mount_id, flags) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -1;
	handle->bytes = HANDLE_MAX;
	if (name_to_handle_at(dirfd, path, (struct file_handle *)handle, mount_id, flags | AT_HANDLE_FID) == 0)
		return 0;
	if (errno == EINVAL)
		errno = EOPNOTSUPP;
	return -1;
}

/* Writes {u32 bytes, s32 type, data} of path (or of dirfd, with an empty path) to out; returns the length
 * written. flags: AT_EMPTY_PATH, AT_SYMLINK_FOLLOW. */
EXPORT int32_t fh_handle(int32_t dirfd, const char *path, int32_t flags, void *out, uint32_t capacity)
{
	struct handle handle;
	int mount_id;
	uint32_t length;

	if (handle_of(dirfd, path, flags, &handle, &mount_id) < 0)
		return -errno;
	length = (uint32_t)offsetof(struct handle, data) + handle.bytes;
	if (length > capacity)
		return -EOVERFLOW;
	memcpy(out, &handle, length);
	return (int32_t)length;
}

static int copy_handle(struct handle *to, const void *from, uint32_t size)
{
	if (size < offsetof(struct handle, data) || size > sizeof *to)
		return -EINVAL;
	memcpy(to, from, size);
	if (to->bytes != size - offsetof(struct handle, data))
		return -EINVAL;
	return 0;
}

/* True when both descriptors refer to the same object. */
static int same_object(int a, int b)
{
	struct statx one, other;

	return syscall(SYS_statx, a, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &one) == 0 &&
	       syscall(SYS_statx, b, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &other) == 0 &&
	       one.stx_ino == other.stx_ino && one.stx_dev_major == other.stx_dev_major &&
	       one.stx_dev_minor == other.stx_dev_minor;
}

/* The path that a handle's directory has now, as seen through mount_fd's mount, into out; returns its length.
 * -ESTALE when it is gone, -EXDEV when it lies outside what that mount shows (the kernel then says "/").
 * mount_fd is the mount's root and must not be O_PATH (EBADF). Not for files: with a cold dentry cache a file's
 * path reads as "/". */
EXPORT int32_t fh_handle_path(int32_t mount_fd, const void *handle_bytes, uint32_t size, void *out, uint32_t capacity)
{
	struct handle handle;
	char link[40];
	int fd;
	int64_t rc = copy_handle(&handle, handle_bytes, size);

	if (rc < 0)
		return (int32_t)rc;
	fd = open_by_handle_at(mount_fd, (struct file_handle *)&handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	rc = result(readlink(link, out, capacity));
	if (rc == 1 && !same_object(fd, mount_fd))
		rc = -EXDEV;
	close(fd);
	return (int32_t)rc;
}

/* True when name in directory is the one with this handle. What another filesystem is mounted on can't be compared. */
static int is_there(int directory, const char *name, const struct handle *handle, int home_mount)
{
	struct handle there;
	int mount;

	return handle_of(directory, name, 0, &there, &mount) == 0 &&
	       (mount != home_mount || (there.type == handle->type && there.bytes == handle->bytes &&
					memcmp(there.data, handle->data, handle->bytes) == 0));
}

/* The name of a directory in its parent, of at most 255 bytes, with its NUL. /proc says it, but for paths that are too long: then
 * the parent is read. Returns its length, -ENOENT when it isn't there. */
static int64_t name_in(int parent, int fd, const struct handle *handle, int home_mount, char *out)
{
	char link[40], path[4097], entries[4096];
	const char *name;
	int64_t got;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	got = readlink(link, path, sizeof path - 1);
	if (got > 0) {
		path[got] = 0;
		name = strrchr(path, '/');
		if (name == NULL || strlen(++name) > 255 || !is_there(parent, name, handle, home_mount))
			return -ENOENT;
		return snprintf(out, 256, "%s", name);
	}
	while ((got = syscall(SYS_getdents64, parent, entries, sizeof entries)) > 0)
		for (int64_t at = 0; at < got; at += ((struct dirent64 *)(entries + at))->d_reclen) {
			struct dirent64 *entry = (struct dirent64 *)(entries + at);

			if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) && strcmp(entry->d_name, "..") != 0 &&
			    strcmp(entry->d_name, ".") != 0 && is_there(parent, entry->d_name, handle, home_mount))
				return snprintf(out, 256, "%s", entry->d_name);
		}
	return -ENOENT;
}

/* Rename, mkdir and rmdir hold their directories' locks until their event is queued (fs/namei.c), and getdents waits for that
 * lock: whatever had been done in the directory before is in the event queue when this returns. */
static int64_t await_changes(int fd)
{
	char entries[1024];

	return result(syscall(SYS_getdents64, fd, entries, sizeof entries));
}

/* Waits until whatever is being done to a directory's entries at this moment is in the event queue as a whole. */
EXPORT int32_t fh_handle_await(int32_t mount_fd, const void *handle_bytes, uint32_t size)
{
	struct handle handle;
	int64_t rc = copy_handle(&handle, handle_bytes, size);
	int fd;

	if (rc < 0)
		return (int32_t)rc;
	fd = open_by_handle_at(mount_fd, (struct file_handle *)&handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	if (fd < 0)
		return -errno;
	rc = await_changes(fd);
	close(fd);
	return rc < 0 ? (int32_t)rc : 0;
}

/* Where a handle's directory is now: {u32 bytes, s32 type, data} of the directory that holds it, then its name, into out. Returns
 * their length; 0 for the root of what mount_fd's mount shows; -ESTALE when it is gone, -EXDEV when no way leads from it to that
 * root, -ENOENT when it is just being moved or removed. Whatever brought the directory there is in the event queue when this
 * returns. */
EXPORT int32_t fh_handle_place(int32_t mount_fd, const void *handle_bytes, uint32_t size, unsigned char *out, uint32_t capacity)
{
	struct handle handle, above;
	char name[256];
	uint32_t head;
	int mount, mount_above, fd, parent;
	int64_t rc = copy_handle(&handle, handle_bytes, size);

	if (rc < 0)
		return (int32_t)rc;
	fd = open_by_handle_at(mount_fd, (struct file_handle *)&handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	if (parent < 0)
		rc = errno == ENOENT ? -EXDEV : -errno;
	else if (handle_of(mount_fd, "", AT_EMPTY_PATH, &above, &mount) < 0 ||
		 handle_of(parent, "", AT_EMPTY_PATH, &above, &mount_above) < 0)
		rc = -errno;
	else if (mount != mount_above || same_object(fd, parent))
		rc = 0;
	else if ((rc = name_in(parent, fd, &handle, mount, name)) > 0) {
		head = (uint32_t)offsetof(struct handle, data) + above.bytes;
		if (head + rc > capacity)
			rc = -EOVERFLOW;
		else if (await_changes(parent) < 0)
			rc = -errno;
		else {
			memcpy(out, &above, head);
			memcpy(out + head, name, (size_t)rc);
			rc += head;
		}
	}
	if (parent >= 0)
		close(parent);
	close(fd);
	return (int32_t)rc;
}

/* The directory that an entry of a handle's directory is now: its handle {u32 bytes, s32 type, data} into out. Returns the length; 0
 * when nothing or something else has that name. Whatever brought it there is in the event queue when this returns. */
EXPORT int32_t fh_handle_child(int32_t mount_fd, const void *handle_bytes, uint32_t size, const char *name, unsigned char *out,
			       uint32_t capacity)
{
	struct handle handle, child;
	int mount, mount_child, fd, entry;
	int64_t rc = copy_handle(&handle, handle_bytes, size);

	if (rc < 0)
		return (int32_t)rc;
	fd = open_by_handle_at(mount_fd, (struct file_handle *)&handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	if (fd < 0)
		return -errno;
	entry = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (entry < 0)
		rc = errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	else if (handle_of(fd, "", AT_EMPTY_PATH, &handle, &mount) < 0 ||
		 handle_of(entry, "", AT_EMPTY_PATH, &child, &mount_child) < 0)
		rc = -errno;
	else if (mount == mount_child) {
		rc = (int64_t)offsetof(struct handle, data) + child.bytes;
		if (rc > capacity)
			rc = -EOVERFLOW;
		else
			memcpy(out, &child, (size_t)rc);
	}
	if (entry >= 0)
		close(entry);
	if (rc >= 0 && await_changes(fd) < 0)
		rc = -errno;
	close(fd);
	return (int32_t)rc;
}

/* f_type and the two halves of f_fsid of path into out: the fsid is what fanotify's records carry. */
EXPORT int32_t fh_statfs(const char *path, uint32_t *out, uint32_t capacity)
{
	struct statfs fs;

	if (capacity < 3)
		return -EINVAL;
	if (statfs(path, &fs) < 0)
		return -errno;
	out[0] = (uint32_t)fs.f_type;
	memcpy(out + 1, &fs.f_fsid, 8);
	return 0;
}

/* ---- scan ----------------------------------------------------------------------------------------------------- */

/* Entries of an open directory, in the shape of fanotify's records: for each {u32 record_len, u32 flags, times, u32
 * bytes, s32 type, handle, name, NUL, padding to 4}. Only subdirectories, or all; what is no directory comes without a
 * handle. flags 1: another filesystem is mounted there (the handle is that one's root); 2: no directory; 4: with
 * times, {double born, written, changed, size}: milliseconds since 1970 (NaN where the filesystem doesn't know its
 * births), and bytes; 8: a regular file. Times are asked for where until_ms > 0.
 *
 * Returns the bytes written; *position is where to go on (0: all done), because one directory may hold more than a
 * buffer does, or than may be looked at in one go. It is opaque: ext4's positions are 63-bit hashes. */
enum { SCAN_DIRECTORIES, SCAN_TOUCHED, SCAN_ALL };
#define SCAN_MOUNTED 1
#define SCAN_NO_DIRECTORY 2
#define SCAN_TIMED 4
#define SCAN_REGULAR 8
/* Of 32 KiB of entries each: some thousand entries, and a few milliseconds where each one's times are asked for. */
#define SCAN_READS_MAX 4

struct scan {
	int what;
	double since_ms, until_ms;
};

static double milliseconds(const struct statx_timestamp *time)
{
	return (double)time->tv_sec * 1e3 + (double)(time->tv_nsec / 1000000);
}

static void times_of(const struct statx *st, double *times)
{
	times[0] = st->stx_mask & STATX_BTIME ? milliseconds(&st->stx_btime) : __builtin_nan("");
	times[1] = milliseconds(&st->stx_mtime);
	times[2] = milliseconds(&st->stx_ctime);
	times[3] = (double)st->stx_size;
}

static int in_span(const struct scan *scan, double time_ms)
{
	return time_ms >= scan->since_ms && time_ms <= scan->until_ms;
}

/* Made, written or changed in the span. A time of writing alone can be set by anybody: it counts for what was changed
 * since. */
static int is_touched(const struct scan *scan, const double *times)
{
	return in_span(scan, times[0]) || in_span(scan, times[2]) || (in_span(scan, times[1]) && times[2] >= scan->since_ms);
}

static int64_t scan_entries(int fd, const struct scan *scan, unsigned char *to, uint32_t capacity, int64_t *position)
{
	struct handle handle;
	char entries[32768];
	uint32_t used = 0;
	int home_mount = -1, timed = scan->until_ms > 0;

	if (handle_of(fd, "", AT_EMPTY_PATH, &handle, &home_mount) < 0 || (*position > 0 && lseek(fd, *position, SEEK_SET) < 0))
		return -errno;
	for (int reads = 0; reads < SCAN_READS_MAX; reads++) {
		int64_t got = syscall(SYS_getdents64, fd, entries, sizeof entries);

		if (got < 0)
			return -errno;
		if (got == 0) {
			*position = 0;
			return used;
		}
		for (int64_t at = 0; at < got;) {
			struct dirent64 *entry = (struct dirent64 *)(entries + at);
			const char *name = entry->d_name;
			size_t name_size = strlen(name) + 1, times_size = 0;
			uint32_t head[2], length, length_to_name, flags = 0;
			double times[4];
			struct statx st;
			int mount_id = home_mount, directory = entry->d_type == DT_DIR;

			at += entry->d_reclen;
			if (scan->what == SCAN_DIRECTORIES && !directory && entry->d_type != DT_UNKNOWN)
				goto next;
			if (name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0)))
				goto next;
			if (timed || entry->d_type == DT_UNKNOWN) {
				if (syscall(SYS_statx, fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
					    STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
					goto next;
				directory = S_ISDIR(st.stx_mode);
				if (scan->what == SCAN_DIRECTORIES && !directory)
					goto next;
			}
			if (timed) {
				times_of(&st, times);
				if (scan->what == SCAN_TOUCHED && !directory && !is_touched(scan, times))
					goto next;
				times_size = sizeof times;
				flags |= SCAN_TIMED | (S_ISREG(st.stx_mode) ? SCAN_REGULAR : 0);
			}
			if (!directory)
				handle.bytes = 0, handle.type = 0;
			/* Gone since getdents, or a filesystem that has no handles: nothing to tell. */
			else if (handle_of(fd, name, 0, &handle, &mount_id) < 0)
				goto next;
			length_to_name = (uint32_t)(sizeof head + times_size + offsetof(struct handle, data) + handle.bytes);
			length = (uint32_t)(length_to_name + name_size + 3) & ~3u;
			if (length > capacity - used) {
				await_changes(fd);
				return used == 0 ? -EOVERFLOW : (int64_t)used;
			}
			head[0] = length;
			head[1] = flags | (mount_id != home_mount ? SCAN_MOUNTED : 0) | (directory ? 0 : SCAN_NO_DIRECTORY);
			memset(to + used + length - 4, 0, 4);
			memcpy(to + used, head, sizeof head);
			memcpy(to + used + sizeof head, times, times_size);
			memcpy(to + used + sizeof head + times_size, &handle, offsetof(struct handle, data) + handle.bytes);
			memcpy(to + used + length_to_name, name, name_size);
			used += length;
next:
			*position = entry->d_off;
		}
	}
	await_changes(fd);
	return used;
}

/* Times of what path names, a final link itself: {born, written, changed, size} as above. Returns its type (S_IFMT). */
EXPORT int32_t fh_times(const char *path, double *out, uint32_t capacity)
{
	struct statx st;

	if (capacity < 4)
		return -EINVAL;
	if (syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		    STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return -errno;
	times_of(&st, out);
	return st.stx_mode & S_IFMT;
}

/* The same of what a handle stands for, whatever its name is now: -ESTALE when it is gone. Never opens it (O_PATH). */
EXPORT int32_t fh_handle_times(int32_t mount_fd, const void *handle_bytes, uint32_t size, double *out, uint32_t capacity)
{
	struct handle handle;
	struct statx st;
	int64_t rc = copy_handle(&handle, handle_bytes, size);
	int fd;

	if (rc < 0 || capacity < 4)
		return rc < 0 ? (int32_t)rc : -EINVAL;
	fd = open_by_handle_at(mount_fd, (struct file_handle *)&handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = result(syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME, &st));
	close(fd);
	if (rc < 0)
		return (int32_t)rc;
	times_of(&st, out);
	return st.stx_mode & S_IFMT;
}

/* Subdirectories of a directory that is opened by its handle, so that neither its depth nor a rename in the
 * meantime matters; with until_ms > 0 also whatever else was made, written or changed in that span. */
EXPORT double fh_scan(int32_t mount_fd, const void *handle_bytes, uint32_t size, double since_ms, double until_ms, void *out,
		      uint32_t capacity, int64_t *position)
{
	const struct scan scan = {until_ms > 0 ? SCAN_TOUCHED : SCAN_DIRECTORIES, since_ms, until_ms};
	struct handle handle;
	int64_t rc = copy_handle(&handle, handle_bytes, size);
	int fd;

	if (rc < 0)
		return (double)rc;
	/* O_NOATIME keeps the scan from changing access times. */
	fd = open_by_handle_at(mount_fd, (struct file_handle *)&handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	if (fd < 0)
		return -errno;
	rc = scan_entries(fd, &scan, out, capacity, position);
	close(fd);
	return (double)rc;
}

/* All entries of an open directory; with_times: of each one. */
EXPORT double fh_scan_open(int32_t fd, int32_t with_times, void *out, uint32_t capacity, int64_t *position)
{
	const struct scan scan = {SCAN_ALL, 0, with_times};

	return (double)scan_entries(fd, &scan, out, capacity, position);
}

/* ---- mounts --------------------------------------------------------------------------------------------------- */

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#define FSMOUNT_CLOEXEC 1
#define FSCONFIG_SET_FLAG 0
#define FSCONFIG_SET_STRING 1
#define FSCONFIG_CMD_CREATE 6
#endif

/* Opens the root directory of what is mounted at path. Through a private copy of the mount (open_tree, 5.2), which
 * doesn't keep the mount itself busy for umount and shows what other mounts cover; out: whether it is one, and the
 * device's major and minor number, which no server is asked for. Where copies are refused, the directory as it is.
 * Returns the descriptor, good for open_by_handle_at and openat. */
EXPORT int32_t fh_mount_open(const char *path, uint32_t *out)
{
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path,
				OPEN_TREE_CLONE | O_CLOEXEC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW);
	struct statx stx = {0};
	int fd = openat(tree >= 0 ? tree : AT_FDCWD, tree >= 0 ? "." : path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx);
	out[0] = tree >= 0;
	out[1] = stx.stx_dev_major;
	out[2] = stx.stx_dev_minor;
	if (tree >= 0)
		close(tree);
	return fd;
}

/* Opens the top level of the btrfs on a device, whichever subvolume is mounted, by a mount that appears nowhere (5.2).
 * read_only: as the filesystem is now, or the kernel would change it. Returns the descriptor of its root directory. */
EXPORT int32_t fh_btrfs_top(const char *device, int32_t read_only)
{
	int context = (int)syscall(SYS_fsopen, "btrfs", FSOPEN_CLOEXEC);
	int mount, fd = -1, failed = 0;

	if (context < 0)
		return -errno;
	if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
	    syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "subvolid", "5", 0) < 0 ||
	    (read_only && syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0) ||
	    syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0)) < 0) {
		failed = errno;
	} else {
		fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		failed = errno;
		close(mount);
	}
	close(context);
	return fd < 0 ? -failed : fd;
}

/* Opens the directory at path below base (empty: base itself) if it is the one with that handle; -ESTALE when another
 * stands there. */
EXPORT int32_t fh_directory_open(int32_t base, const char *path, const void *handle_bytes, uint32_t size)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct handle wanted, found;
	int mount_id, fd;
	int64_t rc = copy_handle(&wanted, handle_bytes, size);

	if (rc < 0)
		return (int32_t)rc;
	fd = openat(base, path[0] ? path : ".", flags | O_NOATIME);
	/* O_NOATIME is the owner's and root's right; a server may see that otherwise. */
	if (fd < 0 && errno == EPERM)
		fd = openat(base, path[0] ? path : ".", flags);
	if (fd < 0)
		return -errno;
	if (handle_of(fd, "", AT_EMPTY_PATH, &found, &mount_id) < 0)
		rc = -errno;
	else if (found.bytes != wanted.bytes || found.type != wanted.type || memcmp(found.data, wanted.data, found.bytes) != 0)
		rc = -ESTALE;
	if (rc < 0)
		close(fd);
	return rc < 0 ? (int32_t)rc : fd;
}

/* ---- perf side-band ------------------------------------------------------------------------------------------- */

#ifndef PERF_FORMAT_LOST
#define PERF_FORMAT_LOST (1U << 4)
#endif

/* A software event that samples nothing: what else is asked for is reported, stamped with CLOCK_MONOTONIC. */
static struct perf_event_attr side_band(void)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.size = sizeof attr;
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU;
	attr.sample_id_all = 1;
	attr.use_clockid = 1;
	attr.clockid = CLOCK_MONOTONIC;
	return attr;
}

/* Reports fork, exec (as COMM) and exit of every process on one CPU. with_lost asks for the lost counter (6.0; EINVAL
 * before). */
EXPORT int32_t fh_perf_open(int32_t cpu, uint32_t watermark_bytes, int32_t with_lost)
{
	struct perf_event_attr attr = side_band();

	attr.comm = 1;
	attr.comm_exec = 1;
	attr.task = 1;
	attr.watermark = 1;
	attr.wakeup_watermark = watermark_bytes;
	attr.read_format = with_lost ? PERF_FORMAT_LOST : 0;
	return (int32_t)result(syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

/* Maps a ring of data_bytes (a power of two of pages) behind its control page; the address, or -errno. */
EXPORT int64_t fh_perf_map(int32_t fd, uint32_t data_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *map = mmap(NULL, page + data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? -(int64_t)errno : (int64_t)(uintptr_t)map;
}

/* Gives a ring back. Its event lives as long as it is mapped, whatever became of the descriptor. */
EXPORT int32_t fh_perf_unmap(uint64_t map, uint32_t data_bytes)
{
	return (int32_t)result(munmap((void *)(uintptr_t)map, (size_t)sysconf(_SC_PAGESIZE) + data_bytes));
}

/* Bytes [from, from + length) of a ring, which may go on at its beginning. */
static void ring_copy(void *to, const unsigned char *data, uint64_t ring, uint64_t from, uint32_t length)
{
	uint64_t until_end = ring - from % ring;

	if (length <= until_end) {
		memcpy(to, data + from % ring, length);
	} else {
		memcpy(to, data + from % ring, until_end);
		memcpy((char *)to + until_end, data, length - until_end);
	}
}

/* Copies the whole records that are ready and fit from a ring to out and gives their room back; returns the
 * bytes copied. The ring's head and tail need acquire and release, which JavaScript doesn't have. */
EXPORT int32_t fh_perf_drain(uint64_t map, void *out, uint32_t capacity)
{
	struct perf_event_mmap_page *control = (void *)(uintptr_t)map;
	const unsigned char *data = (const unsigned char *)control + control->data_offset;
	uint64_t ring = control->data_size;
	uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = control->data_tail;
	uint32_t used = 0;

	while (tail < head) {
		/* Records are 8-byte aligned, so a header never wraps around the ring's end; its body may. */
		const struct perf_event_header *header = (const void *)(data + tail % ring);
		uint32_t size = header->size;

		if (size < sizeof *header || size > head - tail)
			return -EIO;
		if (size > capacity - used)
			break;
		ring_copy((char *)out + used, data, ring, tail, size);
		used += size;
		tail += size;
	}
	__atomic_store_n(&control->data_tail, tail, __ATOMIC_RELEASE);
	return (int32_t)used;
}

/* Records that the ring had no room for since it was opened (PERF_FORMAT_LOST, 6.0). */
EXPORT double fh_perf_lost(int32_t fd)
{
	uint64_t values[2] = {0, 0};
	ssize_t got = read(fd, values, sizeof values);

	if (got < 0)
		return -errno;
	return got == (ssize_t)sizeof values ? (double)values[1] : -ENODATA;
}

/* ---- executables -------------------------------------------------------------------------------------------------- */

/* What a kernel still writes behind data_head while it is read: four nested records of a path each, and some. */
#define FLIGHT_MARGIN 32768
/* 1 ms: whoever is interrupted between the two may be away for that long. */
#define FLIGHT_DISORDER_NS 1000000

/* Writes down what is mapped to be executed on one CPU, over and over into a ring of ring_bytes (a power of two of
 * pages) that nobody drains: the newest records are always there. *map is where it lies. */
EXPORT int32_t fh_flight_open(int32_t cpu, uint32_t ring_bytes, uint64_t *map)
{
	struct perf_event_attr attr = side_band();
	void *at;
	int rc, fd;

	attr.mmap = 1;
	attr.mmap2 = 1;
	attr.write_backward = 1;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Without PROT_WRITE there is no reader whose place the kernel would respect. */
	at = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE) + ring_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*map = (uint64_t)(uintptr_t)at;
	return fd;
}

/* Which files a ring tells of, oldest first, in the caller's memory (all zero before): each record is walked over once, however
 * many programs are asked for while the reader is behind. */
struct flight_index {
	/* data_head up to which the records are known; entries written so far, of which the last FLIGHT_ENTRIES are there. */
	uint64_t seen, count;
	/* Records were overwritten before they were seen: nothing is known of what came before the oldest entry. */
	uint64_t torn;
	struct {
		uint64_t at, time;
		uint64_t pid;
	} entries[];
};

/* How many entries memory of this size has room for. */
static uint64_t flight_room(uint32_t bytes)
{
	struct flight_index *none = NULL;

	return (bytes - sizeof *none) / sizeof none->entries[0];
}

/* Where in an MMAP2 record the path begins, and what follows it: who, when, where (sample_id_all). */
#define FLIGHT_PATH (sizeof(struct perf_event_header) + 64)
#define FLIGHT_TRAILER 24

/* "[vdso]" and "//anon" are no files. */
static int names_file(const unsigned char *data, uint64_t ring, uint64_t at, const struct perf_event_header *header)
{
	return header->type == PERF_RECORD_MMAP2 && header->size > FLIGHT_PATH + FLIGHT_TRAILER &&
	       data[(at + FLIGHT_PATH) % ring] == '/' && data[(at + FLIGHT_PATH + 1) % ring] != '/';
}

/* Writes down what came since the last look, whose newest record is at head. Returns 0 where the kernel overwrote it meanwhile. */
static int flight_look(struct flight_index *index, uint64_t room, const struct perf_event_mmap_page *control, uint64_t head)
{
	const unsigned char *data = (const unsigned char *)control + control->data_offset;
	/* The head starts at 0 and goes down, so older records are behind newer ones. */
	uint64_t ring = control->data_size, fresh = index->seen - head, end = fresh, at = 0, files = 0, i;
	struct perf_event_header header;
	int torn = fresh > ring - 2 * FLIGHT_MARGIN;

	if (torn)
		end = ring - 2 * FLIGHT_MARGIN;
	/* Records are 8-byte aligned: neither header nor trailer has the ring's end in it, but a path may. */
	for (at = 0; at < end; at += header.size) {
		ring_copy(&header, data, ring, head + at, sizeof header);
		if (header.size < sizeof header + FLIGHT_TRAILER || at + header.size > end)
			break;
		files += (uint64_t)names_file(data, ring, head + at, &header);
	}
	end = at;
	if (torn)
		index->count = 0;
	for (at = 0, i = files; at < end && i > 0; at += header.size) {
		uint64_t slot = (index->count + i - 1) % room;
		uint32_t pid;

		ring_copy(&header, data, ring, head + at, sizeof header);
		if (header.size < sizeof header + FLIGHT_TRAILER)
			break;
		if (!names_file(data, ring, head + at, &header))
			continue;
		/* Of more than there is room for the newest stay. */
		if (files - i < room) {
			ring_copy(&pid, data, ring, head + at + sizeof header, sizeof pid);
			index->entries[slot].pid = pid;
			index->entries[slot].at = head + at;
			ring_copy(&index->entries[slot].time, data, ring, head + at + header.size - FLIGHT_TRAILER + 8, 8);
		}
		i--;
	}
	if (end + (head - __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE)) + FLIGHT_MARGIN > ring)
		return 0;
	index->count += files;
	index->seen = head;
	index->torn |= (uint64_t)torn;
	return 1;
}

/* The first file that process pid mapped to be executed at since_ns or later, in one ring: its path to out, its time to
 * *time_ns; returns the path's length, 0 when there is none, -ENODATA when there may have been one that is overwritten by
 * now. memory is the ring's index, of index_bytes, aligned to 8. */
EXPORT int32_t fh_flight_find(uint64_t map, void *memory, uint32_t index_bytes, int32_t pid, double since_ns, void *out,
                              uint32_t capacity, double *time_ns)
{
	const struct perf_event_mmap_page *control = (const void *)(uintptr_t)map;
	const unsigned char *data = (const unsigned char *)control + control->data_offset;
	struct flight_index *index = memory;
	uint64_t ring = control->data_size, room = flight_room(index_bytes), head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
	/* A record's time is taken before its place: one may stand before another that is a little older. */
	uint64_t since = since_ns > FLIGHT_DISORDER_NS ? (uint64_t)since_ns - FLIGHT_DISORDER_NS : 0;
	uint64_t oldest, low, high, i;

	if (!flight_look(index, room, control, head))
		return -ENODATA;
	oldest = index->count > room ? index->count - room : 0;
	for (low = oldest, high = index->count; low < high;) {
		uint64_t middle = low + (high - low) / 2;

		if (index->entries[middle % room].time < since)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == oldest && (oldest > 0 || index->torn))
		return -ENODATA;
	for (i = low; i < index->count; i++) {
		uint64_t slot = i % room, at = index->entries[slot].at;
		struct perf_event_header header;
		uint32_t length;

		if (index->entries[slot].pid != (uint64_t)pid || (double)index->entries[slot].time < since_ns)
			continue;
		if (at - head > ring - FLIGHT_MARGIN)
			return -ENODATA;
		ring_copy(&header, data, ring, at, sizeof header);
		length = header.size - FLIGHT_PATH - FLIGHT_TRAILER;
		if (length > capacity)
			return -ENODATA;
		ring_copy(out, data, ring, at + FLIGHT_PATH, length);
		*time_ns = (double)index->entries[slot].time;
		if (at - __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE) > ring - FLIGHT_MARGIN)
			return -ENODATA;
		return (int32_t)strnlen(out, length);
	}
	return 0;
}

/* ---- netlink: process events, ends of processes, devices ------------------------------------------------------- */

/* A socket of a netlink protocol that is a member of these groups. Returns the descriptor. */
EXPORT int32_t fh_netlink_open(int32_t protocol, uint32_t groups, uint32_t receive_bytes)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int size = (int)receive_bytes;
	int rc, fd = socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		return -errno;
	/* FORCE goes past net.core.rmem_max with CAP_NET_ADMIN; without it the smaller buffer must do. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* Sends one datagram to where the socket sends by default: for netlink the kernel. */
EXPORT int32_t fh_send(int32_t fd, const void *message, uint32_t size)
{
	return (int32_t)result(send(fd, message, size, 0));
}

/* Sends PROC_CN_MCAST_LISTEN (1) or _IGNORE (2); filtered: with an event mask behind it (6.6; older kernels
 * ignore that longer message). */
EXPORT int32_t fh_proc_listen(int32_t fd, uint32_t operation, uint32_t event_mask, int32_t filtered)
{
	struct {
		struct nlmsghdr header;
		struct cn_msg message;
		uint32_t body[2];
	} __attribute__((packed)) request;
	uint32_t body = filtered ? 8 : 4;
	uint32_t length = (uint32_t)(sizeof request.header + sizeof request.message) + body;

	memset(&request, 0, sizeof request);
	request.header.nlmsg_len = length;
	request.header.nlmsg_type = NLMSG_DONE;
	request.message.id.idx = CN_IDX_PROC;
	request.message.id.val = CN_VAL_PROC;
	request.message.len = (uint16_t)body;
	request.body[0] = operation;
	request.body[1] = event_mask;
	return send(fd, &request, length, 0) < 0 ? -errno : 0;
}

/* Receives datagrams of at most datagram_max bytes one behind the other (each padded to 4 bytes) until there is none or
 * out has no room for another; returns the bytes. *lost becomes 1 when the kernel says that messages were dropped (ENOBUFS,
 * told once). Messages that don't come from the kernel are passed over. */
EXPORT double fh_netlink_receive(int32_t fd, void *out, uint32_t capacity, uint32_t datagram_max, uint32_t *lost)
{
	uint32_t used = 0;

	while (capacity - used >= datagram_max) {
		struct sockaddr_nl from;
		socklen_t from_size = sizeof from;
		ssize_t got = recvfrom(fd, (char *)out + used, datagram_max, 0, (struct sockaddr *)&from, &from_size);

		if (got < 0) {
			if (errno == ENOBUFS) {
				*lost = 1;
				continue;
			}
			if (errno == EAGAIN || errno == EINTR)
				break;
			return used > 0 ? (double)used : -errno;
		}
		if (from.nl_pid == 0)
			used += ((uint32_t)got + 3) & ~3u;
	}
	return used;
}

/* ---- waiter ---------------------------------------------------------------------------------------------------- */

/* One thread that sleeps in epoll_wait and calls back when something is readable, once per fh_waiter_arm().
 * While JavaScript drains at its own pace nothing wakes it: a monitor's cost is its wake-ups. */
static struct {
	int epoll_fd, arm_fd;
	void (*wake)(int32_t fd);
} waiter = {-1, -1, NULL};

static void *waiter_main(void *unused)
{
	(void)unused;
	for (;;) {
		struct epoll_event event;
		uint64_t armed;

		if (read(waiter.arm_fd, &armed, sizeof armed) < 0 && errno != EINTR)
			return NULL;
		while (epoll_wait(waiter.epoll_fd, &event, 1, -1) < 0)
			if (errno != EINTR)
				return NULL;
		waiter.wake(event.data.fd);
	}
}

/* Starts the thread; wake is called on it with a ready descriptor (the runtime's callback is thread-safe).
 * Once per process; the thread ends with it. */
EXPORT int32_t fh_waiter_start(void (*wake)(int32_t fd))
{
	sigset_t all, before;
	pthread_t thread;
	int rc;

	if (waiter.wake)
		return -EBUSY;
	waiter.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	waiter.arm_fd = eventfd(0, EFD_CLOEXEC);
	if (waiter.epoll_fd < 0 || waiter.arm_fd < 0)
		return -errno;
	waiter.wake = wake;
	/* The runtime's own threads are to get the signals. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, NULL, waiter_main, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

/* Adds a descriptor; events is EPOLLIN or EPOLLPRI (mountinfo tells its changes by EPOLLPRI). */
EXPORT int32_t fh_waiter_add(int32_t fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return (int32_t)result(epoll_ctl(waiter.epoll_fd, EPOLL_CTL_ADD, fd, &event));
}

EXPORT int32_t fh_waiter_remove(int32_t fd)
{
	return (int32_t)result(epoll_ctl(waiter.epoll_fd, EPOLL_CTL_DEL, fd, NULL));
}

/* Wants one further call of wake. */
EXPORT int32_t fh_waiter_arm(void)
{
	uint64_t one = 1;

	return write(waiter.arm_fd, &one, sizeof one) < 0 ? -errno : 0;
}

/* ---- the process itself ---------------------------------------------------------------------------------------- */

/* Takes every capability outside `keep` (low and high half) out of the bounding set, and all out of the inheritable and the
 * ambient one: what an execve of root gets is then `keep` at most. Binds the calling thread until then. Returns the
 * securebits in force: with SECBIT_NOROOT (1) root gets nothing by execve. */
EXPORT int32_t fh_capabilities_bound(uint32_t keep_low, uint32_t keep_high)
{
	uint64_t keep = (uint64_t)keep_high << 32 | keep_low;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (int capability = 0; capability < 64; capability++) {
		int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);

		/* EINVAL: the kernel knows no further ones. */
		if (held < 0)
			break;
		if (held && !(keep >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			return -errno;
	}
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return (int32_t)result(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
}

/* Splits NUL-terminated strings that stand one after the other; `out` has room for count + 1 pointers. */
static int split_strings(char *strings, uint32_t size, uint32_t count, char **out)
{
	char *at = strings, *end = strings + size;

	for (uint32_t i = 0; i < count; i++) {
		size_t length = strnlen(at, (size_t)(end - at));

		if (at >= end || at + length >= end)
			return -EINVAL;
		out[i] = at;
		at += length + 1;
	}
	out[count] = NULL;
	return 0;
}

/* execve(2) of this very program, with these arguments and this environment alone. Returns only when that failed. All
 * other threads end with it; the process number stays. */
EXPORT int32_t fh_exec_self(char *arguments, uint32_t arguments_size, uint32_t argument_count, char *environment,
			    uint32_t environment_size, uint32_t variable_count)
{
	char *argv[EXEC_STRINGS_MAX + 1], *envp[EXEC_STRINGS_MAX + 1];

	if (argument_count > EXEC_STRINGS_MAX || variable_count > EXEC_STRINGS_MAX)
		return -E2BIG;
	if (split_strings(arguments, arguments_size, argument_count, argv) < 0 ||
	    split_strings(environment, environment_size, variable_count, envp) < 0)
		return -EINVAL;
	execve("/proc/self/exe", argv, envp);
	return -errno;
}

/* Names the calling thread; the main thread's name is what ps and top show of the process. */
EXPORT int32_t fh_name(const char *name)
{
	return (int32_t)result(prctl(PR_SET_NAME, name, 0, 0, 0));
}

/* Sends one datagram to a Unix socket, without waiting; an address that begins with '@' is abstract. */
EXPORT int32_t fh_datagram(const char *address, uint32_t address_size, const void *message, uint32_t size)
{
	struct sockaddr_un to;
	int fd, rc = 0, to_size = unix_address(&to, address, address_size);

	if (to_size < 0)
		return to_size;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, (socklen_t)to_size) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* ---- layout ---------------------------------------------------------------------------------------------------- */

/* What the C compiler thinks of the structs that src/kernel/abi.ts describes; the test asks in abi.ts's
 * order. */
EXPORT int32_t fh_layout(uint32_t index)
{
	static const int32_t layout[] = {
		sizeof(struct fanotify_event_metadata),
		offsetof(struct fanotify_event_metadata, vers),
		offsetof(struct fanotify_event_metadata, metadata_len),
		offsetof(struct fanotify_event_metadata, mask),
		offsetof(struct fanotify_event_metadata, fd),
		offsetof(struct fanotify_event_metadata, pid),
		sizeof(struct fanotify_event_info_header),
		offsetof(struct fanotify_event_info_header, len),
		offsetof(struct fanotify_event_info_fid, fsid),
		offsetof(struct fanotify_event_info_fid, handle),
		sizeof(struct fanotify_event_info_error),
		offsetof(struct fanotify_event_info_error, error),
		offsetof(struct fanotify_event_info_error, error_count),
		sizeof(struct nlmsghdr),
		sizeof(struct cn_msg),
		offsetof(struct cn_msg, len),
		offsetof(struct proc_event, what),
		offsetof(struct proc_event, timestamp_ns),
		offsetof(struct proc_event, event_data),
		sizeof(struct perf_event_header),
		offsetof(struct perf_event_header, misc),
		offsetof(struct perf_event_header, size),
		offsetof(struct taskstats, ac_comm),
		offsetof(struct taskstats, ac_uid),
		offsetof(struct taskstats, ac_pid),
		offsetof(struct taskstats, ac_ppid),
	};

	return index < sizeof layout / sizeof layout[0] ? layout[index] : -ENOENT;
}

/* ---- lines of a log: byte work that is measurably too slow in TypeScript (4 GB/s here, 1.0 there, and 0.3 there
 * before the JIT has warmed up, which is all of a short query) ---- */

#define TIME_AT 9      /* {"time":" */
#define TIME_CHARS 29  /* 2026-05-07T10:00:01.482+00:00 */
#define LINE_DEPTH_MAX 64

struct span {
	const unsigned char *at;
	const unsigned char *end;
};

static int line_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void line_skip_space(struct span *s)
{
	while (s->at < s->end && line_space(*s->at))
		s->at++;
}

static int line_char(struct span *s, unsigned char c)
{
	if (s->at == s->end || *s->at != c)
		return 0;
	s->at++;
	return 1;
}

/* Behind the closing quote; `at` is on the opening one. Eight bytes at a time: the lowest marked byte of the usual
 * has-a-zero-byte trick is exact (borrows only mark bytes above it), and both architectures are little-endian. */
static int line_string(struct span *s)
{
	const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;

	if (!line_char(s, '"'))
		return 0;
	for (;;) {
		uint64_t marks = 0;

		while (s->end - s->at >= 8) {
			uint64_t w;

			memcpy(&w, s->at, 8);
			marks = ((w - ones * 0x20) | ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones)) & ~w & tops;
			if (marks != 0) {
				s->at += __builtin_ctzll(marks) / 8;
				break;
			}
			s->at += 8;
		}
		while (marks == 0 && s->at < s->end && *s->at >= 0x20 && *s->at != '"' && *s->at != '\\')
			s->at++;
		if (s->at == s->end || *s->at < 0x20)
			return 0;
		if (*s->at++ == '"')
			return 1;
		if (s->at == s->end)
			return 0;
		switch (*s->at++) {
		case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
			continue;
		case 'u':
			for (int i = 0; i < 4; i++, s->at++) {
				unsigned char c = s->at < s->end ? *s->at | 0x20 : 0;

				if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) || *s->at < '0')
					return 0;
			}
			continue;
		default:
			return 0;
		}
	}
}

static int line_digits(struct span *s)
{
	const unsigned char *from = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > from;
}

static int line_number(struct span *s)
{
	line_char(s, '-');
	if (!line_char(s, '0') && !line_digits(s))
		return 0;
	if (line_char(s, '.') && !line_digits(s))
		return 0;
	if (line_char(s, 'e') || line_char(s, 'E')) {
		if (!line_char(s, '+'))
			line_char(s, '-');
		return line_digits(s);
	}
	return 1;
}

static inline int line_word(struct span *s, const char *word, size_t size)
{
	if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0)
		return 0;
	s->at += size;
	return 1;
}

static int line_value(struct span *s, int depth);

static int line_member(struct span *s, int depth)
{
	if (!line_string(s))
		return 0;
	line_skip_space(s);
	if (!line_char(s, ':'))
		return 0;
	line_skip_space(s);
	return line_value(s, depth);
}

/* The rest of an object behind one of its members, up to and with the closing brace. */
static int line_members(struct span *s, int depth)
{
	for (;;) {
		line_skip_space(s);
		if (line_char(s, '}'))
			return 1;
		if (!line_char(s, ','))
			return 0;
		line_skip_space(s);
		if (!line_member(s, depth))
			return 0;
	}
}

static int line_value(struct span *s, int depth)
{
	if (s->at == s->end)
		return 0;
	switch (*s->at) {
	case '"':
		return line_string(s);
	case 't':
		return line_word(s, "true", 4);
	case 'f':
		return line_word(s, "false", 5);
	case 'n':
		return line_word(s, "null", 4);
	case '{':
		if (depth >= LINE_DEPTH_MAX)
			return 0;
		s->at++;
		line_skip_space(s);
		if (line_char(s, '}'))
			return 1;
		return line_member(s, depth + 1) && line_members(s, depth + 1);
	case '[':
		if (depth >= LINE_DEPTH_MAX)
			return 0;
		s->at++;
		line_skip_space(s);
		if (line_char(s, ']'))
			return 1;
		for (;;) {
			if (!line_value(s, depth + 1))
				return 0;
			line_skip_space(s);
			if (line_char(s, ']'))
				return 1;
			if (!line_char(s, ','))
				return 0;
			line_skip_space(s);
		}
	default:
		return line_number(s);
	}
}

#define LITERAL(s, text) line_word(s, text, sizeof(text) - 1)

/* What stands behind the time in nearly every line: the keys that differ from line to line, in their order and without white space.
 * Comparing them whole takes two thirds of the time of reading them as any JSON; whatever looks otherwise is left to that. */
static void line_known_keys(struct span *s)
{
	const unsigned char *from = s->at;

	if (LITERAL(s, ",\"event_type\":") && line_string(s) && LITERAL(s, ",\"path\":") && line_string(s) &&
	    LITERAL(s, ",\"pid\":") && line_value(s, 0) && LITERAL(s, ",\"cmd\":") && line_value(s, 0) &&
	    LITERAL(s, ",\"user\":") && line_value(s, 0) && LITERAL(s, ",\"file_size\":") && line_number(s))
		return;
	s->at = from;
}

static int two_digits(const unsigned char *at)
{
	unsigned tens = at[0] - '0', ones = at[1] - '0';

	return tens <= 9 && ones <= 9 ? (int)(tens * 10 + ones) : -1;
}

/* Milliseconds since the epoch, or NaN for what is no time in our own form. */
static double line_time(const unsigned char *at)
{
	static const unsigned char days_in[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int century = two_digits(at), rest = two_digits(at + 2), month = two_digits(at + 5), day = two_digits(at + 8);
	int hour = two_digits(at + 11), minute = two_digits(at + 14), second = two_digits(at + 17);
	int hundredth = two_digits(at + 20), last = at[22] - '0';
	const double none = __builtin_nan("");

	if (century < 0 || rest < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23)
		return none;
	if (minute < 0 || minute > 59 || second < 0 || second > 59 || hundredth < 0 || last < 0 || last > 9)
		return none;
	if (at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' || at[16] != ':' || at[19] != '.')
		return none;
	if (memcmp(at + 23, "+00:00\"", 7) != 0)
		return none;
	int year = century * 100 + rest;
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day > days_in[month - 1] + (month == 2 && leap))
		return none;
	/* Days since 1970-03-01 shifted back, years beginning in March (civil-from-days, the other way round). */
	long y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
	long days = y * 365 + (y >= 0 ? y / 4 - y / 100 + y / 400 : -1) + (m * 153 + 2) / 5 + day - 1 - 719468;

	return (double)days * 86400000.0 + ((hour * 60 + minute) * 60 + second) * 1000.0 + hundredth * 10 + last;
}

/* Cuts [from, to) of a block into lines and checks those that look like fsmon's own: the time first and in its fixed
 * form, and the whole line valid JSON. Each line that isn't blank fills one entry: where it starts, where its newline
 * is, and its time, NaN for a line that must be looked at by parsing. `to` lies behind a newline. The mirror of
 * scanLines() in src/query/line-table.ts. Returns how far it came: `to`, or less when `capacity` entries are full. */
EXPORT int32_t fh_lines(const void *block, uint32_t from, uint32_t to, uint32_t *starts, uint32_t *ends, double *times, uint32_t capacity, uint32_t *count)
{
	const unsigned char *bytes = block, *rest = NULL;
	uint32_t at = from, n = 0;
	size_t rest_size = 0;

	while (at < to && n < capacity) {
		const unsigned char *line = bytes + at, *newline = NULL;
		struct span s = { line + TIME_AT + TIME_CHARS + 1, bytes + to };
		double time = __builtin_nan("");

		/* A newline ends every string and is no white space, so the check never runs into the next line. */
		if (to - at > TIME_AT + TIME_CHARS + 1 && memcmp(line, "{\"time\":\"", TIME_AT) == 0)
			time = line_time(line + TIME_AT);
		if (!__builtin_isnan(time)) {
			line_known_keys(&s);
			/* The rest, from monitored_path to the newline, is most often that of the line before, and as valid here as
			 * there, between two members: half of a line's bytes, ten times as fast. */
			if (rest_size > 0 && line_word(&s, (const char *)rest, rest_size)) {
				newline = s.at - 1;
			} else {
				const unsigned char *here = s.at;

				if (line_members(&s, 0) && s.at < s.end && *s.at == '\n') {
					newline = s.at;
					rest = here;
					rest_size = (size_t)(newline + 1 - here);
				}
			}
		}
		if (newline == NULL) {
			time = __builtin_nan("");
			newline = memchr(line, '\n', to - at);
			if (newline == NULL)
				return -EINVAL;
		}
		if (newline > line) {
			starts[n] = at;
			ends[n] = (uint32_t)(newline - bytes);
			times[n++] = time;
		}
		at = (uint32_t)(newline - bytes) + 1;
	}
	*count = n;
	return (int32_t)at;
}

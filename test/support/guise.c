/* Programs in all the guises that a process can take. Each file that is made tells the truth about who made it by its
 * name, <what>.<name>.<pid>.<user id>: name and user are asked of the kernel at that moment.
 *
 *   guise DIR CASE [ARGUMENT...]      see main() for the cases */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *dir;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

/* comm of the process's first thread, as the log's `cmd` is to tell it. */
static void own_name(char name[16])
{
	ssize_t got;
	int fd = open("/proc/self/comm", O_RDONLY);

	if (fd < 0) {
		prctl(PR_GET_NAME, name);
		return;
	}
	got = read(fd, name, 16);
	close(fd);
	name[got > 0 ? got - 1 : 0] = 0;
}

static void testify_as(const char *what, const char *name, int pid, int uid)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/%s.%s.%d.%d", dir, what, name, pid, uid);
	fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0666);
	if (fd < 0 || write(fd, "x", 1) < 0)
		fail(path);
	close(fd);
}

static void testify(const char *what)
{
	char name[17] = "";

	own_name(name);
	testify_as(what, name, (int)getpid(), (int)getuid());
}

/* Until the daemon has read what came before: whoever started this knows, and says so (test/support/workload.ts). */
static void rest(void)
{
	char word = '.';

	if (write(STDOUT_FILENO, &word, 1) != 1 || read(STDIN_FILENO, &word, 1) < 0)
		fail("rest");
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0 || status != 0)
		fail("child");
}

static void *in_thread(void *name)
{
	if (name)
		prctl(PR_SET_NAME, name);
	testify(name ? "named-thread" : "thread");
	return NULL;
}

static void *fork_in_thread(void *name)
{
	pid_t pid;

	prctl(PR_SET_NAME, name);
	pid = fork();
	if (pid == 0) {
		testify("thread-child");
		_exit(0);
	}
	wait_for(pid);
	return NULL;
}

static void *exec_in_thread(void *program)
{
	execl(program, program, dir, "plain", NULL);
	fail("exec");
	return NULL;
}

static void *raw_user(void *unused)
{
	(void)unused;
	/* This thread alone. */
	if (prctl(PR_SET_NAME, "raw-user") < 0 || syscall(SYS_setresuid, 1, 1, 1) < 0)
		fail("setresuid");
	testify_as("raw", "guise", (int)getpid(), 1);
	rest();
	return NULL;
}

static void *exec_as_another(void *program)
{
	if (syscall(SYS_setresuid, 33, 33, 33) < 0)
		fail("setresuid");
	return exec_in_thread(program);
}

static volatile int first_changed;

static void *exec_unchanged(void *program)
{
	while (!first_changed)
		usleep(100);
	rest();
	testify_as("kept", "guise", (int)getpid(), (int)syscall(SYS_getuid));
	rest();
	return exec_in_thread(program);
}

static void thread(void *(*body)(void *), const char *argument)
{
	pthread_t id;

	if (pthread_create(&id, NULL, body, (void *)argument) != 0 || pthread_join(id, NULL) != 0)
		fail("thread");
}

/* Opens a file by io_uring, on one of the kernel's own workers. */
static void by_ring(void)
{
	struct io_uring_params params;
	struct io_uring_sqe *entries;
	char path[512];
	unsigned *tail, *array;
	char *ring;
	int fd;

	memset(&params, 0, sizeof params);
	fd = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (fd < 0) {
		printf("no io_uring: %s\n", strerror(errno));
		_exit(0);
	}
	ring = mmap(NULL, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	entries = mmap(NULL, params.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || (void *)entries == MAP_FAILED)
		fail("mmap");
	snprintf(path, sizeof path, "%s/ring.guise.%d.%d", dir, (int)getpid(), (int)getuid());
	memset(&entries[0], 0, sizeof entries[0]);
	entries[0].opcode = IORING_OP_OPENAT;
	entries[0].flags = IOSQE_ASYNC;
	entries[0].fd = AT_FDCWD;
	entries[0].addr = (uintptr_t)path;
	entries[0].open_flags = O_CREAT | O_WRONLY;
	entries[0].len = 0644;
	array = (unsigned *)(ring + params.sq_off.array);
	tail = (unsigned *)(ring + params.sq_off.tail);
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		fail("io_uring_enter");
	printf("done\n");
}

static void memory_program(const char *program)
{
	int from = open(program, O_RDONLY), to = memfd_create("in-memory", 0);
	char block[65536];
	ssize_t got;

	while ((got = read(from, block, sizeof block)) > 0)
		if (write(to, block, (size_t)got) != got)
			fail("memfd");
	close(from);
	syscall(SYS_execveat, to, "", (char *[]){"guise", (char *)dir, "plain", NULL}, environ, AT_EMPTY_PATH);
	fail("execveat");
}

static void become(int uid)
{
	if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
		fail("setresuid");
}

static void run(const char *what, int argc, char **argv)
{
	const char *argument = argc > 0 ? argv[0] : "";
	pid_t pid;

	if (strcmp(what, "plain") == 0) {
		testify("plain");
	} else if (strcmp(what, "stay") == 0) {
		testify("stay");
		rest();
	} else if (strcmp(what, "fork") == 0) {
		pid = fork();
		if (pid == 0) {
			testify("child");
			_exit(0);
		}
		wait_for(pid);
	} else if (strcmp(what, "rename") == 0) {
		testify("before");
		rest();
		prctl(PR_SET_NAME, "renamed by\xc3\xa9");
		testify("renamed");
		rest();
		int fd = open("/proc/self/comm", O_WRONLY);
		if (fd < 0 || write(fd, "by proc", 7) != 7)
			fail("/proc/self/comm");
		close(fd);
		testify("again");
		pid = fork();
		if (pid == 0) {
			testify("child");
			_exit(0);
		}
		wait_for(pid);
	} else if (strcmp(what, "rename-at-once") == 0) {
		testify_as("before", "guise", (int)getpid(), (int)getuid());
		prctl(PR_SET_NAME, "late-name");
		testify_as("after", "late-name", (int)getpid(), (int)getuid());
	} else if (strcmp(what, "threads") == 0) {
		thread(in_thread, "worker");
		thread(in_thread, NULL);
		thread(fork_in_thread, "forker");
		testify("first");
	} else if (strcmp(what, "thread-exec") == 0) {
		thread(exec_in_thread, argument);
	} else if (strcmp(what, "thread-user") == 0) {
		testify("first");
		rest();
		thread(raw_user, NULL);
		rest();
		testify("then");
	} else if (strcmp(what, "thread-user-exec") == 0) {
		thread(exec_as_another, argument);
	} else if (strcmp(what, "first-user-exec") == 0) {
		pthread_t id;

		if (pthread_create(&id, NULL, exec_unchanged, (void *)argument) != 0 || syscall(SYS_setresuid, 1, 1, 1) < 0)
			fail("first user");
		first_changed = 1;
		pause();
	} else if (strcmp(what, "vfork") == 0) {
		pid = vfork();
		if (pid == 0) {
			execl(argument, argument, dir, "plain", NULL);
			_exit(1);
		}
		wait_for(pid);
	} else if (strcmp(what, "spawn") == 0) {
		char *args[] = {(char *)argument, (char *)dir, "plain", NULL};
		if (posix_spawn(&pid, argument, NULL, NULL, args, environ) != 0)
			fail("posix_spawn");
		wait_for(pid);
	} else if (strcmp(what, "sibling") == 0) {
		/* Made by "maker", and its parent is maker's parent. */
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_NAME, "maker");
			become(atoi(argument));
			pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
			if (pid == 0)
				testify("sibling");
			_exit(pid < 0);
		}
		wait_for(pid);
		wait_for(-1);
	} else if (strcmp(what, "exec-later") == 0) {
		/* What happens between fork and exec belongs to the old name. */
		pid = fork();
		if (pid == 0) {
			testify("between");
			rest();
			execl(argument, argument, dir, "plain", NULL);
			_exit(1);
		}
		wait_for(pid);
	} else if (strcmp(what, "exec-at-once") == 0) {
		pid = fork();
		if (pid == 0) {
			testify_as("between", "guise", (int)getpid(), (int)getuid());
			execl(argument, argument, dir, "plain", NULL);
			_exit(1);
		}
		wait_for(pid);
	} else if (strcmp(what, "memfd") == 0) {
		memory_program(argument);
	} else if (strcmp(what, "unlinked") == 0) {
		if (unlink(argument) < 0)
			fail("unlink");
		rest();
		testify("unlinked");
	} else if (strcmp(what, "drop") == 0) {
		testify("before");
		rest();
		become(atoi(argument));
		testify("after");
		pid = fork();
		if (pid == 0) {
			testify("child");
			_exit(0);
		}
		wait_for(pid);
	} else if (strcmp(what, "drop-at-once") == 0) {
		testify_as("before", "guise", (int)getpid(), (int)getuid());
		become(atoi(argument));
		testify_as("after", "guise", (int)getpid(), (int)getuid());
	} else if (strcmp(what, "child-drops-at-once") == 0) {
		pid = fork();
		if (pid == 0) {
			testify_as("before", "guise", (int)getpid(), (int)getuid());
			become(atoi(argument));
			testify_as("after", "guise", (int)getpid(), (int)getuid());
			_exit(0);
		}
		wait_for(pid);
	} else if (strcmp(what, "effective") == 0) {
		if (seteuid((uid_t)atoi(argument)) < 0)
			fail("seteuid");
		rest();
		testify("effective");
	} else if (strcmp(what, "loop-device") == 0) {
		int control = open("/dev/loop-control", O_RDWR);
		if (control < 0 || ioctl(control, LOOP_CTL_ADD, atol(argument)) < 0)
			fail("LOOP_CTL_ADD");
		if (ioctl(control, LOOP_CTL_REMOVE, atol(argument)) < 0)
			fail("LOOP_CTL_REMOVE");
	} else if (strcmp(what, "ring") == 0) {
		by_ring();
	} else {
		fail(what);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	dir = argv[1];
	run(argv[2], argc - 3, argv + 3);
	return 0;
}

/* A program that tells the truth about itself by the name of a file: WHAT.<its name>.<its pid>.<its user id>, made in a directory.
 *
 *   witness launch LINKS DIR LAUNCHERS COUNT [late] [busy]
 *                               each launcher runs LINKS/w<launcher>-<number> COUNT times, one after the other, as one of seven
 *                               users; "late": the program itself takes that user, after it was executed; "busy": on
 *                               every CPU something else computes all the time
 *   witness reuse LINKS DIR COUNT
 *                               runs LINKS/w0-<number> COUNT times as one of seven users, all under the same few pids
 *   witness DIR [UID]           what is run: takes the user, if one is given, and makes the file; then it writes to
 *                               DIR/<its name>, whoever owns that, if it is there */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The last has no name on any machine. */
static const uid_t USERS[] = {0, 1, 2, 3, 33, 65534, 54321};

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static void become(uid_t uid)
{
	if (setresuid(uid, uid, uid) < 0)
		fail("setresuid");
}

static void testify(const char *dir, const char *what, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/%s.%s.%d.%d", dir, what, name, (int)getpid(), (int)getuid());
	fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0644);
	if (fd < 0 || write(fd, "x", 1) < 0)
		fail(path);
	close(fd);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || write(fd, "x", 1) < 0)
		fail(path);
	close(fd);
}

/* The next process gets this number, if it is free: the kernel counts on from here. */
static void next_pid(pid_t pid)
{
	char digits[16];
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	int size = snprintf(digits, sizeof digits, "%d", (int)pid - 1);

	if (fd < 0 || write(fd, digits, (size_t)size) < 0)
		fail("ns_last_pid");
	close(fd);
}

/* As many processes as there are numbers for, each number again and again. */
static void reuse(const char *links, const char *dir, int count)
{
	pid_t first = getpid() + 100 > 20000 ? 2000 : getpid() + 100;

	for (int i = 0; i < count; i++) {
		char program[512];
		int status;
		pid_t pid;

		snprintf(program, sizeof program, "%s/w0-%d", links, i);
		next_pid(first + i % 3);
		pid = fork();
		if (pid == 0) {
			become(USERS[i % 7]);
			execl(program, program, dir, NULL);
			fail(program);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
			fail("child");
	}
}

static void launch(const char *links, const char *dir, int launcher, int count, int late)
{
	for (int i = 0; i < count; i++) {
		uid_t uid = USERS[(launcher * count + i) % 7];
		char program[512], digits[16];
		int status;
		pid_t pid;

		snprintf(program, sizeof program, "%s/w%d-%d", links, launcher, i);
		snprintf(digits, sizeof digits, "%d", (int)uid);
		pid = fork();
		if (pid == 0) {
			if (!late)
				become(uid);
			execl(program, program, dir, late ? digits : NULL, NULL);
			fail(program);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
			fail("child");
	}
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	int failed = 0;

	pid_t busy[64];
	int busy_count = argc > 6 && strcmp(argv[argc - 1], "busy") == 0 ? (int)sysconf(_SC_NPROCESSORS_ONLN) : 0;
	int late = argc > 6 && strcmp(argv[6], "late") == 0;

	if (argc == 5 && strcmp(argv[1], "reuse") == 0) {
		reuse(argv[2], argv[3], atoi(argv[4]));
		return 0;
	}
	if (argc < 4) {
		if (argc < 2)
			return 2;
		if (argc == 3)
			become((uid_t)atoi(argv[2]));
		testify(argv[1], "ran", name);
		return 0;
	}
	for (int i = 0; i < busy_count && i < 64; i++)
		if ((busy[i] = fork()) == 0)
			for (;;)
				;
	for (int i = 0; i < atoi(argv[4]); i++)
		if (fork() == 0) {
			launch(argv[2], argv[3], i, atoi(argv[5]), late);
			_exit(0);
		}
	for (int i = 0, status; i < atoi(argv[4]); i++) {
		wait(&status);
		failed |= status;
	}
	for (int i = 0; i < busy_count && i < 64; i++)
		kill(busy[i], SIGKILL);
	return failed != 0;
}

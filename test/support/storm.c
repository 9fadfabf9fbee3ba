/* Storms of file operations for the end-to-end tests: storm WHAT DIR PROCESSES COUNT. Each process does COUNT rounds under names of its own
 * (the number of the process, a dash, the number of the round). Exits 1 with a message at the first operation that fails. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static int rounds;

static void must(int rc, const char *what, const char *path)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0644);

	must(fd, "create", path);
	must((int)write(fd, "x", 1), "write", path);
	close(fd);
}

static void make_dir(const char *path)
{
	must(mkdir(path, 0755), "mkdir", path);
}

static void move(const char *from, const char *to)
{
	must(rename(from, to), "rename", from);
}

/* A name, valid until the eighth after it. */
static const char *name(const char *format, ...)
{
	static _Thread_local char names[8][256];
	static _Thread_local unsigned next;
	char *made = names[next++ % 8];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(made, sizeof *names, format, arguments);
	va_end(arguments);
	return made;
}

/* Create, write, close, unlink. */
static void files(int process, int round)
{
	const char *file = name("%d-%d", process, round);

	make_file(file);
	must(unlink(file), "unlink", file);
}

/* Three directories inside each other, a file in each, as fast as can be. */
static void fresh(int process, int round)
{
	const char *a = name("%d-%d", process, round);
	const char *b = name("%s/b", a);
	const char *c = name("%s/c", b);

	make_dir(a);
	make_dir(b);
	make_dir(c);
	make_file(name("%s/f", a));
	make_file(name("%s/f", b));
	make_file(name("%s/f", c));
}

/* A directory that is renamed and written into at once, twice. */
static void renamed(int process, int round)
{
	const char *one = name("%d-%d", process, round);
	const char *two = name("%s-two", one);
	const char *three = name("%s-three", one);

	make_dir(one);
	make_dir(name("%s/sub", one));
	make_file(name("%s/sub/in-one", one));
	move(one, two);
	make_file(name("%s/sub/in-two", two));
	move(two, three);
	make_file(name("%s/sub/in-three", three));
}

/* Save by rename: a temporary file is moved over the one that was saved before. */
static void saves(int process, int round)
{
	const char *file = name("%d", process);
	const char *temporary = name("%d-%d", process, round);

	make_file(temporary);
	move(temporary, file);
}

/* Two directories swapped, then written into under their new names. */
static void exchanges(int process, int round)
{
	const char *a = name("%d-%d-a", process, round);
	const char *b = name("%d-%d-b", process, round);

	make_dir(a);
	make_dir(b);
	make_file(name("%s/was-a", a));
	make_file(name("%s/was-b", b));
	must(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), "exchange", a);
	make_file(name("%s/now-a", a));
	make_file(name("%s/now-b", b));
}

/* Two files swapped; all pairs are made in the first round, so that nothing but exchanges follows. */
static void swaps(int process, int round)
{
	for (int i = 0; round == 0 && i < rounds; i++) {
		make_file(name("%d-%d-a", process, i));
		make_file(name("%d-%d-b", process, i));
	}
	const char *a = name("%d-%d-a", process, round);
	const char *b = name("%d-%d-b", process, round);

	must(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), "exchange", a);
}

/* Made, filled and removed in one breath. */
static void removed(int process, int round)
{
	const char *dir = name("%d-%d", process, round);
	const char *sub = name("%s/sub", dir);
	const char *file = name("%s/f", sub);

	make_dir(dir);
	make_dir(sub);
	make_file(file);
	must(unlink(file), "unlink", file);
	must(rmdir(sub), "rmdir", sub);
	must(rmdir(dir), "rmdir", dir);
}

/* The first process makes directories; the others work in each the moment that it can be seen, which is before the kernel has queued the event of its
 * making: the new entry is visible before mkdir(2) is through. */
static void pounce(int process, int round)
{
	const char *dir = name("%d", round);
	const char *file = name("%s/by-%d", dir, process);

	if (process == 0) {
		make_dir(dir);
		return;
	}
	while (chmod(dir, 0755) < 0)
		if (errno != ENOENT)
			must(-1, "chmod", dir);
	make_file(file);
}

/* A tree to begin with: directories in directories (eight a level), a file in each. */
static void tree(int process, int round)
{
	char dir[256];
	int length = snprintf(dir, sizeof dir, "%d", process);

	if (round > 0) {
		char digits[32];
		int count = 0;

		for (int rest = round; rest > 0; rest = (rest - 1) / 8)
			digits[count++] = (char)('a' + (rest - 1) % 8);
		while (count > 0)
			length += snprintf(dir + length, sizeof dir - (size_t)length, "/%c", digits[--count]);
	}
	make_dir(dir);
	make_file(name("%s/file", dir));
}

static const struct {
	const char *name;
	void (*round)(int process, int round);
} STORMS[] = {
	{"files", files}, {"fresh", fresh}, {"renamed", renamed}, {"saves", saves},
	{"exchanges", exchanges}, {"swaps", swaps}, {"removed", removed}, {"pounce", pounce}, {"tree", tree},
};

static void (*chosen)(int process, int round);

static void *run(void *process)
{
	for (int round = 0; round < rounds; round++)
		chosen((int)(long)process, round);
	return NULL;
}

int main(int argc, char **argv)
{
	/* "-t": threads of one process instead of processes. */
	int threads = argc == 6 && strcmp(argv[1], "-t") == 0;
	int processes, failed = 0;

	argv += threads;
	if (argc - threads != 5) {
		fprintf(stderr, "usage: storm [-t] WHAT DIR PROCESSES COUNT\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof STORMS / sizeof *STORMS; i++)
		if (strcmp(STORMS[i].name, argv[1]) == 0)
			chosen = STORMS[i].round;
	if (!chosen)
		return 2;
	must(chdir(argv[2]), "chdir", argv[2]);
	processes = atoi(argv[3]);
	rounds = atoi(argv[4]);
	if (threads) {
		pthread_t ids[16];

		for (long i = 0; i < processes && i < 16; i++)
			pthread_create(&ids[i], NULL, run, (void *)i);
		for (int i = 0; i < processes && i < 16; i++)
			pthread_join(ids[i], NULL);
		return 0;
	}
	for (long i = 0; i < processes; i++) {
		pid_t pid = fork();

		must(pid, "fork", "");
		if (pid == 0) {
			run((void *)i);
			_exit(0);
		}
	}
	for (int status; wait(&status) > 0;)
		failed |= status;
	return failed != 0;
}

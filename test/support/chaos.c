/* Random work on a directory tree by several processes at once: chaos NAMES SEED MANAGED OUTSIDE PROCESSES COUNT. With a COUNT of 0 it fills OUTSIDE
 * with populated trees, which a later run moves in, and renames and writes in at once. NAMES "fresh": no name is ever used
 * twice, so nothing can come back to where it was; "few": all names are of eight letters, and objects come and go under them. Things are moved from MANAGED to
 * OUTSIDE and back, and nothing else is done in OUTSIDE: those moves have a lock against everything else. Operations that fail because
 * another process was faster count for nothing. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif
#define PATH_BYTES 2048
#define DEPTH_MAX 6

static uint64_t state;
static int process, fresh, made_names, lock;

static unsigned below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 16) % limit);
}

static void name_in(const char *dir, char *out)
{
	if (fresh)
		snprintf(out, PATH_BYTES, "%.1900s/%d-%d", dir, process, made_names++);
	else
		snprintf(out, PATH_BYTES, "%.1900s/%c", dir, 'a' + below(8));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *one)
{
	return one->d_name[0] != '.';
}

/* A random entry of a directory: a subdirectory ('d'), something else ('f') or either ('*'). */
static int entry_of(const char *dir, char kind, char *out)
{
	struct dirent **all;
	int count = scandir(dir, &all, no_dots, by_name), left = 0, chosen = -1;

	if (count < 0)
		return 0;
	for (int i = 0; i < count; i++)
		if ((kind == '*' || (all[i]->d_type == DT_DIR) == (kind == 'd')) && below((unsigned)++left) == 0)
			chosen = i;
	if (chosen >= 0)
		snprintf(out, PATH_BYTES, "%.1700s/%s", dir, all[chosen]->d_name);
	for (int i = 0; i < count; i++)
		free(all[i]);
	free(all);
	return chosen >= 0;
}

/* A random directory at or below one. */
static void directory(const char *top, char *out)
{
	char next[PATH_BYTES];

	strcpy(out, top);
	for (int depth = 0; depth < DEPTH_MAX && below(4) > 0 && entry_of(out, 'd', next); depth++)
		strcpy(out, next);
}

static int anything(const char *top, char kind, char *out)
{
	char dir[PATH_BYTES];

	directory(top, dir);
	return entry_of(dir, kind, out);
}

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	if (fd < 0)
		return;
	if (write(fd, path, below(100)) < 0)
		abort();
	close(fd);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat, (void)type, (void)ftw;
	remove(path);
	return 0;
}

/* What has just been moved in is worked in before anybody can have looked at it. */
static void pounce(const char *managed, const char *top)
{
	char a[PATH_BYTES], b[PATH_BYTES], dir[PATH_BYTES];

	for (int i = 0; i < 10; i++) {
		directory(top, dir);
		name_in(dir, b);
		switch (below(6)) {
		case 0:
		case 1:
			make_file(b);
			break;
		case 2:
			mkdir(b, 0755);
			break;
		case 3:
			if (anything(top, 'd', a))
				renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_NOREPLACE);
			break;
		case 4:
			directory(managed, dir);
			name_in(dir, b);
			if (anything(top, '*', a))
				renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_NOREPLACE);
			break;
		default:
			if (anything(top, 'f', a))
				unlink(a);
		}
	}
	directory(managed, dir);
	name_in(dir, b);
	if (below(4) == 0)
		nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	else
		renameat2(AT_FDCWD, top, AT_FDCWD, b, RENAME_NOREPLACE);
}

static void populate(const char *top, int depth)
{
	char path[PATH_BYTES];

	if (mkdir(top, 0755) < 0)
		abort();
	for (unsigned left = below(4) + 1; left > 0; left--) {
		snprintf(path, sizeof path, "%.1900s/s%d", top, made_names++);
		make_file(path);
	}
	for (unsigned left = depth == 0 ? 0 : below(4) + 1; left > 0; left--) {
		snprintf(path, sizeof path, "%.1900s/s%d", top, made_names++);
		populate(path, depth - 1);
	}
}

static void one_operation(const char *managed, const char *outside)
{
	char a[PATH_BYTES], b[PATH_BYTES], dir[PATH_BYTES];
	unsigned what = below(100);

	/* Crossing the boundary: 6 of 100. */
	flock(lock, what < 6 ? LOCK_EX : LOCK_SH);
	directory(managed, dir);
	name_in(dir, b);
	if (what < 3) {
		char there[PATH_BYTES];

		snprintf(there, sizeof there, "%.1900s/%d-%d", outside, process, made_names++);
		if (anything(managed, '*', a))
			rename(a, there);
	} else if (what < 6) {
		if (entry_of(outside, '*', a) && renameat2(AT_FDCWD, a, AT_FDCWD, b, fresh ? RENAME_NOREPLACE : 0) == 0 && fresh) {
			flock(lock, LOCK_SH);
			pounce(managed, b);
		}
	} else if (what < 30) {
		make_file(b);
	} else if (what < 36) {
		if (anything(managed, 'f', a))
			make_file(a);
	} else if (what < 48) {
		for (int depth = (int)below(4); mkdir(b, 0755) == 0 && depth > 0; depth--) {
			strcpy(dir, b);
			name_in(dir, b);
			make_file(b);
			name_in(dir, b);
		}
	} else if (what < 60) {
		if (anything(managed, 'f', a))
			renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_NOREPLACE);
	} else if (what < 68) {
		if (anything(managed, 'd', a))
			renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_NOREPLACE);
	} else if (what < 74) {
		/* Over a file that has just been made, or over whatever has that name. */
		if (anything(managed, 'f', a)) {
			if (fresh)
				make_file(b);
			rename(a, b);
		}
	} else if (what < 77) {
		/* A directory over an empty one. */
		if (anything(managed, 'd', a) && mkdir(b, 0755) == 0)
			rename(a, b);
	} else if (what < 81) {
		if (anything(managed, '*', a)) {
			if (below(2))
				make_file(b);
			else
				mkdir(b, 0755);
			renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
		}
	} else if (what < 84) {
		/* Linked again under a name that it had, it can be merged into what was done before the unlinking. */
		if (fresh && anything(managed, 'f', a) && link(a, b) < 0 && errno == EPERM)
			abort();
	} else if (what < 87) {
		if (symlink("/nowhere", b) < 0 && errno == EPERM)
			abort();
	} else if (what < 95) {
		if (anything(managed, 'f', a))
			unlink(a);
	} else if (what < 97) {
		if (anything(managed, 'd', a))
			rmdir(a);
	} else {
		if (anything(managed, 'd', a))
			nftw(a, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	flock(lock, LOCK_UN);
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc != 7)
		return 2;
	fresh = strcmp(argv[1], "fresh") == 0;
	state = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15ULL + 1;
	for (int i = 0; atoi(argv[6]) == 0 && i < 24; i++) {
		char top[PATH_BYTES];

		snprintf(top, sizeof top, "%.1900s/stock%d", argv[4], i);
		populate(top, 4);
	}
	for (process = 0; process < atoi(argv[5]); process++) {
		if (fork() != 0)
			continue;
		/* A descriptor of its own: flock is between open files. */
		lock = open(argv[0], O_RDONLY);
		if (lock < 0)
			_exit(1);
		state = (strtoull(argv[2], NULL, 10) + 1) * 0x9e3779b97f4a7c15ULL ^ (uint64_t)(process + 1) * 0xbf58476d1ce4e5b9ULL;
		for (int i = atoi(argv[6]); i > 0; i--)
			one_operation(argv[3], argv[4]);
		_exit(0);
	}
	for (int status; wait(&status) > 0;)
		failed |= status;
	return failed != 0;
}

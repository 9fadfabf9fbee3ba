/* Does single file operations when it is told to, in the directory it was started with: hands DIR COMMANDS ANSWERS. Each line of COMMANDS is a letter and the
 * names it wants, without blanks in them; "." is answered by one byte when everything before it was done. An operation that fails ends the program. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static int make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0644);

	return fd < 0 ? fd : close(fd);
}

int main(int argc, char **argv)
{
	char line[4096];
	FILE *commands;
	int answers;

	if (argc != 4 || chdir(argv[1]) < 0)
		return 2;
	commands = fopen(argv[2], "r");
	answers = open(argv[3], O_WRONLY);
	if (!commands || answers < 0)
		return 2;
	while (fgets(line, sizeof line, commands)) {
		const char *what = strtok(line, " \n"), *a = strtok(NULL, " \n"), *b = strtok(NULL, " \n");
		int rc = -1;

		if (!what)
			continue;
		switch (*what) {
		case '.':
			rc = write(answers, ".", 1) == 1 ? 0 : -1;
			break;
		case 'd':
			rc = mkdir(a, 0755);
			break;
		case 'f':
			rc = make_file(a);
			break;
		case 'u':
			rc = unlink(a);
			break;
		case 'r':
			rc = rmdir(a);
			break;
		case 'm':
			rc = rename(a, b);
			break;
		case 'x':
			rc = renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
			break;
		}
		if (rc < 0) {
			fprintf(stderr, "%s %s %s: %s\n", what, a ? a : "", b ? b : "", strerror(errno));
			(void)!write(answers, "!", 1);
			return 1;
		}
	}
	return 0;
}

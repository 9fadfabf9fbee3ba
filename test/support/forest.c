/* Makes a large tree of directories as fast as the kernel can: forest DIR COUNT. Each directory gets up to 100 subdirectories, named
 * 0 to 99, level by level, until there are COUNT of them; prints the path of the last one, below DIR. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHILDREN 100

/* Path of the nth directory, counted from 1: its parent is the ((n - 1) / CHILDREN)th, 0 being DIR itself. */
static char *path_of(long n, char *end)
{
	*--end = 0;
	while (n > 0) {
		char name[24];
		size_t length = (size_t)snprintf(name, sizeof name, "%ld", (n - 1) % CHILDREN);

		if (*end != 0)
			*--end = '/';
		end -= length;
		memcpy(end, name, length);
		n = (n - 1) / CHILDREN;
	}
	return end;
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[2]) : 0;
	char buffer[256];

	if (count <= 0 || chdir(argv[1]) < 0) {
		fprintf(stderr, "forest DIR COUNT: %s\n", strerror(errno));
		return 1;
	}
	for (long n = 1; n <= count; n++) {
		if (mkdir(path_of(n, buffer + sizeof buffer), 0755) < 0) {
			fprintf(stderr, "mkdir: %s\n", strerror(errno));
			return 1;
		}
	}
	printf("%s", path_of(count, buffer + sizeof buffer));
	return 0;
}

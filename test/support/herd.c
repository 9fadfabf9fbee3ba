/* Many short processes that touch no file.
 *
 *   herd exec LAUNCHERS COUNT    each launcher executes COUNT times a program that ends at once
 *   herd fork LAUNCHERS COUNT    the same without exec
 *   herd name TIMES              one process takes a name so often
 *   herd                         that program */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int failed = 0, count;

	if (argc == 3) {
		for (int i = 0; i < atoi(argv[2]); i++)
			prctl(PR_SET_NAME, argv[1]);
		return 0;
	}
	if (argc < 4)
		return 0;
	count = atoi(argv[3]);
	for (int launcher = 0; launcher < atoi(argv[2]); launcher++)
		if (fork() == 0) {
			for (int i = 0; i < count; i++) {
				int status;
				pid_t pid = vfork();

				if (pid == 0) {
					if (strcmp(argv[1], "exec") == 0)
						execl("/proc/self/exe", "herd", NULL);
					_exit(strcmp(argv[1], "exec") == 0);
				}
				if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
					_exit(1);
			}
			_exit(0);
		}
	for (int status; wait(&status) > 0;)
		failed |= status;
	return failed != 0;
}

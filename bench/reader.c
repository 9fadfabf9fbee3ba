/* The floor: what any fanotify program pays at least. Marks the filesystem of DIR with MASK, reads and counts, prints nothing until
 * SIGTERM. SPACING_MS: how long it sleeps after each read that brought something; 0 reads eagerly.
 *   reader DIR MASK SPACING_MS        prints {"events":…,"reads":…,"overflowed":…} */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <time.h>
#include <unistd.h>

#define REPORT_DFID_NAME_TARGET 0x1e00 /* linux/fanotify.h, newer than some libc's copy of it */

static volatile sig_atomic_t stopped;
static char buffer[512 * 1024] __attribute__((aligned(8)));

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

int main(int argc, char **argv)
{
	unsigned long events = 0, reads = 0, overflowed = 0;
	struct sigaction on_term = {.sa_handler = stop};
	int group;

	if (argc != 4)
		return 2;
	sigaction(SIGTERM, &on_term, NULL);
	group = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | REPORT_DFID_NAME_TARGET, O_RDONLY);
	if (group < 0 || fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, strtoull(argv[2], NULL, 0), AT_FDCWD, argv[1]) < 0) {
		perror("reader");
		return 1;
	}
	long spacing_ms = atol(argv[3]);
	struct timespec pause = {.tv_nsec = spacing_ms * 1000000};

	fprintf(stderr, "ready\n");
	while (!stopped) {
		struct pollfd wait = {.fd = group, .events = POLLIN};

		if (poll(&wait, 1, -1) <= 0)
			continue;
		for (ssize_t bytes; (bytes = read(group, buffer, sizeof buffer)) > 0;) {
			struct fanotify_event_metadata *event = (void *)buffer;

			reads++;
			for (; FAN_EVENT_OK(event, bytes); event = FAN_EVENT_NEXT(event, bytes)) {
				events++;
				overflowed += (event->mask & FAN_Q_OVERFLOW) != 0;
			}
		}
		if (spacing_ms > 0)
			nanosleep(&pause, NULL);
	}
	printf("{\"events\":%lu,\"reads\":%lu,\"overflowed\":%lu}\n", events, reads, overflowed);
	return 0;
}

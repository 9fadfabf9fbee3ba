/* A name service like a directory server's, for tests: users 70000 to 79999 are called directory-user-<number>, and
 * each answer takes as many milliseconds as the file DELAY_FILE says, also when it says less meanwhile. Built in place of a module that glibc comes with,
 * whose name its functions bear. */
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int delay_ms(void)
{
	FILE *file = fopen(DELAY_FILE, "r");
	int ms = 0;

	if (file) {
		if (fscanf(file, "%d", &ms) != 1)
			ms = 0;
		fclose(file);
	}
	return ms;
}

enum nss_status _nss_hesiod_getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t size, int *error)
{
	for (int waited_ms = 0; waited_ms < delay_ms(); waited_ms++)
		usleep(1000);
	if (uid < 70000 || uid > 79999)
		return NSS_STATUS_NOTFOUND;
	if (size < 64) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	snprintf(buffer, size, "directory-user-%u", (unsigned)uid);
	memset(user, 0, sizeof *user);
	user->pw_name = buffer;
	user->pw_uid = user->pw_gid = uid;
	user->pw_passwd = user->pw_gecos = user->pw_dir = user->pw_shell = buffer + strlen(buffer);
	return NSS_STATUS_SUCCESS;
}

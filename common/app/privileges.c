#include "app/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/log.h"

/* The order matters: without root's uid neither groups nor gid can be changed. */
static bool
become(const struct passwd *pw)
{
	int death_signal = 0;

	/* The kernel forgets it when the uid changes (PR_SET_PDEATHSIG(2const)). */
	prctl(PR_GET_PDEATHSIG, &death_signal);
	if (initgroups(pw->pw_name, pw->pw_gid) != 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return false;
	prctl(PR_SET_PDEATHSIG, death_signal);
	return true;
}

bool
privileges_drop(const char *user)
{
	const struct passwd *pw;

	if (user[0] == '\0' || geteuid() != 0)
		return true;
	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL) {
		log_error("ONRUSH_USER=%s: %s", user,
		    errno != 0 ? strerror(errno) : "there is no such user");
		return false;
	}
	if (!become(pw)) {
		log_error("cannot become the user %s: %s", user, strerror(errno));
		return false;
	}
	if (pw->pw_uid != 0 && setuid(0) == 0) {
		log_error("the process could become root again");
		return false;
	}
	log_info("runs as the user %s", user);
	return true;
}

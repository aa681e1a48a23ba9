#include "app/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/log.h"
#include "base/str.h"

/* What kernels newer than the headers have: rights by version of the interface. */
#define FS_FIRST_VERSION ((UINT64_C(1) << 13) - 1)
#define FS_REFER         (UINT64_C(1) << 13) /* 2 */
#define FS_TRUNCATE      (UINT64_C(1) << 14) /* 3 */
#define FS_IOCTL_DEV     (UINT64_C(1) << 15) /* 5 */
#define NET_BIND_TCP     (UINT64_C(1) << 0)  /* 4 */
#define SCOPE_SIGNAL     (UINT64_C(1) << 1)  /* 6 */

struct ruleset {
	uint64_t fs, net, scoped;
};

static const char *const always[] = { "/etc", "/usr", "/lib", "/lib64", "/proc",
	"/sys/devices/system/cpu" };

/* --- files ---------------------------------------------------------------------------
 */

/* Lets `path` be read, if it is there, and all below it. */
static bool
allow(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access =
		    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	bool ok;

	if (rule.parent_fd < 0)
		return true;
	ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
		 0) == 0;
	close(rule.parent_fd);
	return ok;
}

/* If there is such a file: "::/0" is no path. */
static bool
allow_directory_of(int ruleset, str path)
{
	char text[PATH_MAX];
	struct stat st;

	if (path.n >= sizeof(text))
		return true;
	memcpy(text, path.p, path.n);
	text[path.n] = '\0';
	if (stat(text, &st) != 0 || S_ISDIR(st.st_mode))
		return true;
	return allow(ruleset, dirname(text));
}

/* A text may be a file's name, or have several among other words. */
static bool
allow_named_by(int ruleset, const char *text)
{
	static const char between[] = " ,;=:";
	bool ok = allow_directory_of(ruleset, str_of(text));

	while (*text != '\0') {
		size_t size = strcspn(text, between);

		if (text[0] == '/')
			ok = ok && allow_directory_of(ruleset, (str){ text, size });
		text += size;
		text += strspn(text, between);
	}
	return ok;
}

static bool
allow_files(
    int ruleset, const struct conf_item *items, size_t count, const void *settings)
{
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		ok = ok && allow(ruleset, always[i]);
	for (size_t i = 0; i < count; i++) {
		const char *text;

		if (items[i].type != CONF_STRING)
			continue;
		memcpy(&text, (const char *)settings + items[i].offset, sizeof(text));
		ok = ok && allow_named_by(ruleset, text);
	}
	return ok;
}

/* What is forbidden unless a rule allows it, as far as this kernel can. */
static struct ruleset
rights_of(long version)
{
	struct ruleset all = { .fs = FS_FIRST_VERSION };

	if (version >= 2)
		all.fs |= FS_REFER;
	if (version >= 3)
		all.fs |= FS_TRUNCATE;
	if (version >= 4)
		all.net = NET_BIND_TCP;
	if (version >= 5)
		all.fs |= FS_IOCTL_DEV;
	if (version >= 6)
		all.scoped = SCOPE_SIGNAL;
	return all;
}

/* The part of struct ruleset that this version knows. */
static size_t
size_of(long version)
{
	if (version >= 6)
		return sizeof(struct ruleset);
	return version >= 4 ? offsetof(struct ruleset, scoped)
			    : offsetof(struct ruleset, net);
}

static bool
limit_files(const struct conf_item *items, size_t count, const void *settings)
{
	long version = syscall(
	    SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset all = rights_of(version);
	int ruleset;
	bool ok;

	if (version < 0) {
		log_info("this kernel has no Landlock: files are guarded by their "
			 "permissions alone");
		return true;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, size_of(version), 0);
	ok = ruleset >= 0 && allow_files(ruleset, items, count, settings) &&
	     syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	if (!ok)
		log_error("cannot close the sandbox's files: %s", strerror(errno));
	if (ruleset >= 0)
		close(ruleset);
	return ok;
}

/* --- both ----------------------------------------------------------------------------
 */

bool
sandbox_enter(const struct conf_item *items, size_t count, const void *settings)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		log_error("cannot give up new privileges: %s", strerror(errno));
		return false;
	}
	if (!limit_files(items, count, settings))
		return false;
	if (sandbox_limit_calls())
		return true;
	if (errno == EINVAL || errno == ENOSYS) {
		log_info(
		    "this kernel has no seccomp filters: every system call is allowed");
		return true;
	}
	log_error("cannot close the sandbox's calls: %s", strerror(errno));
	return false;
}

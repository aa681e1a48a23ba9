/* What Linux says about this process, under the names that Prometheus clients use. */
#include "app/metrics_process.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static int64_t start_us; /* wall time */

static void read_start(void);
static int64_t cpu_us(void);
static int64_t resident_bytes(void);
static int64_t open_fds(void);
static void print_us(struct buf *out, const char *name, const char *type,
    const char *help, int64_t value_us);
static void print_i64(
    struct buf *out, const char *name, const char *type, const char *help, int64_t value);

void
metrics_print_process(struct buf *out)
{
	pthread_once(&start_once, read_start);
	print_us(out, "process_cpu_seconds_total", "counter",
	    "CPU time used, user and system.", cpu_us());
	print_i64(out, "process_resident_memory_bytes", "gauge", "Memory that is in RAM.",
	    resident_bytes());
	print_i64(out, "process_open_fds", "gauge", "Open file descriptors.", open_fds());
	print_us(out, "process_start_time_seconds", "gauge",
	    "When the process started, in seconds since 1970.", start_us);
}

static int64_t
timespec_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * CLOCK_US_PER_SEC + ts.tv_nsec / 1000;
}

/* The kernel counts the start in ticks since it booted: field 22 of stat. */
static void
read_start(void)
{
	int64_t boot_us = clock_wall_us() - timespec_us(CLOCK_BOOTTIME);
	unsigned long long ticks = 0;
	FILE *f = fopen("/proc/self/stat", "re");
	char line[1024], *at;

	if (f == NULL)
		return;
	/* Field 2 is the program's name in parentheses, which may hold anything. */
	if (fgets(line, sizeof(line), f) != NULL && (at = strrchr(line, ')')) != NULL)
		sscanf(at + 1,
		    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
		    "%*d %*d %*d %llu",
		    &ticks);
	fclose(f);
	start_us = boot_us + (int64_t)ticks * (CLOCK_US_PER_SEC / sysconf(_SC_CLK_TCK));
}

static int64_t
cpu_us(void)
{
	return timespec_us(CLOCK_PROCESS_CPUTIME_ID);
}

static int64_t
resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	int64_t pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*d %" SCNd64, &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Since Linux 6.2 the folder's size is their number; before, they must be counted. */
static int64_t
open_fds(void)
{
	struct stat st;
	int64_t count = 0;
	DIR *dir;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return st.st_size;
	dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 3; /* ".", ".." and the folder itself */
}

static void
print_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name, type, name);
}

static void
print_us(struct buf *out, const char *name, const char *type, const char *help,
    int64_t value_us)
{
	print_head(out, name, type, help);
	buf_printf(out, "%" PRId64 ".%06" PRId64 "\n", value_us / CLOCK_US_PER_SEC,
	    value_us % CLOCK_US_PER_SEC);
}

static void
print_i64(
    struct buf *out, const char *name, const char *type, const char *help, int64_t value)
{
	print_head(out, name, type, help);
	buf_printf(out, "%" PRId64 "\n", value);
}

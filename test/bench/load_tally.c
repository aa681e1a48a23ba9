/* Adding up what came of a load, and saying it. */
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "load.h"

void
tally_answer(struct load_tally *t, int status, str code, int64_t took_us)
{
	t->requests++;
	t->statuses[status < 600 ? status : 0]++;
	hist_add(status == 503 ? &t->refusals : &t->latency, took_us);
	if (status < 400)
		return;
	for (size_t i = 0; i < LOAD_CODES; i++) {
		char *name = t->codes[i].code;
		if (name[0] == '\0')
			snprintf(name, LOAD_CODE_SIZE, "%.*s", STR_ARG(code));
		if (str_eq(str_of(name), code)) {
			t->codes[i].count++;
			return;
		}
	}
}

void
tally_merge(struct load_tally *a, const struct load_tally *b)
{
	a->requests += b->requests;
	for (size_t i = 0; i < ARRAY_LEN(a->statuses); i++)
		a->statuses[i] += b->statuses[i];
	for (size_t i = 0; i < LOAD_CODES && b->codes[i].count > 0; i++) {
		for (size_t j = 0; j < LOAD_CODES; j++) {
			char *name = a->codes[j].code;
			if (name[0] == '\0')
				strcpy(name, b->codes[i].code);
			if (strcmp(name, b->codes[i].code) == 0) {
				a->codes[j].count += b->codes[i].count;
				break;
			}
		}
	}
	hist_merge(&a->latency, &b->latency);
	hist_merge(&a->refusals, &b->refusals);
	if (a->first_us == 0 || b->first_us < a->first_us)
		a->first_us = b->first_us;
	if (b->last_us > a->last_us)
		a->last_us = b->last_us;
	a->answers += b->answers;
	a->granted += b->granted;
	a->lost += b->lost;
	a->refused += b->refused;
	a->unsent += b->unsent;
}

static double
cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void
print_counts(struct buf *out, const struct load_tally *t)
{
	const char *comma = "";

	buf_add_str(out, STR("\"statuses\":{"));
	for (int i = 0; i < (int)ARRAY_LEN(t->statuses); i++) {
		if (t->statuses[i] == 0)
			continue;
		buf_printf(out, "%s\"%d\":%lld", comma, i, (long long)t->statuses[i]);
		comma = ",";
	}
	buf_add_str(out, STR("},\"codes\":{"));
	comma = "";
	for (size_t i = 0; i < LOAD_CODES && t->codes[i].count > 0; i++) {
		buf_add_str(out, str_of(comma));
		buf_add_json_str(out, str_of(t->codes[i].code));
		buf_printf(out, ":%lld", (long long)t->codes[i].count);
		comma = ",";
	}
	buf_add_str(out, STR("},"));
}

void
tally_print(const struct load_tally *t)
{
	double seconds = (double)(t->last_us - t->first_us) / 1e6;
	double rate = seconds > 0 ? (double)t->requests / seconds : 0;
	int64_t p50 = hist_quantile(&t->latency, 0.5);
	int64_t p95 = hist_quantile(&t->latency, 0.95);
	int64_t p99 = hist_quantile(&t->latency, 0.99);
	int64_t max = hist_max(&t->latency);
	int64_t errors = t->lost + t->refused + t->unsent;
	struct buf out = { 0 };

	for (int i = 500; i < 600; i++)
		errors += t->statuses[i];
	buf_printf(&out,
	    "{\"seconds\":%.3f,\"requests\":%lld,\"rate\":%.1f,\"errors\":%lld,"
	    "\"answers\":%lld,\"granted\":%lld,\"lost\":%lld,\"refused\":%lld,\"unsent\":"
	    "%lld,",
	    seconds, (long long)t->requests, rate, (long long)errors,
	    (long long)t->answers, (long long)t->granted, (long long)t->lost,
	    (long long)t->refused, (long long)t->unsent);
	print_counts(&out, t);
	buf_printf(&out,
	    "\"p50_us\":%lld,\"p95_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld,"
	    "\"refused_p99_us\":%lld,\"cpu_seconds\":%.3f}\n",
	    (long long)p50, (long long)p95, (long long)p99, (long long)max,
	    (long long)hist_quantile(&t->refusals, 0.99), cpu_seconds());
	fwrite(out.p, 1, out.len, stdout);
	buf_fini(&out);
	fprintf(stderr,
	    "%lld requests in %.1f s: %.0f/s, %lld errors; "
	    "p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, max %.2f ms\n",
	    (long long)t->requests, seconds, rate, (long long)errors, (double)p50 / 1e3,
	    (double)p95 / 1e3, (double)p99 / 1e3, (double)max / 1e3);
}

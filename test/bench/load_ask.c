/* The requests of a load: the plan's path, headers and body, with the numbers put in. */
#include <string.h>

#include "load.h"

/* What is put in for the names in braces. */
struct numbers {
	int64_t user, seat;
};

/* The output of splitmix64 for state n: neighbours are far apart. */
static uint64_t
scatter(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
	return n ^ (n >> 31);
}

static struct numbers
next_numbers(const struct load_plan *plan)
{
	int64_t n = atomic_fetch_add_explicit(plan->users, 1, memory_order_relaxed);
	int64_t user = plan->user_count > 0 ? n % plan->user_count : n;
	uint64_t seats = (uint64_t)(plan->seat_count > 0 ? plan->seat_count : 1);

	return (struct numbers){
		.user = plan->first_user + user,
		.seat = plan->first_seat + (int64_t)(scatter((uint64_t)n) % seats),
	};
}

static void
add_with_numbers(struct buf *out, const char *template, const struct numbers *numbers)
{
	static const char user[] = "{user}", seat[] = "{seat}";
	const char *at;

	while ((at = strchr(template, '{')) != NULL) {
		buf_add(out, template, (size_t)(at - template));
		template = at;
		if (strncmp(at, user, sizeof(user) - 1) == 0) {
			buf_add_i64(out, numbers->user);
			template += sizeof(user) - 1;
		} else if (strncmp(at, seat, sizeof(seat) - 1) == 0) {
			buf_add_i64(out, numbers->seat);
			template += sizeof(seat) - 1;
		} else {
			buf_add(out, template ++, 1);
		}
	}
	buf_add_str(out, str_of(template));
}

static void
add_body(struct buf *out, const char *template, const struct numbers *numbers,
    struct buf *body)
{
	buf_clear(body);
	add_with_numbers(body, template, numbers);
	buf_add_str(out, STR("\r\nContent-Type: application/json\r\nContent-Length: "));
	buf_add_i64(out, (int64_t)buf_size(body));
	buf_add_str(out, STR("\r\n\r\n"));
	buf_add_str(out, buf_str(body));
}

int64_t
load_ask(const struct load_plan *plan, struct buf *out, struct buf *body)
{
	const struct numbers numbers = next_numbers(plan);

	buf_add_str(out, str_of(plan->method));
	buf_add(out, " ", 1);
	add_with_numbers(out, plan->path, &numbers);
	buf_add_str(out, STR(" HTTP/1.1\r\nHost: "));
	buf_add_str(out, str_of(plan->host));
	if (plan->authorization != NULL) {
		buf_add_str(out, STR("\r\nAuthorization: "));
		buf_add_str(out, str_of(plan->authorization));
	}
	if (plan->passes != NULL) {
		buf_add_str(out, STR("\r\nAuthorization: Bearer "));
		buf_add_str(out, plan->passes[numbers.user - plan->first_user]);
	}
	if (plan->body != NULL)
		add_body(out, plan->body, &numbers, body);
	else
		buf_add_str(out, STR("\r\n\r\n"));
	return numbers.user;
}

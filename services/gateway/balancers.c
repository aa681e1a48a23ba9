#include "gateway/balancers.h"

#include <stdio.h>

#include "app/log.h"
#include "gateway/address_rules.h"

static struct address_list balancers; /* filled before the workers start */

bool
balancers_check(const struct balancers_settings *settings, char *err, size_t err_size)
{
	struct address_list list;
	char why[256];

	if (address_list_parse(str_of(settings->networks), &list, why, sizeof(why)))
		return true;
	snprintf(err, err_size, "ONRUSH_PROXY_PROTOCOL: %s", why);
	return false;
}

static bool
is_one(const char *peer)
{
	struct address address;

	return address_parse(str_of(peer), &address) &&
	       address_list_has(&balancers, &address);
}

bool
balancers_start(const struct balancers_settings *settings, struct httpd_opening *opening)
{
	char why[256];

	if (!address_list_parse(
		str_of(settings->networks), &balancers, why, sizeof(why))) {
		log_error("ONRUSH_PROXY_PROTOCOL: %s", why);
		return false;
	}
	if (balancers.count > 0)
		opening->is_balancer = is_one;
	return true;
}

#include "gateway/edge/balancers.h"

#include "gateway/edge/address_rules.h"

static struct address_list balancers; /* filled before the workers start */

bool
balancers_read(const struct balancers_settings *settings, char *err, size_t err_size)
{
	return address_setting_read(
	    "ONRUSH_PROXY_PROTOCOL", settings->networks, &balancers, err, err_size);
}

static bool
is_one(const char *peer)
{
	struct address address;

	return address_parse(str_of(peer), &address) &&
	       address_list_has(&balancers, &address);
}

void
balancers_start(struct httpd_opening *opening)
{
	if (balancers.count > 0)
		opening->is_balancer = is_one;
}

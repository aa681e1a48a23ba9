/* What an operator sets of the services behind; put UPSTREAM_CONF_ITEMS in the table. */
#ifndef ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_SETTINGS_H
#define ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_SETTINGS_H

#include "app/conf.h"

struct upstream_settings {
	int64_t max_conns; /* to each server, of all workers together */
	int64_t min_calls; /* under way at each, however long it takes; likewise */
	int64_t target_us; /* of its mean latency; 0: always max_conns */
	int64_t max_queue; /* requests that wait for a connection, likewise */
	int64_t queue_us, connect_us, response_us;

	const char *name_server; /* "": the system's; owned by conf */
	int64_t lookup_us;

	int64_t check_us; /* 0: no checks */
	int64_t check_timeout_us;
	int64_t rise, fall;
	int64_t eject_failures, eject_us;
	double panic;
	int64_t slow_start_us;

	int64_t breaker_failures, breaker_us;
	int64_t retries; /* of one request */
	double retry_share;
	int64_t retry_floor; /* per second, of all workers together */
};

#define UPSTREAM_CONF_ITEMS(type, member)                                                \
	{ "ONRUSH_UPSTREAM_CONNS", CONF_INT, offsetof(type, member.max_conns), "256", 1, \
		65536, "Connections to each server, in total." },                        \
	    { "ONRUSH_UPSTREAM_TARGET_MS", CONF_MS, offsetof(type, member.target_us),    \
		    "500", 0, 15000,                                                     \
		    "While a server's answers take longer than this on average, it is "  \
		    "asked less at the same time; 0: never." },                          \
	    { "ONRUSH_UPSTREAM_MIN", CONF_INT, offsetof(type, member.min_calls), "16",   \
		    1, 65536,                                                            \
		    "Calls that each server is always given at the same time, in "       \
		    "total." },                                                          \
	    { "ONRUSH_UPSTREAM_QUEUE", CONF_INT, offsetof(type, member.max_queue),       \
		    "16384", 1, 1000000,                                                 \
		    "Requests that may wait for a connection to each server, in total; " \
		    "more are refused." },                                               \
	    { "ONRUSH_UPSTREAM_QUEUE_MS", CONF_MS, offsetof(type, member.queue_us),      \
		    "2000", 1, 5000,                                                     \
		    "How long a request may wait for its turn; one whose turn would "    \
		    "come later is refused at once." },                                  \
	    { "ONRUSH_UPSTREAM_CONNECT_MS", CONF_MS, offsetof(type, member.connect_us),  \
		    "1000", 1, 5000, "How long connecting may take." },                  \
	    { "ONRUSH_UPSTREAM_RESPONSE_MS", CONF_MS,                                    \
		    offsetof(type, member.response_us), "10000", 1, 15000,               \
		    "From a request sent to its complete answer." },                     \
	    { "ONRUSH_NAME_SERVER", CONF_STRING, offsetof(type, member.name_server), "", \
		    0, 0,                                                                \
		    "IPv4 address and port of the name server for the services' "        \
		    "names; empty: the system's resolver." },                            \
	    { "ONRUSH_LOOKUP_MS", CONF_MS, offsetof(type, member.lookup_us), "5000",     \
		    100, 3600000, "How often names of services are looked up again." },  \
	    { "ONRUSH_CHECK_MS", CONF_MS, offsetof(type, member.check_us), "2000", 0,    \
		    600000,                                                              \
		    "How often each worker asks /readyz of a service's servers, when "   \
		    "there are several; 0: never." },                                    \
	    { "ONRUSH_CHECK_TIMEOUT_MS", CONF_MS,                                        \
		    offsetof(type, member.check_timeout_us), "1000", 1, 600000,          \
		    "How long the answer to such a check may take." },                   \
	    { "ONRUSH_CHECK_RISE", CONF_INT, offsetof(type, member.rise), "2", 1, 100,   \
		    "Checks that must pass, one after the other, before a server that "  \
		    "was down is used." },                                               \
	    { "ONRUSH_CHECK_FALL", CONF_INT, offsetof(type, member.fall), "3", 1, 100,   \
		    "Checks that must fail, one after the other, before a server is "    \
		    "not used." },                                                       \
	    { "ONRUSH_EJECT_FAILURES", CONF_INT, offsetof(type, member.eject_failures),  \
		    "5", 1, 1000000,                                                     \
		    "Calls that must fail, one after the other, before a server is "     \
		    "left out for a while." },                                           \
	    { "ONRUSH_EJECT_MS", CONF_MS, offsetof(type, member.eject_us), "5000", 1,    \
		    600000,                                                              \
		    "How long it is left out; each time twice as long, at most twelve "  \
		    "times." },                                                          \
	    { "ONRUSH_PANIC", CONF_RATIO, offsetof(type, member.panic), "0.5", 0, 1,     \
		    "When a smaller share than this of a service's servers seems "       \
		    "usable, all of them are used." },                                   \
	    { "ONRUSH_SLOW_START_MS", CONF_MS, offsetof(type, member.slow_start_us),     \
		    "10000", 0, 600000,                                                  \
		    "How long a server that comes, or comes back, gets less than its "   \
		    "part." },                                                           \
	    { "ONRUSH_BREAKER_FAILURES", CONF_INT,                                       \
		    offsetof(type, member.breaker_failures), "20", 1, 1000000,           \
		    "Calls that must fail, one after the other and at any of its "       \
		    "servers, before a service is given a rest." },                      \
	    { "ONRUSH_BREAKER_MS", CONF_MS, offsetof(type, member.breaker_us), "1000",   \
		    1, 600000, "How long such a rest is; then one call tries." },        \
	    { "ONRUSH_RETRIES", CONF_INT, offsetof(type, member.retries), "2", 0, 5,     \
		    "How often one request may be sent again, to another server, when "  \
		    "that is harmless." },                                               \
	    { "ONRUSH_RETRY_BUDGET", CONF_RATIO, offsetof(type, member.retry_share),     \
		    "0.2", 0, 1,                                                         \
		    "The part of all requests of the last ten seconds that may be sent " \
		    "again." },                                                          \
	{                                                                                \
		"ONRUSH_RETRY_FLOOR", CONF_INT, offsetof(type, member.retry_floor),      \
		    "10", 0, 1000000,                                                    \
		    "Requests per second, in total, that may be sent again besides."     \
	}

#endif

/*
 * The pages that the gateway serves itself: today the waiting room. They are part of the
 * program, so that they are there when nothing else is, and never depend on who asks.
 */
#ifndef ONRUSH_GATEWAY_PASSES_PAGES_H
#define ONRUSH_GATEWAY_PASSES_PAGES_H

#include "http/rq.h"

/* Gets the pages ready; once, before the workers start. */
void pages_init(void);

/* The first step of the routes in pages.def: the page, or 304 for who has it. */
rq_step pages_show;

/* A browser asks, for a person who wants to see a page: it can be sent to another one.
 * Scripts and programs, which do not ask for HTML, want their answer. */
bool pages_wanted(const struct http_head *head);

/* Sends such a browser to the waiting room of a line (303), from where it comes back to
 * what it asked for now when it is served. */
rq_next pages_send_to_line(struct rq *rq, int64_t line) MUST_USE;

/* The pass that the waiting room left in a cookie: what a browser shows where a program
 * sends a field. STR_NULL without one, and for calls that change something: another
 * site can make a browser send those. */
str pages_pass(const struct http_head *head);

/* Is this tag one of those in an If-None-Match field (RFC 9110, 13.1.2)? */
bool pages_tag_matches(str field, str tag);

#endif

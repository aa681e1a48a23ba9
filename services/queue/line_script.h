/*
 * The scripts that are a line in Redis. Keys of line N:
 *
 *   q:{N}          hash: the numbers and the settings; without it the line is lost
 *   q:{N}:u:{B}    hash: user % 100 -> ticket, for the users of bucket user / 100
 *   q:{N}:early    bits by ticket, before the opening: left, revoked, or in a hole
 *   q:{N}:gone     bits by place, from the opening on: the same, did not show up, was
 * idle q:{N}:seen     bits by place: was told to be active q:{N}:alive    bits by place:
 * did something in this period q:{N}:steps    list of "clock:serving": when whom was
 * called, for the expiry q:{N}:calls    the same, for those who do not show up
 *
 * Times are of the line's own clock: the milliseconds between ticks, each at most 200. A
 * jump of Redis's wall clock moves it by no more than that, and time without any queue
 * service does not pass at all.
 *
 * `run` is the id of the Redis process. A line that another process made is lost: what
 * comes back from a disk may lack tickets that were given.
 */
#ifndef ONRUSH_QUEUE_LINE_SCRIPT_H
#define ONRUSH_QUEUE_LINE_SCRIPT_H

#include "store/redis.h"

/* Puts the scripts together; once, before the workers start. */
void line_script_init(void);

/*
 * KEYS: q:{N}. ARGV: run; next, serving and floor as the caller knows them; bound,
 * shuffled (-1: not decided), version, mode, rate (-1: none), max_active, active_ms,
 * no_show_ms (-1: never), idle_ms (-1: never), opens_ms (wall clock; 0: open), all from
 * PostgreSQL; the shop's health in thousandths; 1 if all is sold; places whose holders
 * were seen to be active.
 * The answer: next, serving, floor, bound, shuffled, open, version, holes, paces, the
 * first byte of gone, gone; false when Redis has lost the line.
 */
extern struct redis_script line_tick;

/* KEYS: q:{N}. ARGV: run, shuffled, gone. Opens a line whose shuffle PostgreSQL knows:
 * gone are the bits of `early`, by place. 1, or 0 if it is open already. */
extern struct redis_script line_open;

/*
 * KEYS: q:{N}. ARGV: run, next, bound, serving, floor, shuffled, holes, paces, the first
 * byte of gone and gone as far as the caller knows them, then what was revoked: tickets
 * while shuffled is -1, else places. Makes a line that was lost. 1, or 0 if somebody else
 * has.
 */
extern struct redis_script line_restore;

/*
 * KEYS: q:{N}. ARGV: run, next and open as the caller knows them, then for each user
 * bucket, field, what to do, ticket, and the place or, before the opening, the ticket
 * again. The answer is serving, floor, paces and a number for each; false when the line
 * is lost.
 *
 *   g  the user's ticket; 0: none
 *   t  a new ticket if the user has none, or this one
 *   s  a pass with this ticket was shown and is not over: the user has it again, unless
 *      the place was given up (0)
 *   l  leaves: 1, or 0 if the user has another ticket
 *
 * -1: not now. There are no tickets left below the bound, or the line is being opened.
 */
extern struct redis_script line_ask;

#endif

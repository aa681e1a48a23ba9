/*
 * The scripts that are a line in Redis. Keys of line N:
 *
 *   q:{N}          hash: the numbers and the settings; without it the line is lost
 *   q:{N}:u:{B}    hash: user % 100 -> ticket, for the users of bucket user / 100
 *   q:{N}:gone     bits by place: left, did not show up, or never given
 *   q:{N}:seen     bits by place: was told to be active
 *   q:{N}:steps    list of "clock:serving": when whom was called, for the expiry
 *   q:{N}:calls    the same, for those who do not show up
 *
 * Times are of the line's own clock: the milliseconds between ticks, each at most 200. A
 * jump of Redis's wall clock moves it by no more than that, and time without any queue
 * service does not pass at all.
 */
#ifndef ONRUSH_QUEUE_LINE_SCRIPT_H
#define ONRUSH_QUEUE_LINE_SCRIPT_H

#include "store/redis.h"

/* Puts the scripts together; once, before the workers start. */
void line_script_init(void);

/*
 * KEYS: q:{N}. ARGV: next, serving, floor and pace as the caller knows them; bound,
 * shuffled (-1: not decided), version, mode, rate (-1: none), max_active, active_ms,
 * no_show_ms (-1: never), opens_ms (wall clock; 0: open), all from PostgreSQL; places
 * whose holders were told to be active.
 * The answer: next, serving, floor, pace, bound, shuffled, open, version, the first byte
 * of gone, gone; false when Redis has lost the line.
 */
extern struct redis_script line_tick;

/* KEYS: q:{N}. ARGV: next, bound, serving, floor, pace, given. Makes a line that was
 * lost: given is what is known to have been given, the rest up to next may not exist. */
extern struct redis_script line_restore;

/*
 * KEYS: q:{N}. ARGV: next as the caller knows it, then for each user bucket, field, what
 * to do, ticket, place. The answer has a number for each; false when the line is lost.
 *
 *   g  the user's ticket; 0: none
 *   t  a new ticket if the user has none, or this one; -1: none may be given now
 *   s  a pass with this ticket was shown and is not over: the user has it again, unless
 *      the place was given up (0)
 *   l  leaves: 1, or 0 if the user has another ticket
 */
extern struct redis_script line_ask;

#endif

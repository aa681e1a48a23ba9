/*
 * SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014):
 * a series that has every value once in 2^64 steps, and the function that mixes its bits.
 * Fast and well spread, and no secret: whoever sees a value knows all that follow.
 */
#ifndef ONRUSH_BASE_SPLITMIX_H
#define ONRUSH_BASE_SPLITMIX_H

#include <stdint.h>

/* Every bit of x decides about every bit of the result; no two x have the same. */
static inline uint64_t
splitmix64_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* The next of the series; any state may begin one. */
static inline uint64_t
splitmix64_next(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return splitmix64_mix(*state);
}

#endif

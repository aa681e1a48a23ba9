/* One setting's value: text to value, value to text, and the words for what it may be.
 * For conf.c only. */
#ifndef ONRUSH_APP_CONF_VALUE_H
#define ONRUSH_APP_CONF_VALUE_H

#include "app/conf.h"
#include "base/die.h"

#define CONF_WORDS_SIZE 160

/* Stores text as item's value in *settings. False, and nothing stored, when it may not be
 * that. */
bool
conf_value_set(const struct conf_item *item, void *settings, const char *text) MUST_USE;

/* Frees what conf_value_set allocated. */
void conf_value_clear(const struct conf_item *item, void *settings);

/* What the value must be: "a whole number from 0 to 256". */
void conf_value_words(const struct conf_item *item, char words[CONF_WORDS_SIZE]);

/* Prints the value as it could have been set, a secret as ***. */
void conf_value_print(const struct conf_item *item, const void *settings);

#endif

/*
 * Reads a command's options and operands by its table. An option's value is checked
 * here, once, against the limits in the table; commands only ask for it.
 */
#include <stdio.h>
#include <string.h>

#include "onrush/ctl.h"

static int
find(const struct ctl_command *command, const char *name, size_t size)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const char *have = command->options[i].name;

		if (strlen(have) == size && memcmp(have, name, size) == 0)
			return (int)i;
	}
	return -1;
}

/* Is `value` one of the words of "a|b|c"? */
static bool
is_choice(const char *choices, const char *value)
{
	str rest = str_of(choices), word;

	while (rest.p != NULL) {
		rest = str_cut(rest, '|', &word);
		if (str_eq(word, str_of(value)))
			return true;
	}
	return false;
}

static bool
is_allowed(const struct ctl_option *o, const char *value)
{
	int64_t number;

	if (o->choices != NULL && !is_choice(o->choices, value)) {
		ctl_complain("%s is \"%s\"; allowed: %s", o->name, value, o->choices);
		return false;
	}
	if (o->min == o->max || str_to_i64(str_of(value), o->min, o->max, &number))
		return true;
	ctl_complain("%s is \"%s\"; allowed: a whole number from %lld to %lld", o->name,
	    value, (long long)o->min, (long long)o->max);
	return false;
}

/* Takes the option at argv[0]; gives how many words it was, 0 after a complaint. */
static int
take_option(struct ctl *ctl, int argc, char **argv)
{
	const char *equals = strncmp(argv[0], "--", 2) == 0 ? strchr(argv[0], '=') : NULL;
	size_t size = equals != NULL ? (size_t)(equals - argv[0]) : strlen(argv[0]);
	int i = find(ctl->command, argv[0], size), used = 1;
	const struct ctl_option *o;

	if (i < 0) {
		ctl_complain("%s has no option %.*s; see: onrush help %s",
		    ctl->command->name, (int)size, argv[0], ctl->command->name);
		return 0;
	}
	o = &ctl->command->options[i];
	if (o->arg == NULL && equals != NULL) {
		ctl_complain("%s takes no value", o->name);
		return 0;
	}
	if (o->arg == NULL) {
		ctl->values[i] = "";
		return 1;
	}
	if (equals == NULL && argc < 2) {
		ctl_complain("%s needs a value: %s", o->name, o->arg);
		return 0;
	}
	ctl->values[i] = equals != NULL ? equals + 1 : argv[used++];
	return is_allowed(o, ctl->values[i]) ? used : 0;
}

static bool
check_operands(const struct ctl *ctl)
{
	const struct ctl_command *c = ctl->command;

	if (ctl->operand_count > c->max_operands) {
		ctl_complain("%s does not take \"%s\"; see: onrush help %s", c->name,
		    ctl->operands[c->max_operands], c->name);
		return false;
	}
	if (ctl->operand_count < c->min_operands) {
		ctl_complain(
		    "%s needs %s; see: onrush help %s", c->name, c->operands, c->name);
		return false;
	}
	return true;
}

bool
ctl_parse(struct ctl *ctl, int argc, char **argv)
{
	bool only_operands = false;

	ASSERT(ctl->command->option_count <= CTL_MAX_OPTIONS);
	for (size_t i = 0; i < ctl->command->option_count; i++)
		ctl->values[i] = ctl->command->options[i].def;
	/* Operands are moved to the front of argv, over options that were read. */
	ctl->operands = argv;
	ctl->operand_count = 0;
	for (int i = 0, used; i < argc; i += used) {
		used = 1;
		if (!only_operands && strcmp(argv[i], "--") == 0)
			only_operands = true;
		else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0')
			used = take_option(ctl, argc - i, argv + i);
		else
			argv[ctl->operand_count++] = argv[i];
		if (used == 0)
			return false;
	}
	return check_operands(ctl);
}

const char *
ctl_text(const struct ctl *ctl, const char *name)
{
	int i = find(ctl->command, name, strlen(name));

	ASSERT(i >= 0);
	return ctl->values[i];
}

bool
ctl_flag(const struct ctl *ctl, const char *name)
{
	return ctl_text(ctl, name) != NULL;
}

int64_t
ctl_int(const struct ctl *ctl, const char *name)
{
	int64_t value = 0;

	ASSERT(str_to_i64(str_of(ctl_text(ctl, name)), INT64_MIN, INT64_MAX, &value));
	return value;
}

bool
ctl_json(const struct ctl *ctl)
{
	return strcmp(ctl_text(ctl, "-o"), "json") == 0;
}

bool
ctl_operand_id(const struct ctl *ctl, int index, int64_t *id)
{
	if (str_to_i64(str_of(ctl->operands[index]), 1, INT64_MAX, id))
		return true;
	ctl_complain(
	    "\"%s\" is not an id; allowed: a whole number from 1", ctl->operands[index]);
	return false;
}

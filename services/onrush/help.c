/*
 * Prints the table of commands: for people on the terminal, and as the page
 * docs/operations/onrush.md, which is this file's output and nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "onrush/ctl.h"

enum {
	WIDTH = 90,
	NAME_WIDTH = 19, /* of "--timeout SECONDS" */
};

static const char exit_statuses[] = "0  done; or checked and clean\n"
				    "1  refused, failed, or checked and not clean\n"
				    "2  the command line or a setting is wrong\n"
				    "3  a system that is needed does not answer\n";

static void
print_usage(const struct ctl_command *c)
{
	printf("onrush %s", c->name);
	if (c->option_count > 0)
		printf(" [OPTION…]");
	if (c->operands != NULL)
		printf(c->min_operands > 0 ? " %s" : " [%s]", c->operands);
	putchar('\n');
}

/* "--timeout SECONDS" into out. */
static void
format_option(const struct ctl_option *o, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", o->name, o->arg != NULL ? " " : "",
	    o->arg != NULL ? o->arg : "");
}

/* " (text|json; default text)" after an option's sentence, into out. */
static void
format_values(const struct ctl_option *o, char *out, size_t size)
{
	char limits[64] = "", def[64] = "";
	const char *choices = o->choices != NULL ? o->choices : "";

	if (o->min != o->max)
		snprintf(limits, sizeof(limits), "%lld to %lld", (long long)o->min,
		    (long long)o->max);
	if (o->def != NULL)
		snprintf(def, sizeof(def), "%sdefault %s",
		    choices[0] != '\0' || limits[0] != '\0' ? "; " : "", o->def);
	out[0] = '\0';
	if (choices[0] != '\0' || limits[0] != '\0' || def[0] != '\0')
		snprintf(out, size, " (%s%s%s)", choices, limits, def);
}

/* Words from column `indent` on, to at most WIDTH columns; the cursor is at `indent`. */
static void
print_wrapped(const char *text, int indent)
{
	int column = indent;

	while (*text != '\0') {
		int size = (int)strcspn(text, " ");

		if (column > indent && column + 1 + size > WIDTH) {
			printf("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", size, text);
		column += size;
		text += size + (text[size] == ' ');
	}
	putchar('\n');
}

static void
print_command(const struct ctl_command *c)
{
	char name[64], line[512], values[192];

	printf("Usage: ");
	print_usage(c);
	printf("\n%s.\n", c->summary);
	if (c->text != NULL)
		printf("\n%s", c->text);
	if (c->option_count > 0)
		printf("\nOptions:\n");
	for (size_t i = 0; i < c->option_count; i++) {
		format_option(&c->options[i], name, sizeof(name));
		format_values(&c->options[i], values, sizeof(values));
		snprintf(line, sizeof(line), "%s%s", c->options[i].help, values);
		printf("  %-*s ", NAME_WIDTH, name);
		print_wrapped(line, NAME_WIDTH + 3);
	}
}

void
help_overview(void)
{
	printf(
	    "onrush %s, the operator's command\n\n"
	    "Usage: onrush [--config FILE]… COMMAND [OPTION…] [OPERAND…]\n\nCommands:\n",
	    ONRUSH_VERSION);
	for (const struct ctl_command *const *c = CTL_COMMANDS; *c != NULL; c++)
		printf("  %-16s %s\n", (*c)->name, (*c)->summary);
	printf("  %-16s %s\n", "help [COMMAND]", "This page, or a command's own");
	printf("\nExit status:\n");
	for (const char *line = exit_statuses; *line != '\0';) {
		size_t size = strcspn(line, "\n") + 1;

		printf("  %.*s", (int)size, line);
		line += size;
	}
	printf(
	    "\nSettings, from the environment or KEY=VALUE lines of --config files:\n");
	conf_print_help(CTL_CONF, CTL_CONF_COUNT);
}

bool
help_command(const char *name)
{
	size_t size = strlen(name);
	bool any = false;

	for (const struct ctl_command *const *c = CTL_COMMANDS; *c != NULL; c++) {
		char after;

		if (strncmp((*c)->name, name, size) != 0)
			continue;
		after = (*c)->name[size];
		if (after != '\0' && after != ' ')
			continue;
		if (any)
			printf("\n\n");
		print_command(*c);
		any = true;
	}
	return any;
}

/* --- the page --------------------------------------------------------------- */

/* Text for the page: lines that begin with two spaces become a block of code. */
static void
markdown_text(const char *text)
{
	while (*text != '\0') {
		size_t size = strcspn(text, "\n") + 1;

		printf("%s%.*s", text[0] == ' ' ? "  " : "", (int)size, text);
		text += size;
	}
}

/* A table's cell: a bar would end it. */
static void
markdown_cell(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

static void
markdown_command(const struct ctl_command *c)
{
	char name[64];

	printf("\n## onrush %s\n\n%s.\n\n    ", c->name, c->summary);
	print_usage(c);
	if (c->text != NULL) {
		putchar('\n');
		markdown_text(c->text);
	}
	if (c->option_count == 0)
		return;
	printf("\n| option | default | meaning |\n| --- | --- | --- |\n");
	for (size_t i = 0; i < c->option_count; i++) {
		const struct ctl_option *o = &c->options[i];

		format_option(o, name, sizeof(name));
		printf("| `%s` | %s%s%s | ", name, o->def != NULL ? "`" : "",
		    o->def != NULL ? o->def : "", o->def != NULL ? "`" : "");
		markdown_cell(o->help);
		if (o->choices != NULL) {
			printf(" One of: ");
			markdown_cell(o->choices);
			putchar('.');
		}
		if (o->min != o->max)
			printf(
			    " From %lld to %lld.", (long long)o->min, (long long)o->max);
		printf(" |\n");
	}
}

void
help_markdown(void)
{
	printf("# onrush, the operator's command\n\n"
	       "This page is printed by `onrush help --markdown`; a test holds it to "
	       "that.\n\n"
	       "    onrush [--config FILE]… COMMAND [OPTION…] [OPERAND…]\n\n");
	for (const struct ctl_command *const *c = CTL_COMMANDS; *c != NULL; c++) {
		printf("- `%s`: ", (*c)->name);
		markdown_cell((*c)->summary);
		putchar('\n');
	}
	printf("\n## Exit status\n\n| status | meaning |\n| --- | --- |\n");
	for (const char *line = exit_statuses; *line != '\0';) {
		size_t size = strcspn(line, "\n");

		printf("| %c | %.*s |\n", line[0], (int)size - 3, line + 3);
		line += size + 1;
	}
	printf("\n## Settings\n\n"
	       "From the environment, or from `KEY=VALUE` lines of the files that are "
	       "given with\n`--config`; the environment wins.\n\n"
	       "| setting | default | takes | meaning |\n| --- | --- | --- | --- |\n");
	conf_print_markdown(CTL_CONF, CTL_CONF_COUNT);
	for (const struct ctl_command *const *c = CTL_COMMANDS; *c != NULL; c++)
		markdown_command(*c);
}

#include "http/path_tree.h"

#include <stdlib.h>
#include <string.h>

struct node {
	str label;              /* owned; of an exact segment */
	struct node **children; /* owned, each too; exact ones, sorted */
	size_t child_count;
	struct node *param; /* owned; {…} */
	struct node *rest;  /* owned; {…...} */
	size_t *values;     /* owned */
	size_t value_count;
};

struct path_tree {
	struct node root;
};

/* A path on its way through the tree. */
struct walk {
	str *params; /* borrowed */
	path_visit *visit;
	void *arg; /* borrowed */
};

enum segment {
	EXACT,
	PARAM,
	REST,
	MALFORMED,
};

static struct node *child_for(struct node *parent, str segment);
static bool visit_node(const struct node *node, size_t params, const struct walk *w);
static bool
descend(const struct node *node, str rest, size_t params, const struct walk *w);

/* --- patterns ------------------------------------------------------------------------
 */

static enum segment
kind_of(str segment)
{
	const char *open = segment.n > 0 ? memchr(segment.p, '{', segment.n) : NULL;
	const char *close = segment.n > 0 ? memchr(segment.p, '}', segment.n) : NULL;

	if (open == NULL && close == NULL)
		return EXACT;
	if (open != segment.p || close != segment.p + segment.n - 1 || segment.n < 3 ||
	    memchr(segment.p + 1, '{', segment.n - 1) != NULL)
		return MALFORMED;
	if (segment.n >= 6 && memcmp(close - 3, "...", 3) == 0)
		return REST;
	return memchr(segment.p, '.', segment.n) == NULL ? PARAM : MALFORMED;
}

/* The first segment of what begins with a slash; *rest is what follows it. */
static str
first_segment(str path, str *rest)
{
	const char *slash;
	str segment = { path.p + 1, path.n - 1 };

	slash = memchr(segment.p, '/', segment.n);
	if (slash != NULL)
		segment.n = (size_t)(slash - segment.p);
	*rest = (str){ segment.p + segment.n, path.n - 1 - segment.n };
	return segment;
}

const char *
path_pattern_check(str pattern)
{
	size_t params = 0;
	str segment;

	if (pattern.n == 0 || pattern.p[0] != '/')
		return "must begin with a slash";
	while (pattern.n > 0) {
		segment = first_segment(pattern, &pattern);
		switch (kind_of(segment)) {
		case EXACT: break;
		case PARAM: params++; break;
		case REST:
			params++;
			if (pattern.n > 0)
				return "must end with its {…...}";
			break;
		case MALFORMED: return "must have {…} only as whole segments with a name";
		}
	}
	return params > PATH_MAX_PARAMS ? "must not have more than four {…}" : NULL;
}

/* --- the tree ------------------------------------------------------------------------
 */

struct path_tree *
path_tree_new(void)
{
	return xcalloc(1, sizeof(struct path_tree));
}

static void
clear(struct node *node)
{
	struct node *const others[] = { node->param, node->rest };

	for (size_t i = 0; i < node->child_count; i++) {
		clear(node->children[i]);
		free(node->children[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (others[i] != NULL)
			clear(others[i]);
		free(others[i]);
	}
	free(node->children);
	free(node->values);
	free((char *)(uintptr_t)node->label.p);
}

void
path_tree_free(struct path_tree *t)
{
	if (t == NULL)
		return;
	clear(&t->root);
	free(t);
}

void
path_tree_add(struct path_tree *t, const char *pattern, size_t value)
{
	struct node *node = &t->root, **other;
	str rest = str_of(pattern), segment;
	enum segment kind;

	ASSERT(path_pattern_check(rest) == NULL);
	while (rest.n > 0) {
		segment = first_segment(rest, &rest);
		kind = kind_of(segment);
		if (kind == EXACT) {
			node = child_for(node, segment);
			continue;
		}
		other = kind == PARAM ? &node->param : &node->rest;
		if (*other == NULL)
			*other = xcalloc(1, sizeof(**other));
		node = *other;
	}
	node->values =
	    xrealloc(node->values, (node->value_count + 1) * sizeof(*node->values));
	node->values[node->value_count++] = value;
}

/* Shorter ones first: most comparisons need no bytes. */
static int
compare(str a, str b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return a.n == 0 ? 0 : memcmp(a.p, b.p, a.n);
}

/* Where the segment stands among the children, or would. */
static size_t
place_of(const struct node *node, str segment)
{
	size_t low = 0, high = node->child_count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (compare(node->children[middle]->label, segment) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct node *
find_child(const struct node *node, str segment)
{
	size_t place = place_of(node, segment);

	if (place == node->child_count ||
	    compare(node->children[place]->label, segment) != 0)
		return NULL;
	return node->children[place];
}

static struct node *
child_for(struct node *parent, str segment)
{
	size_t place = place_of(parent, segment);
	struct node *child;
	char *label;

	if (find_child(parent, segment) != NULL)
		return parent->children[place];
	child = xcalloc(1, sizeof(*child));
	label = xmalloc(segment.n + 1);
	memcpy(label, segment.p, segment.n);
	label[segment.n] = '\0';
	child->label = (str){ label, segment.n };
	parent->children =
	    xrealloc(parent->children, (parent->child_count + 1) * sizeof(child));
	memmove(parent->children + place + 1, parent->children + place,
	    (parent->child_count - place) * sizeof(child));
	parent->children[place] = child;
	parent->child_count++;
	return child;
}

/* --- finding -------------------------------------------------------------------------
 */

bool
path_tree_find(const struct path_tree *t, str path, str params[PATH_MAX_PARAMS],
    path_visit *visit, void *arg)
{
	const struct walk w = { params, visit, arg };

	if (path.n == 0 || path.p[0] != '/')
		return false;
	return descend(&t->root, path, 0, &w);
}

/* "." and "..", also as %2e. */
static bool
is_dots(str segment)
{
	size_t dots = 0;

	while (segment.n > 0) {
		size_t used = 1;

		if (segment.n >= 3 && segment.p[0] == '%' && segment.p[1] == '2' &&
		    (segment.p[2] | 0x20) == 'e')
			used = 3;
		else if (segment.p[0] != '.')
			return false;
		segment = (str){ segment.p + used, segment.n - used };
		dots++;
	}
	return dots == 1 || dots == 2;
}

/* An escaped slash would hide such a segment from us and not from others. */
static bool
is_harmless(str rest)
{
	str whole = { rest.p + 1, rest.n - 1 };

	for (size_t i = 0; i + 2 < whole.n; i++)
		if (whole.p[i] == '%' && whole.p[i + 1] == '2' &&
		    (whole.p[i + 2] | 0x20) == 'f')
			return false;
	while (rest.n > 0)
		if (is_dots(first_segment(rest, &rest)))
			return false;
	return whole.n > 0;
}

static bool
visit_node(const struct node *node, size_t params, const struct walk *w)
{
	for (size_t i = 0; i < node->value_count; i++) {
		if (!w->visit(w->arg, node->values[i]))
			continue;
		for (size_t p = params; p < PATH_MAX_PARAMS; p++)
			w->params[p] = STR_NULL;
		return true;
	}
	return false;
}

/* `rest` is empty or begins with a slash. Each node is looked at once at most, because
 * its depth says which segments led to it. */
static bool
descend(const struct node *node, str rest, size_t params, const struct walk *w)
{
	const struct node *child;
	str segment, behind;

	if (rest.n == 0)
		return visit_node(node, params, w);
	segment = first_segment(rest, &behind);
	child = find_child(node, segment);
	if (child != NULL && descend(child, behind, params, w))
		return true;
	if (node->param != NULL && segment.n > 0) {
		w->params[params] = segment;
		if (descend(node->param, behind, params + 1, w))
			return true;
	}
	if (node->rest == NULL || !is_harmless(rest))
		return false;
	w->params[params] = (str){ rest.p + 1, rest.n - 1 };
	return visit_node(node->rest, params + 1, w);
}

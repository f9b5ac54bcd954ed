// SPDX-License-Identifier: GPL-2.0-only
#include "fit/cycle.h"

#include "fit/module.h"

struct edge {
	size_t user;
	size_t used;
};

struct graph {
	struct edge *edges;
	size_t count;
	size_t room;
};

static void graph_free(struct graph *graph)
{
	free(graph->edges);
}

static int add_edge(struct graph *graph, size_t user, size_t used)
{
	const struct edge edge = { user, used }, *last = graph->edges + graph->count;

	if (graph->count && last[-1].user == user && last[-1].used == used)
		return 0;
	if (graph->count == graph->room) {
		size_t room = graph->room ? 2 * graph->room : 64;
		struct edge *grown = reallocarray(graph->edges, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		graph->edges = grown;
		graph->room = room;
	}
	graph->edges[graph->count++] = edge;
	return 0;
}

/* @path is the very pointer that the module has. */
static size_t index_of(const struct module *modules, size_t n, const char *path)
{
	size_t i = 0;

	while (i < n && modules[i].path != path)
		i++;
	return i;
}

static int add_edges(struct graph *graph, const struct module *modules, size_t n,
		     size_t user, const struct symtab *set)
{
	const struct symtab *undefined = &modules[user].undefined;

	for (size_t i = 0; i < undefined->count; i++) {
		const struct symbol *by;
		size_t count, used;

		by = symtab_find(set, undefined->symbols[i].name, &count);
		used = by ? index_of(modules, n, by->owner) : n;
		if (used < n && used != user && add_edge(graph, user, used) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* One round: who needs nobody that is left, or is needed by nobody, is left no more. */
static bool thin_out(const struct graph *graph, size_t n, bool *left, bool *needs,
		     bool *needed)
{
	bool changed = false;

	for (size_t i = 0; i < n; i++)
		needs[i] = needed[i] = false;
	for (size_t i = 0; i < graph->count; i++) {
		const struct edge *edge = &graph->edges[i];

		if (left[edge->user] && left[edge->used])
			needs[edge->user] = needed[edge->used] = true;
	}
	for (size_t i = 0; i < n; i++) {
		if (!left[i] || (needs[i] && needed[i]))
			continue;
		left[i] = false;
		changed = true;
	}
	return changed;
}

static int find(const struct graph *graph, const struct module *modules, size_t n,
		const struct module **needs)
{
	_cleanup_free_ bool *flags = calloc(3 * n, sizeof(*flags));

	if (!flags)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		flags[i] = true;
	while (thin_out(graph, n, flags, flags + n, flags + 2 * n))
		;
	for (size_t i = 0; i < graph->count; i++) {
		const struct edge *edge = &graph->edges[i];

		if (flags[edge->user] && flags[edge->used])
			needs[edge->user] = &modules[edge->used];
	}
	return 0;
}

int cycle_find(const struct module *modules, size_t n, const struct symtab *set,
	       const struct module **needs)
{
	_cleanup_(graph_free) struct graph graph = { 0 };

	for (size_t i = 0; i < n; i++) {
		needs[i] = NULL;
		if (add_edges(&graph, modules, n, i, set) < 0)
			return -ENOMEM;
	}
	return graph.count ? find(&graph, modules, n, needs) : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "health/look.h"

void look_free(struct look *look)
{
	for (size_t i = 0; i < look->n_modules; i++)
		module_free(&look->modules[i]);
	free(look->modules);
	module_free(&look->reference);
	symvers_free(&look->symvers);
	strlist_free(&look->loads);
	snapshot_free(&look->tree);
	state_free(&look->state);
	host_close(&look->host);
}

static bool is_named(const char *path, const char *name)
{
	_cleanup_free_ char *own = module_name_of(path);

	return own && !strcmp(own, name);
}

const char *look_on_disk(const struct look *look, const char *name)
{
	for (size_t i = 0; i < look->tree.count; i++) {
		const struct snapshot_entry *entry = &look->tree.entries[i];

		if (!S_ISDIR(entry->st.st_mode) && strstr(entry->path, ".ko") &&
		    strncmp(entry->path, STATE_DIRECTORY "/",
			    strlen(STATE_DIRECTORY "/")) != 0 &&
		    is_named(entry->path, name))
			return entry->path;
	}
	return NULL;
}

bool look_loads(const struct look *look, const char *name)
{
	for (size_t i = 0; i < look->loads.count; i++)
		if (is_named(look->loads.items[i], name))
			return true;
	return false;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "fit/reference.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "fit/providers.h"

/* Returns 1 if the module @path is the kernel's own, 0 if not, or -errno with @reason. */
static int try(struct reference *reference, const struct host *host, const char *path,
	       struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(host->modules_fd, path, O_RDONLY);
	struct module *module = &reference->module;
	int ret;

	if (fd < 0)
		return reason_errno(reason, fd);
	reference->path = strdup(path);
	if (!reference->path)
		return reason_errno(reason, -ENOMEM);
	ret = module_read_fd(module, reference->path, fd, reason);
	if (ret == 0 && module_info(module, "intree", 0) &&
	    module_info(module, "vermagic", 0))
		return 1;
	reference_free(reference);
	return ret;
}

int reference_read(struct reference *reference, const struct host *host,
		   reference_skip_fn *skip, const void *arg, struct reason *reason)
{
	struct reason first = { 0 };
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *path;
	int ret = modules_dep_read(host, &dep, reason);

	if (ret < 0)
		return ret;
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
		struct reason why = { 0 };

		if (strncmp(path, "kernel/", strlen("kernel/")) != 0 || skip(path, arg))
			continue;
		ret = try(reference, host, path, &why);
		if (ret > 0)
			return 0;
		if (ret < 0 && !*first.text)
			reason_set(&first, ret, "%s/%s: %s", host->modules, path,
				   why.text);
	}
	if (*first.text)
		return reason_set(reason, -ENOENT, "%s", first.text);
	return reason_set(reason, -ENOENT,
			  "%s/modules.dep lists no module of the kernel's own: run "
			  "'depmod %s' first, or name its vermagic by --vermagic",
			  host->modules, host->release);
}

void reference_free(struct reference *reference)
{
	module_free(&reference->module);
	free(reference->path);
	*reference = (struct reference){ 0 };
}

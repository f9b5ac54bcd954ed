// SPDX-License-Identifier: GPL-2.0-only
/* wgkmod check: prove module files against a Module.symvers, both named by the user. */
#include "verbs.h"

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "fit/module.h"
#include "fit/proof.h"

struct files {
	struct module *modules;
	size_t count;
	unsigned int unread; /* files that could not be read */
	int worst;	     /* the gravest error of those */
};

static void files_free(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		module_free(&files->modules[i]);
	free(files->modules);
}

static int read_module(struct module *mod, const char *path, struct reason *reason)
{
	_cleanup_buf_ struct buf file = { 0 };
	int ret = read_path(path, MODULE_MAX_BYTES, &file, reason);

	if (ret < 0)
		return ret;
	return module_read(mod, path, file.data, file.size, reason);
}

static void read_files(struct files *files, const struct params *params)
{
	for (size_t i = 0; i < params->n_operands; i++) {
		const char *path = params->operands[i];
		struct reason reason = { 0 };
		int ret = read_module(&files->modules[files->count], path, &reason);

		files->count += ret == 0;
		files->unread += ret < 0;
		files->worst = graver_error(files->worst, log_reason(path, ret, &reason));
	}
}

static int prove(const struct params *params, struct files *files)
{
	_cleanup_host_ struct host host = HOST_INIT;
	const struct proof_basis basis = {
		.release = params->kernel,
		.vermagic = params->vermagic,
		.symvers = params->symvers,
		.host = &host,
	};
	struct reason reason = { 0 };
	struct proof proof;
	int ret;

	read_files(files, params);
	if (!params->vermagic &&
	    host_open(&host, params->root, params->kernel, &reason) < 0) {
		log_failure(params->kernel, "no vermagic to compare with: %s",
			    reason.text);
		return -EIO;
	}
	ret = graver_error(files->worst, proof_run(&proof, &basis, files->modules,
						   files->count, files->unread));
	if (ret == 0)
		log_info("%zu module%s fit %s: %zu %s", files->count,
			 PLURAL(files->count), params->kernel, proof.equal,
			 proof_equal_what(&proof));
	return ret;
}

static enum exit_code run(const struct params *params)
{
	_cleanup_(files_free) struct files files = { 0 };

	files.modules = calloc(params->n_operands, sizeof(*files.modules));
	if (!files.modules)
		return exit_code_of(log_no_memory());
	return exit_code_of(prove(params, &files));
}

static const struct option_spec options[] = {
	OPTION_KERNEL("the release that the modules are for", true),
	OPTION_SYMVERS("the kernel's symbol table, Module.symvers", true),
	OPTION_VERMAGIC,
	OPTION_ROOT,
	{ 0 },
};

const struct verb verb_check = {
	.name = "check",
	.operands = "MODULE.ko",
	.many = true,
	.summary = "prove that modules fit a kernel",
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: GPL-2.0-only
#include "fit.h"

#include <string.h>

#include "cli.h"
#include "file.h"
#include "host.h"
#include "log.h"
#include "payload.h"
#include "present.h"
#include "proof.h"
#include "symvers.h"

enum exit_code fit_exit_code(int err)
{
	if (err >= 0)
		return EXIT_DONE;
	return is_system_error(err) ? EXIT_FAILED : EXIT_UNFIT;
}

/*
 * --symvers, or the host's own; *@there says whether there is one at all. EXIT_UNFIT and
 * a line when it proves nothing, EXIT_FAILED when the system cannot read it.
 */
static enum exit_code load_symvers(const struct host *host, const struct params *params,
				   struct symvers *symvers, bool *there)
{
	_cleanup_free_ char *found = NULL;
	const char *path = params->symvers;
	struct reason reason = { 0 };
	int ret = path ? 0 : host_symvers(host, &found);

	if (ret < 0) {
		log_cannot(host->release, "its symbol table: %s", strerror(-ret));
		return fit_exit_code(ret);
	}
	if (found)
		path = found;
	*there = path != NULL;
	if (!path)
		return EXIT_DONE;
	ret = symvers_load(symvers, path, &reason);
	if (ret < 0)
		log_cannot(path, "%s", reason.text);
	return fit_exit_code(ret);
}

static enum exit_code load_vermagic(const struct host *host,
				    const struct payload *payload, char **vermagic)
{
	struct reason reason = { 0 };
	int ret = host_vermagic(host, payload->modules, payload->n_modules, vermagic,
				&reason);

	if (ret < 0)
		log_cannot(host->release, "no vermagic to compare with: %s", reason.text);
	return fit_exit_code(ret);
}

static enum exit_code load_present(const struct host *host, const struct sums *ours,
				   struct present *present)
{
	struct reason reason = { 0 };
	int ret = present_read(present, host, ours, &reason);

	if (ret < 0)
		log_cannot(host->release, "what it has of the kernel's own modules: %s",
			   reason.text);
	return fit_exit_code(ret);
}

enum exit_code fit_prove(struct proof *proof, const struct host *host,
			 const struct payload *payload, const struct sums *ours,
			 const struct params *params)
{
	_cleanup_symvers_ struct symvers symvers = { 0 };
	_cleanup_present_ struct present present = { 0 };
	_cleanup_free_ char *vermagic = NULL;
	enum exit_code table, magic, modules = EXIT_DONE, code;
	bool there = false;

	proof->release = host->release;
	proof->modules = payload->modules;
	proof->n_modules = payload->n_modules;
	table = load_symvers(host, params, &symvers, &there);
	magic = load_vermagic(host, payload, &vermagic);
	/* Without modules.dep there is no vermagic either, and that is said already. */
	if (magic == EXIT_DONE)
		modules = load_present(host, ours, &present);
	if (table == EXIT_FAILED || magic == EXIT_FAILED || modules == EXIT_FAILED)
		return EXIT_FAILED;
	proof->problems +=
		(table != EXIT_DONE) + (magic != EXIT_DONE) + (modules != EXIT_DONE);
	proof->symvers = there && table == EXIT_DONE ? &symvers : NULL;
	proof->vermagic = vermagic;
	proof->present = present.host && modules == EXIT_DONE ? &present : NULL;
	code = proof_run(proof);
	/* What they point to is gone with this function; the figures stay. */
	proof->symvers = NULL;
	proof->present = NULL;
	proof->vermagic = NULL;
	if (code == EXIT_UNFIT)
		log_problems(host->release, proof->problems);
	return code;
}

void fit_say(const struct proof *proof, const char *what)
{
	log_say("%zu module%s for %s %s: %zu %s", proof->n_modules,
		PLURAL(proof->n_modules), proof->release, what, proof->equal,
		proof_equal_what(proof));
	if (proof->unchecked)
		log_say("%zu symbol versions could not be checked: there is no symbol "
			"table of %s here; the kernel checks them when it loads the "
			"modules",
			proof->unchecked, proof->release);
}

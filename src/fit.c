// SPDX-License-Identifier: GPL-2.0-only
#include "fit.h"

#include <string.h>

#include "cli.h"
#include "host.h"
#include "log.h"
#include "payload.h"
#include "proof.h"
#include "symvers.h"

/* --symvers, or the host's own; *@there says whether there is one at all. */
static int load_symvers(const struct host *host, const struct params *params,
			struct symvers *symvers, bool *there)
{
	_cleanup_free_ char *found = NULL;
	const char *path = params->symvers;
	struct reason reason = { 0 };
	int ret = path ? 0 : host_symvers(host, &found);

	if (ret < 0) {
		log_cannot(host->release, "its symbol table: %s", strerror(-ret));
		return ret;
	}
	if (found)
		path = found;
	*there = path != NULL;
	if (!path)
		return 0;
	ret = symvers_load(symvers, path, &reason);
	if (ret < 0)
		log_cannot(path, "%s", reason.text);
	return ret;
}

enum exit_code fit_prove(struct proof *proof, const struct host *host,
			 const struct payload *payload, const struct params *params)
{
	_cleanup_symvers_ struct symvers symvers = { 0 };
	_cleanup_free_ char *vermagic = NULL;
	struct reason reason = { 0 };
	enum exit_code code;
	bool there = false;

	proof->release = host->release;
	proof->modules = payload->modules;
	proof->n_modules = payload->n_modules;
	if (load_symvers(host, params, &symvers, &there) < 0)
		proof->problems++;
	else if (there)
		proof->symvers = &symvers;
	if (host_vermagic(host, payload->modules, payload->n_modules, &vermagic,
			  &reason) < 0) {
		log_cannot(host->release, "no vermagic to compare with: %s", reason.text);
		proof->problems++;
	}
	proof->vermagic = vermagic;
	code = proof_run(proof);
	/* What they point to is gone with this function; the figures stay. */
	proof->symvers = NULL;
	proof->vermagic = NULL;
	if (code == EXIT_UNFIT)
		log_problems(host->release, proof->problems);
	return code;
}

void fit_say(const struct proof *proof, const char *what)
{
	log_say("%zu modules for %s %s: %zu symbol versions equal", proof->n_modules,
		proof->release, what, proof->equal);
	if (proof->unchecked)
		log_say("%zu symbol versions could not be checked: there is no symbol "
			"table of %s here; the kernel checks them when it loads the "
			"modules",
			proof->unchecked, proof->release);
}

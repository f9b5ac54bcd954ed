// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod verify: check the bundle, its signatures, and whether its modules fit, as
 * install does. Other obstacles to an install are for install --dry-run.
 */
#include "verbs.h"

#include "base/host.h"
#include "base/log.h"
#include "bundle/payload.h"
#include "bundle/trust.h"
#include "fit/proof.h"
#include "kernel/preflight.h"

static enum exit_code run(const struct params *params)
{
	const struct trust_policy policy = { params->root, params->key,
					     params->allow_unsigned };
	const char *release = params->kernel ? params->kernel : params->running;
	_cleanup_payload_ struct payload payload = { 0 };
	_cleanup_host_ struct host host = HOST_INIT;
	const struct proof_basis basis = {
		.release = release,
		.vermagic = params->vermagic,
		.symvers = params->symvers,
		.host = &host,
		.installed = true,
	};
	struct proof proof;
	struct reason reason = { 0 };
	int ret;

	ret = payload_read(&payload, &policy, params->operands[0], release);
	if (ret < 0)
		return exit_code_of(ret);
	ret = host_open(&host, params->root, release, &reason);
	if (ret < 0)
		return exit_code_of(log_reason(release, ret, &reason));
	ret = proof_run(&proof, &basis, payload.modules, payload.n_modules, 0);
	if (ret == 0)
		ret = preflight_signatures(&host, &payload, params->running, false);
	if (ret == 0)
		proof_print(&proof, "are intact and fit");
	return exit_code_of(ret);
}

static const struct option_spec options[] = {
	OPTION_KERNEL("the release to verify it for; default: the running kernel", false),
	OPTION_SYMVERS("the kernel's symbol table; default: the host's own", false),
	OPTION_VERMAGIC,
	OPTION_ROOT,
	OPTION_KEY,
	OPTION_ALLOW_UNSIGNED,
	{ 0 },
};

const struct verb verb_verify = {
	.name = "verify",
	.operands = "BUNDLE",
	.summary = "say who signed a bundle, whether it is intact, and whether it fits",
	.options = options,
	.run = run,
};

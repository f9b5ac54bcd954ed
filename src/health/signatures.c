// SPDX-License-Identifier: GPL-2.0-only
#include "health/signatures.h"

#include "base/log.h"
#include "fit/module.h"
#include "health/causes.h"
#include "kernel/keyrings.h"
#include "kernel/preflight.h"

void signatures_look(const struct module *mod, struct findings *findings)
{
	const char *signer = module_info(mod, "signer", 0);
	struct reason reason = { 0 };

	if (!preflight_enforces())
		return;
	if (!module_info(mod, "sig_id", 0)) {
		findings_add(findings,
			     preflight_is_locked_down() ? CAUSE_LOCKDOWN
							: CAUSE_NOT_SIGNED,
			     "%s carries no signature", mod->path);
		return;
	}
	switch (keyrings_trust_subject(signer ? signer : "", &reason)) {
	case KEYRINGS_FOREIGN:
		findings_add(findings, CAUSE_KEY_UNKNOWN,
			     "%s is signed by '%s', and /proc/keys has no such key in "
			     ".builtin_trusted_keys or .secondary_trusted_keys",
			     mod->path, signer ? signer : "");
		break;
	case KEYRINGS_UNKNOWN:
		findings_unseen(findings, "the keys of the kernel, /proc/keys: %s",
				reason.text);
		break;
	case KEYRINGS_TRUSTED:
	case KEYRINGS_PLATFORM:
		break;
	}
}

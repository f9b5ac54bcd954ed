// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/preflight.h"

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bundle/modsig.h"
#include "bundle/payload.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "kernel/keyrings.h"
#include "kernel/modconf.h"
#include "tree/depmod.h"
#include "tree/lookup.h"

static bool check_builtin(const struct host *host, const struct payload *payload)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	struct reason reason = { 0 };
	bool ok = true;

	if (modules_builtin(host->modules_fd, &names, &reason) < 0) {
		log_failure(host->modules, "%s", reason.text);
		return false;
	}
	for (size_t i = 0; i < payload->n_modules; i++) {
		const char *name = payload->modules[i].name;

		if (!strlist_has(&names, name))
			continue;
		log_failure(name,
			    "%s has it built in: the module is not needed, and cannot be "
			    "loaded",
			    host->release);
		ok = false;
	}
	return ok;
}

static bool check_depmod(const struct host *host)
{
	struct reason reason = { 0 };
	int ret = modconf_check(host, depmod_places, DEPMOD_PLACES, &reason);

	if (ret < 0)
		log_failure("depmod.d", "%s", reason.text);
	return ret == 0;
}

/* What the configuration of modprobe says about the payload. */
struct lines {
	struct strlist ours;   /* the names of its modules */
	struct strlist needed; /* names of the modules they need */
	bool ok;
};

/*
 * A modconf_fn. modprobe ignores the aliases of a blacklisted module, and "ip link add"
 * uses an alias; what another module needs is loaded by its name all the same.
 */
static void check_line(enum modconf_kind kind, const char *name, const char *value,
		       void *arg)
{
	static const struct {
		const char *what, *told;
	} words[] = {
		[MODCONF_BLACKLIST] = { "blacklist", "not to load it" },
		[MODCONF_INSTALL] = { "install", "to run a command instead" },
		[MODCONF_ALIAS] = { "alias", "to load another instead" },
	};
	struct lines *lines = arg;
	bool with_value = kind == MODCONF_ALIAS && value;

	if (!strlist_has(kind == MODCONF_BLACKLIST ? &lines->ours : &lines->needed, name))
		return;
	log_failure(name,
		    "modprobe is told %s, by '%s %s%s%s' in its configuration "
		    "(modprobe -c); take that out first",
		    words[kind].told, words[kind].what, name, with_value ? " " : "",
		    with_value ? value : "");
	lines->ok = false;
}

static bool check_modprobe(const struct host *host, const struct payload *payload)
{
	struct lines lines = { .ok = true };
	struct reason reason = { 0 };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < payload->n_modules; i++)
		ret = strlist_add(&lines.ours, payload->modules[i].name);
	if (ret == 0)
		ret = needs_list(payload->modules, payload->n_modules, host->modules_fd,
				 &lines.needed, &reason);
	if (ret < 0) {
		log_failure(host->modules, "modules.dep: %s", reason.text);
	} else {
		ret = modconf_each(host, check_line, &lines, &reason);
		if (ret < 0)
			log_failure("modprobe.d", "%s", reason.text);
	}
	strlist_free(&lines.ours);
	strlist_free(&lines.needed);
	return ret == 0 && lines.ok;
}

bool preflight_is_locked_down(void)
{
	_cleanup_free_ char *modes = read_first_line("/sys/kernel/security/lockdown");

	return modes && !strstr(modes, "[none]");
}

bool preflight_enforces(void)
{
	_cleanup_free_ char *enforce =
		read_first_line("/sys/module/module/parameters/sig_enforce");

	return (enforce && !strcmp(enforce, "Y")) || preflight_is_locked_down();
}

/*
 * Check that the running kernel trusts the key of the payload's certificate. If only the
 * kernel itself can tell, --load tries it, and takes the modules back if the kernel
 * refuses.
 */
static int check_key(const struct host *host, const struct payload *payload, bool load)
{
	_cleanup_free_ char *key = certificate_key_name(payload->certificate);
	_cleanup_free_ char *subject = certificate_subject(payload->certificate);
	struct reason reason = { 0 };

	if (!key || !subject)
		return log_no_memory();
	switch (keyrings_trust(key, &reason)) {
	case KEYRINGS_TRUSTED:
		return 0;
	case KEYRINGS_UNKNOWN:
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and its keys cannot be read from /proc/keys: %s",
			    reason.text);
		return -EACCES;
	case KEYRINGS_PLATFORM:
		if (load)
			return 0;
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and the key %s of '%s', which signed these, is in its "
			    "keyring .platform alone, which only some kernels use for "
			    "modules; --load tries this kernel, and removes the modules "
			    "again if it refuses them",
			    key, subject);
		return -EBADMSG;
	case KEYRINGS_FOREIGN:
		break;
	}
	log_failure(host->release,
		    "the kernel accepts only modules signed by a key it trusts, and the "
		    "key %s of '%s', which signed these, is not in its keyrings "
		    ".builtin_trusted_keys and .secondary_trusted_keys; sign them with a "
		    "key that is ('make artifacts MODULE_KEY= MODULE_CERT='), or have "
		    "that key enrolled",
		    key, subject);
	return -EBADMSG;
}

int preflight_signatures(const struct host *host, const struct payload *payload,
			 const char *running, bool load)
{
	int ret = 0;

	if (!host_is_running(host, running) || !preflight_enforces())
		return 0;
	for (size_t i = 0; i < payload->count; i++) {
		const struct payload_file *file = &payload->files[i];

		if (file->is_signed)
			continue;
		log_failure(file->name,
			    "the kernel accepts only signed modules (module.sig_enforce "
			    "or lockdown), and it is not signed; build it with 'make "
			    "artifacts MODULE_KEY= MODULE_CERT='");
		ret = -EBADMSG;
	}
	if (ret == 0 && !payload->certificate) {
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and without a signing_key.x509 in the bundle nothing shows "
			    "whether these are");
		return -EBADMSG;
	}
	return ret == 0 ? check_key(host, payload, load) : ret;
}

/* From blacklisted() in the kernel's kernel/module.c. */
bool preflight_is_blacklisted(const char *name)
{
	static const char option[] = "module_blacklist=";
	_cleanup_free_ char *text = read_first_line("/proc/cmdline");
	char *cursor = text, *word, *item;

	while ((word = strsep(&cursor, " "))) {
		if (strncmp(word, option, strlen(option)) != 0)
			continue;
		word += strlen(option);
		while ((item = strsep(&word, ",")))
			if (!strcmp(item, name))
				return true;
	}
	return false;
}

static bool check_blacklist(const struct payload *payload)
{
	bool ok = true;

	for (size_t i = 0; i < payload->n_modules; i++) {
		const char *name = payload->modules[i].name;

		if (!preflight_is_blacklisted(name))
			continue;
		log_failure(name,
			    "the kernel was booted with 'module_blacklist=%s', and "
			    "refuses it; boot without that first",
			    name);
		ok = false;
	}
	return ok;
}

/* Check that the running kernel accepts modules at all, and these. */
static bool check_running(const struct host *host, const struct payload *payload,
			  bool load)
{
	_cleanup_free_ char *off = read_first_line("/proc/sys/kernel/modules_disabled");

	if (!check_blacklist(payload))
		return false;
	if (!off || strcmp(off, "1") != 0)
		return true;
	if (load) {
		log_failure(host->release, "the kernel accepts no modules until the next "
					   "boot (kernel.modules_disabled)");
		return false;
	}
	log_info("the kernel accepts no modules until the next boot "
		 "(kernel.modules_disabled)");
	return true;
}

int preflight_check(const struct host *host, const struct payload *payload,
		    const char *running, bool load)
{
	bool ok = check_builtin(host, payload);

	ok &= check_depmod(host);
	ok &= check_modprobe(host, payload);
	if (host_is_running(host, running))
		ok &= check_running(host, payload, load);
	return ok ? preflight_signatures(host, payload, running, load) : -EPERM;
}

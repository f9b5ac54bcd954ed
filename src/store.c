// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod store: store verified bundles for kernels that will be installed, so that
 * 'wgkmod hook add' can install them without a network. --porcelain: see wgkmod(8).
 */
#include "verbs.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bundle/minisign.h"
#include "bundle/payload.h"
#include "bundle/store.h"
#include "bundle/trust.h"
#include "health/coverage.h"
#include "tree/edit.h"

/* Make the store of 'store add' below @root. /var and /var/lib may be links. */
static int make_store(const char *root)
{
	_cleanup_close_ int base =
		root_open(root, "/var/lib", O_PATH | O_DIRECTORY, NULL);
	_cleanup_close_ int top = -1;

	if (base >= 0)
		return edit_make_directory(base, "wgkmod/bundles");
	if (base != -ENOENT)
		return base;
	top = root_open(root, "/", O_PATH | O_DIRECTORY, NULL);
	return top < 0 ? top : edit_make_directory(top, "var/lib/wgkmod/bundles");
}

static int open_store(const char *root)
{
	return root_open(root, STORE_OWN, O_RDONLY | O_DIRECTORY, NULL);
}

static int remove_file(int fd, const char *name)
{
	int ret = edit_remove(fd, name);

	return ret == -ENOENT ? 0 : ret;
}

/*
 * Put the bundle and its signature there as @name. Whenever this is interrupted, there is
 * the old pair, no bundle, or the new pair.
 */
static int put(int fd, const char *name, const struct buf *bundle,
	       const struct buf *signature)
{
	_cleanup_free_ char *new = strdup_printf("%s.new", name);
	_cleanup_free_ char *sig = strdup_printf("%s.minisig", name);
	_cleanup_free_ char *new_sig = strdup_printf("%s.minisig.new", name);
	int ret;

	if (!new || !sig || !new_sig)
		return -ENOMEM;
	ret = edit_write(fd, new, bundle->data, bundle->size, NULL);
	if (ret == 0)
		ret = edit_write(fd, new_sig, signature->data, signature->size, NULL);
	/* Both are on the disk before they get their names. */
	if (ret == 0 && syncfs(fd) < 0)
		ret = -errno;
	if (ret == 0)
		ret = remove_file(fd, name);
	if (ret == 0)
		ret = edit_move(fd, new_sig, sig);
	if (ret == 0)
		ret = edit_move(fd, new, name);
	if (ret == 0)
		return edit_sync(fd);
	unlinkat(fd, new, 0);
	unlinkat(fd, new_sig, 0);
	return ret;
}

static int add_release(const struct params *params, const char *root, const char *path,
		       const char *release, const struct buf *signature)
{
	const struct trust_policy policy = { .root = params->root };
	_cleanup_payload_ struct payload payload = { 0 };
	_cleanup_free_ char *name = strdup_printf("wireguard-%s.tar", release);
	_cleanup_close_ int fd = -1;
	int ret = payload_read(&payload, &policy, path, release);

	if (ret < 0)
		return ret;
	if (params->dry_run) {
		log_info("would be stored for %s", release);
		return 0;
	}
	ret = make_store(root);
	fd = ret < 0 ? ret : open_store(root);
	ret = fd < 0 ? fd : name ? put(fd, name, &payload.bundle, signature) : -ENOMEM;
	if (ret < 0) {
		log_failure(STORE_OWN, "%s", strerror(-ret));
		return -EIO;
	}
	log_info("stored for %s: " STORE_OWN "/%s", release, name);
	return 0;
}

/* A bundle of several kernels is stored once for each. */
static int add_bundle(const struct params *params, const char *root, const char *path)
{
	const struct trust_policy policy = { .root = params->root };
	_cleanup_free_ char *sig_path = strdup_printf("%s.minisig", path);
	_cleanup_strlist_ struct strlist releases = { 0 };
	_cleanup_buf_ struct buf signature = { 0 };
	struct reason reason = { 0 };
	int ret = payload_releases(&policy, path, &releases);

	if (ret < 0)
		return ret;
	if (!sig_path ||
	    read_path(sig_path, MINISIGN_MAX_BYTES, &signature, &reason) < 0) {
		log_failure(path, "its signature: %s", reason.text);
		return -EIO;
	}
	for (size_t i = 0; i < releases.count; i++)
		ret = graver_error(ret, add_release(params, root, path, releases.items[i],
						    &signature));
	return ret;
}

static int add(const struct params *params, const char *root)
{
	int ret = 0;

	log_set_verb("store");
	for (size_t i = 1; i < params->n_operands; i++)
		ret = graver_error(ret, add_bundle(params, root, params->operands[i]));
	return ret;
}

static int list_place(const struct params *params, const char *root, const char *place,
		      const struct strlist *kernels)
{
	_cleanup_strlist_ struct strlist releases = { 0 };
	struct reason reason = { 0 };

	if (store_list(root, place, &releases, &reason) < 0) {
		log_failure(place, "%s", reason.text);
		return -EIO;
	}
	for (size_t i = 0; i < releases.count; i++) {
		const char *release = releases.items[i];
		bool present = strlist_find(kernels, release);

		if (params->porcelain)
			printf("bundle\t%s\t%s/wireguard-%s.tar\t%s\n", release, place,
			       release, present ? "present" : "absent");
		else
			printf("%s: %s/wireguard-%s.tar%s\n", release, place, release,
			       present ? "" : ", and this kernel is not installed");
	}
	return 0;
}

static int list(const struct params *params, const char *root,
		const struct strlist *kernels)
{
	int ret = list_place(params, root, STORE_OWN, kernels);

	return graver_error(ret, list_place(params, root, STORE_PACKAGES, kernels));
}

/* Delete a bundle and its signature, the bundle first. */
static int delete_bundle(int fd, const char *release)
{
	_cleanup_free_ char *name = strdup_printf("wireguard-%s.tar", release);
	_cleanup_free_ char *sig = strdup_printf("wireguard-%s.tar.minisig", release);
	int ret = name && sig ? remove_file(fd, name) : -ENOMEM;

	if (ret == 0)
		ret = remove_file(fd, sig);
	if (ret < 0) {
		log_failure(release, "%s", strerror(-ret));
		return -EIO;
	}
	log_info("deleted: " STORE_OWN "/%s", name);
	return 0;
}

/* Delete each bundle of 'store add' whose kernel is not installed. */
static int prune(const struct params *params, const char *root,
		 const struct strlist *kernels)
{
	_cleanup_strlist_ struct strlist releases = { 0 };
	_cleanup_close_ int fd = open_store(root);
	struct reason reason = { 0 };
	int ret = 0;

	log_set_verb("delete");
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 || store_list(root, STORE_OWN, &releases, &reason) < 0) {
		log_failure(STORE_OWN, "%s", fd < 0 ? strerror(-fd) : reason.text);
		return -EIO;
	}
	for (size_t i = 0; i < releases.count; i++) {
		if (strlist_find(kernels, releases.items[i]))
			continue;
		if (params->dry_run)
			log_info("would delete the bundle for %s", releases.items[i]);
		else
			ret = graver_error(ret, delete_bundle(fd, releases.items[i]));
	}
	return ret;
}

static enum exit_code run(const struct params *params)
{
	_cleanup_free_ char *root = realpath(params->root, NULL);
	_cleanup_strlist_ struct strlist kernels = { 0 };
	const char *command = params->operands[0];
	struct reason reason = { 0 };

	log_set_verb("look at");
	if (!root || kernels_list(root, &kernels, &reason) < 0) {
		log_failure(params->root, "%s", root ? reason.text : strerror(errno));
		return EXIT_FAILED;
	}
	if (!strcmp(command, "add") && params->n_operands > 1)
		return exit_code_of(add(params, root));
	if (!strcmp(command, "list") && params->n_operands == 1)
		return exit_code_of(list(params, root, &kernels));
	if (!strcmp(command, "prune") && params->n_operands == 1)
		return exit_code_of(prune(params, root, &kernels));
	if (!strcmp(command, "add"))
		log_error("'store add' takes BUNDLE...: see 'wgkmod store --help'");
	else
		log_error("'store' takes 'add BUNDLE...', 'list' or 'prune': see "
			  "'wgkmod store --help'");
	return EXIT_USAGE;
}

static const struct option_spec options[] = {
	OPTION_ROOT,
	OPTION_DRY_RUN,
	OPTION_PORCELAIN,
	{ 0 },
};

const struct verb verb_store = {
	.name = "store",
	.operands = "add|list|prune [BUNDLE]",
	.many = true,
	.summary = "store verified bundles for kernels that will be installed",
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: GPL-2.0-only
#include "health/running.h"

#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/strlist.h"
#include "fit/module.h"
#include "health/causes.h"
#include "kernel/loaded.h"
#include "kernel/preflight.h"

#define CONF_MAX_BYTES (1UL << 20)
#define CAP_SYS_MODULE 16 /* linux/capability.h */

/* Return the value of the line "KEY:<tab>VALUE" of /proc/self/status, or 0. */
static unsigned long long status_field(const char *key)
{
	char text[SMALL_MAX_BYTES + 1];
	ssize_t len = read_small("/proc/self/status", text, SMALL_MAX_BYTES);
	const char *at;

	if (len < 0)
		return 0;
	text[len] = '\0';
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

/* A container of a whole system shares the kernel and has no modules of its own. */
static const char *system_container(void)
{
	_cleanup_free_ char *kind = read_first_line("/run/systemd/container");

	if (access("/proc/vz", F_OK) == 0 && access("/proc/bc", F_OK) < 0)
		return "/proc/vz: OpenVZ";
	if (kind && (!strcmp(kind, "lxc") || !strcmp(kind, "openvz") ||
		     !strcmp(kind, "systemd-nspawn") || !strcmp(kind, "lxc-libvirt")))
		return "/run/systemd/container: a container of a whole system";
	if (access("/dev/lxc", F_OK) == 0 || access("/dev/lxd", F_OK) == 0)
		return "/dev/lxc or /dev/lxd: LXC";
	return NULL;
}

static const char *application_container(void)
{
	static const char *const marks[] = { "/run/.containerenv", "/.dockerenv",
					     "/run/systemd/container",
					     "/var/run/secrets/kubernetes.io" };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (access(marks[i], F_OK) == 0)
			return marks[i];
	return NULL;
}

static void look_for_container(struct findings *findings)
{
	const char *system = system_container(), *mark = application_container();
	bool may = status_field("CapBnd:") >> CAP_SYS_MODULE & 1;
	bool has = access("/lib/modules", F_OK) == 0;

	if (system)
		findings_add(findings, CAUSE_CONTAINER_HOST, "%s", system);
	else if (mark && !(may && has))
		findings_add(findings, CAUSE_CONTAINER_RIGHTS, "%s is there; %s%s%s",
			     mark, may ? "" : "CAP_SYS_MODULE is not",
			     may || has ? "" : ", and ",
			     has ? "" : "/lib/modules is not");
}

void running_look_outside(struct findings *findings)
{
	look_for_container(findings);
	if (!spawn_finds("modprobe"))
		findings_add(findings, CAUSE_NO_MODPROBE,
			     "no modprobe in /usr/sbin, /usr/bin, /sbin, /bin or "
			     "/usr/local");
}

/* ---- the kernel's log ---- */

/* What the kernel says of a refused module: kernel/module.c and its successors. */
static const struct {
	const char *text;
	enum cause cause;
	bool named; /* the line starts with the name of the module */
} kernel_words[] = {
	{ "version magic '", CAUSE_WRONG_VERMAGIC, true },
	{ "no symbol version for ", CAUSE_NO_VERSIONS, true },
	{ "disagrees about version of symbol ", CAUSE_WRONG_VERSIONS, true },
	{ "Unknown symbol ", CAUSE_LIBRARY_MISSING, true },
	{ "failed to validate module [", CAUSE_WRONG_BTF, false },
	{ "module verification failed: ", CAUSE_TAINT, true },
	{ "Loading of unsigned module is rejected", CAUSE_NOT_SIGNED, false },
	{ "Loading of module with unavailable key is rejected", CAUSE_KEY_UNKNOWN,
	  false },
	{ "unsigned module loading is restricted", CAUSE_LOCKDOWN, false },
};

/* What modprobe says of the error of the system call: strerror() of it. */
static const struct {
	const char *text;
	enum cause cause;
} modprobe_words[] = {
	{ "Key was rejected by service", CAUSE_KEY_UNKNOWN },
	{ "Required key not available", CAUSE_NOT_SIGNED },
	{ "not found in directory", CAUSE_NOT_INSTALLED },
};

static bool starts_with_ours(const char *text)
{
	/* clang-format off */
	static const char *const names[] = {
		"wireguard: ", "lib", "curve25519", "chacha", "blake2s", "poly1305",
		"udp_tunnel: ", "ip6_udp_tunnel: ",
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(text, names[i], strlen(names[i])))
			return true;
	return false;
}

/* @fresh: the record is of a load that doctor made, and needs no name. */
static void judge_record(struct findings *findings, const char *text, bool fresh)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernel_words); i++) {
		if (!strstr(text, kernel_words[i].text))
			continue;
		if (kernel_words[i].named ? starts_with_ours(text)
					  : fresh || strstr(text, WIREGUARD))
			findings_add(findings, kernel_words[i].cause,
				     "the kernel's log: %s", text);
		return;
	}
}

/*
 * Return the time of the youngest change of the running kernel's modules, in µs of boot.
 */
static long long last_change(const char *release)
{
	struct timespec real = { 0 }, boot = { 0 };
	_cleanup_free_ char *path = strdup_printf("/lib/modules/%s/modules.dep", release);
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &boot);
	return ((long long)st.st_mtim.tv_sec - real.tv_sec + boot.tv_sec) * 1000000;
}

/* Judge each record of the log @fd that is not older than @since, in µs of boot. */
static void judge_log(struct findings *findings, int fd, long long since, bool fresh)
{
	char record[KMSG_BYTES];
	const char *text;
	long long time;

	while ((text = kmsg_next(fd, record, &time)))
		if (time >= since)
			judge_record(findings, text, fresh);
}

static int open_log(struct findings *findings, bool from_now)
{
	int fd = kmsg_open(from_now);

	if (fd < 0)
		findings_unseen(findings, "the kernel's log, /dev/kmsg: %s",
				strerror(errno));
	return fd;
}

void running_look_at_taint(struct findings *findings)
{
	_cleanup_free_ char *taint = read_first_line("/sys/module/" WIREGUARD "/taint");

	if (taint && *taint)
		findings_add(findings, CAUSE_TAINT,
			     "/sys/module/" WIREGUARD "/taint is %s: O is out of tree, E "
			     "is not signed",
			     taint);
}

void running_look_inside(const char *release, struct findings *findings)
{
	_cleanup_free_ char *off = read_first_line("/proc/sys/kernel/modules_disabled");
	_cleanup_close_ int log = open_log(findings, false);

	if (off && !strcmp(off, "1"))
		findings_add(findings, CAUSE_MODULES_DISABLED,
			     "/proc/sys/kernel/modules_disabled is 1");
	if (preflight_is_blacklisted(WIREGUARD))
		findings_add(findings, CAUSE_BLACKLISTED,
			     "the kernel was booted with 'module_blacklist=" WIREGUARD
			     "'");
	judge_log(findings, log, last_change(release), false);
}

void running_load(struct findings *findings)
{
	char *const argv[] = { (char *)"modprobe", (char *)WIREGUARD, NULL };
	_cleanup_close_ int log = open_log(findings, true);
	_cleanup_buf_ struct buf said = { 0 };
	struct reason reason = { 0 };
	int ret = spawn_collect(argv, -1, &said, &reason);

	if (ret == 0 && loaded_live(WIREGUARD))
		return;
	judge_log(findings, log, 0, true);
	if (said.data)
		said.data[strcspn(said.data, "\n")] = '\0';
	for (size_t i = 0; said.data && i < ARRAY_SIZE(modprobe_words); i++)
		if (strstr(said.data, modprobe_words[i].text) &&
		    findings_first(findings) == CAUSE_COUNT)
			findings_add(findings, modprobe_words[i].cause, "%s", said.data);
	if (findings_first(findings) == CAUSE_COUNT)
		findings_add(findings, CAUSE_UNEXPLAINED, "%s",
			     ret == 0 ? "modprobe ended with 0, and nothing is loaded"
			     : said.data && *said.data ? said.data
						       : reason.text);
}

/* ---- what wg-quick needs ---- */

/* The tools of wireguard-go listen on a socket for each interface. */
static void look_for_userspace(struct findings *findings)
{
	_cleanup_dir_ DIR *dir = opendir("/run/wireguard");
	const struct dirent *entry;

	while (dir && (entry = next_entry(dir))) {
		struct stat st;

		if (!ends_with(entry->d_name, ".sock") ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISSOCK(st.st_mode))
			continue;
		findings_add(findings, CAUSE_USERSPACE, "/run/wireguard/%s",
			     entry->d_name);
	}
}

static bool is_ipv6_off(void)
{
	_cleanup_free_ char *all =
		read_first_line("/proc/sys/net/ipv6/conf/all/disable_ipv6");
	_cleanup_free_ char *new =
		read_first_line("/proc/sys/net/ipv6/conf/default/disable_ipv6");

	return !all || !strcmp(all, "1") || (new && !strcmp(new, "1"));
}

/* Return the value of the line "KEY = VALUE", or NULL. */
static const char *value_of(const char *line, const char *key)
{
	line += strspn(line, " \t");
	if (strncasecmp(line, key, strlen(key)) != 0)
		return NULL;
	line += strlen(key);
	line += strspn(line, " \t");
	return *line == '=' ? line + 1 : NULL;
}

/* Says nothing of other lines: they hold private keys. */
static void look_at_tunnel(struct findings *findings, const char *name, char *text)
{
	bool routes = true, all = false;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const char *address = value_of(line, "Address");
		const char *allowed = value_of(line, "AllowedIPs");
		const char *table = value_of(line, "Table");

		if (address && strchr(address, ':') && is_ipv6_off())
			findings_add(findings, CAUSE_IPV6_OFF,
				     "%s has 'Address =%s', and disable_ipv6 is 1", name,
				     address);
		all |= allowed &&
		       (strstr(allowed, "0.0.0.0/0") || strstr(allowed, "::/0"));
		routes &= !table;
	}
	if (all && routes && !spawn_finds("nft") && !spawn_finds("iptables-restore"))
		findings_add(findings, CAUSE_NETFILTER,
			     "%s routes everything, and there is neither nft nor "
			     "iptables-restore",
			     name);
}

static void look_at_tunnels(struct findings *findings)
{
	static const char place[] = "/etc/wireguard";
	_cleanup_dir_ DIR *dir = opendir(place);
	_cleanup_strlist_ struct strlist names = { 0 };
	int ret = dir ? read_names(dir, &names) : -errno;

	if (ret < 0 && ret != -ENOENT)
		findings_unseen(findings, "%s: %s", place, strerror(-ret));
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		_cleanup_close_ int fd = -1;
		_cleanup_buf_ struct buf file = { 0 };
		struct reason reason = { 0 };

		if (!ends_with(name, ".conf"))
			continue;
		fd = openat(dirfd(dir), name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			reason_errno(&reason, -errno);
		if (fd < 0 || read_fd(fd, CONF_MAX_BYTES, &file, &reason) < 0)
			findings_unseen(findings, "%s/%s: %s", place, name, reason.text);
		else
			look_at_tunnel(findings, name, file.data);
		if (file.data)
			explicit_bzero(file.data, file.size);
	}
}

void running_look_around(struct findings *findings)
{
	look_for_userspace(findings);
	look_at_tunnels(findings);
}

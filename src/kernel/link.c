// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/link.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define NAME "wgkmod-try"

struct request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	char attributes[128];
};

/* Append an attribute; returns where its data starts, NULL for none. */
static struct rtattr *add(struct request *req, unsigned short type, const char *text)
{
	struct rtattr *attr =
		(struct rtattr *)((char *)req + NLMSG_ALIGN(req->head.nlmsg_len));
	size_t len = text ? strlen(text) + 1 : 0;

	attr->rta_type = type;
	attr->rta_len = (unsigned short)RTA_LENGTH(len);
	if (text)
		memcpy(RTA_DATA(attr), text, len);
	req->head.nlmsg_len =
		NLMSG_ALIGN(req->head.nlmsg_len) + (unsigned int)RTA_ALIGN(attr->rta_len);
	return attr;
}

/* Send it, and return the kernel's answer: 0 or -errno. */
static int ask(int fd, const struct request *req)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	ssize_t len;

	if (send(fd, req, req->head.nlmsg_len, 0) < 0)
		return -errno;
	do
		len = recv(fd, &answer, sizeof(answer), 0);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	if ((size_t)len < sizeof(answer.head) + sizeof(answer.error.error) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.error.error;
}

static void start(struct request *req, unsigned short type, unsigned short flags)
{
	*req = (struct request){ .head = {
					 .nlmsg_len = NLMSG_LENGTH(sizeof(req->info)),
					 .nlmsg_type = type,
					 .nlmsg_flags =
						 (unsigned short)(NLM_F_REQUEST |
								  NLM_F_ACK | flags),
				 } };
	add(req, IFLA_IFNAME, NAME);
}

static int make_and_delete(const char *kind)
{
	_cleanup_close_ int fd = -1;
	struct rtattr *nest;
	struct request req;
	int ret;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	start(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	nest = add(&req, IFLA_LINKINFO, NULL);
	add(&req, IFLA_INFO_KIND, kind);
	nest->rta_len =
		(unsigned short)((char *)&req + req.head.nlmsg_len - (char *)nest);
	ret = ask(fd, &req);
	if (ret < 0)
		return ret;
	start(&req, RTM_DELLINK, 0);
	return ask(fd, &req);
}

/* The kernel knows none, or user.max_net_namespaces allows none: it is made here then. */
static bool has_no_namespaces(int err)
{
	return err == EINVAL || err == ENOSYS || err == ENOSPC;
}

/* In a child, for the namespace; its status is the errno. */
int link_try(const char *kind)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 && !has_no_namespaces(errno))
			_exit(errno);
		_exit(-make_and_delete(kind));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

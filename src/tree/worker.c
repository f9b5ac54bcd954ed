// SPDX-License-Identifier: GPL-2.0-only
#include "tree/worker.h"

#include <sys/mman.h>

#include "base/log.h"
#include "base/spawn.h"

/* In memory that the two share. */
struct worker_result {
	int ret;
	struct reason reason;
};

void worker_start(struct worker *worker, worker_fn work, const void *arg)
{
	struct worker_result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*worker = (struct worker){ .work = work, .arg = arg };
	if (result == MAP_FAILED)
		return;
	worker->pid = fork();
	if (worker->pid == 0) {
		result->ret = work(arg, &result->reason);
		_exit(0);
	}
	if (worker->pid < 0) {
		worker->pid = 0;
		munmap(result, sizeof(*result));
		return;
	}
	worker->result = result;
}

int worker_end(struct worker *worker, struct reason *reason)
{
	int ret;

	if (!worker->pid)
		return worker->work(worker->arg, reason);
	ret = spawn_wait(worker->pid, "a process of wgkmod", reason);
	if (ret == 0) {
		ret = worker->result->ret;
		if (ret < 0)
			*reason = worker->result->reason;
	}
	munmap(worker->result, sizeof(*worker->result));
	return ret;
}

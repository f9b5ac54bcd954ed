// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay LOG				how many writes and flushes there are
 * replay LOG IMAGE SEED [COUNT]	what a disk with a volatile cache holds after the
 *					power was cut, behind the first COUNT of them or all
 *
 * IMAGE is the disk as it was before, LOG what QEMU's block driver blklogwrites wrote
 * down of the writes to it: the format of Linux' dm-log-writes (Documentation/
 * admin-guide/device-mapper/log-writes.rst), all numbers little endian, in blocks of a
 * sector. Everything up to the last flush is on the disk. Of each write after that, SEED
 * decides whether it is, is not, or is up to one of its sectors.
 *
 * A sector is 4096 bytes, as the disk tells its kernel: what a disk with smaller ones may
 * leave of a block at the end of ext4's journal, a kernel before 6.11 does not mount ("jbd2:
 * avoid mount failed when commit block is partial submitted"), whoever wrote it.
 *
 * Prints how many writes were flushed, and how many of the others were kept, lost and
 * torn.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x6a736677736872ULL
#define SECTOR 4096UL
enum { FLUSH = 1, FUA = 2, DISCARD = 4, KNOWN = 15 };

static const char *log_data;
static uint64_t log_size;

struct entry {
	uint64_t sector, sectors, flags;
	const char *data;
	uint64_t next; /* where in the log the next one is */
};

static uint64_t number(uint64_t at)
{
	uint64_t value;

	memcpy(&value, log_data + at, sizeof(value));
	return le64toh(value);
}

static int is_zero(uint64_t at, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i++)
		if (log_data[at + i])
			return 0;
	return 1;
}

/*
 * 0 at the end: QEMU was killed, and the count in the first block may be of long ago. A
 * write that was on its way then has left a hole, and what came behind it counts: it may
 * be flushed, which the hole is not.
 */
static int entry_at(uint64_t at, struct entry *entry)
{
	uint64_t bytes;

	while (at + SECTOR <= log_size && is_zero(at, SECTOR))
		at += SECTOR;
	if (log_size < SECTOR || at > log_size - SECTOR)
		return 0;
	if (!is_zero(at + 32, SECTOR - 32))
		errx(1, "the log has no entry at %llu", (unsigned long long)at);
	*entry = (struct entry){ .sector = number(at),
				 .sectors = number(at + 8),
				 .flags = number(at + 16),
				 .data = log_data + at + SECTOR };
	if (entry->flags & ~(uint64_t)KNOWN)
		errx(1, "the log has an entry with flags %llu",
		     (unsigned long long)entry->flags);
	bytes = entry->flags & DISCARD ? 0 : entry->sectors * SECTOR;
	if (bytes > log_size - at - SECTOR)
		return 0;
	entry->next = at + SECTOR + bytes;
	return 1;
}

static void apply(int image, const struct entry *entry, uint64_t bytes)
{
	if (pwrite(image, entry->data, bytes, (off_t)(entry->sector * SECTOR)) !=
	    (ssize_t)bytes)
		err(1, "the image");
}

/* Where the entry behind the first @count begins; *@last_flush is that of the last flush
 * before. */
static uint64_t end_of(unsigned long count, uint64_t *last_flush, unsigned long *found)
{
	struct entry entry;
	uint64_t at = SECTOR;

	for (*found = 0; *found < count && entry_at(at, &entry); (*found)++) {
		if (entry.flags & FLUSH)
			*last_flush = at;
		at = entry.next;
	}
	return at;
}

static void open_log(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", name);
	log_size = (uint64_t)st.st_size;
	if (!log_size)
		return; /* nothing was written yet */
	log_data = mmap(NULL, log_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (log_data == MAP_FAILED)
		err(1, "%s", name);
	/* QEMU writes the first block with the first flush; the blocks are of a sector
	 * then. */
	if (log_size < SECTOR || (!number(0) && !number(8)))
		return;
	if (number(0) != MAGIC || number(8) != 1)
		errx(1, "%s: not a log of writes", name);
	if ((number(24) & 0xffffffff) != SECTOR)
		errx(1, "%s: its blocks are not of %lu bytes", name, SECTOR);
}

static void replay(int image, uint64_t end, uint64_t last_flush)
{
	unsigned long flushed = 0, kept = 0, lost = 0, torn = 0;
	struct entry entry;

	for (uint64_t at = SECTOR; at < end && entry_at(at, &entry); at = entry.next) {
		uint64_t bytes = entry.sectors * SECTOR;
		long dice = random() % 3;

		if (entry.flags & DISCARD || !bytes)
			continue;
		if (at <= last_flush || entry.flags & FUA) {
			flushed++;
		} else if (dice == 0) {
			lost++;
			continue;
		} else if (dice == 1) {
			torn++;
			bytes = (uint64_t)random() % (bytes / SECTOR) * SECTOR;
		} else {
			kept++;
		}
		/* The log of one that was on its way may be cut short: torn as well. */
		while (at > last_flush && !(entry.flags & FUA) && bytes &&
		       is_zero((uint64_t)(entry.data - log_data) + bytes - SECTOR,
			       SECTOR))
			bytes -= SECTOR;
		apply(image, &entry, bytes);
	}
	printf("%lu %lu %lu %lu\n", flushed, kept, lost, torn);
}

int main(int argc, char **argv)
{
	unsigned long count = (unsigned long)-1, found;
	uint64_t last_flush = 0, end;
	int image;

	if (argc != 2 && argc != 4 && argc != 5)
		errx(2, "usage: replay LOG [IMAGE SEED [COUNT]]");
	open_log(argv[1]);
	if (argc == 5)
		count = strtoul(argv[4], NULL, 10);
	end = end_of(count, &last_flush, &found);
	if (argc == 2) {
		printf("%lu\n", found);
		return 0;
	}
	srandom((unsigned int)strtoul(argv[3], NULL, 10));
	image = open(argv[2], O_WRONLY | O_CLOEXEC);
	if (image < 0)
		err(1, "%s", argv[2]);
	replay(image, end, last_flush);
	if (fsync(image) < 0)
		err(1, "%s", argv[2]);
	return 0;
}

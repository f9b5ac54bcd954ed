/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comes before each assembler source. Where an object has no symbol that names its
 * file, ld -r adds one with the object's path, and that reaches the build-id; so each
 * names its own, with the path mapped as everywhere.
 */
.file __BASE_FILE__

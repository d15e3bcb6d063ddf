# One verb each; CI calls the same verbs. `make help` lists them.
#
# Every verb sets up what it needs first: a virtual environment in .venv, the pinned packages of
# requirements.lock, the Rust extension in release. Each step leaves a stamp in .venv/.stamps and is
# done again only when its inputs change.

.DEFAULT_GOAL := help
.PHONY: help up demo test test-long check check-fast tidy format-check types clippy deny advisories docs bench instructions conformance build lock fmt clean
.DELETE_ON_ERROR:

VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
DENY   := cargo-deny-0.20.2

# One interpreter for every build of the bindings: another one would rebuild them.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport CONDA_PREFIX PYTHONHOME PYTHONPATH

# In CI a Cargo.lock that does not fit the manifests is an error; at a desk cargo mends it.
LOCKED := $(if $(CI),--locked)

# A folder is listed too, so that a deleted file counts as a change.
RUST_INPUTS := Cargo.toml $(wildcard Cargo.lock) rust-toolchain.toml \
	$(shell find crates \( -path '*/src*' -o -name Cargo.toml -o -name build.rs \) 2>/dev/null)

# --- set-up -----------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@sh tools/preflight.sh
	@echo "==> creating $(VENV) with $$(sh tools/preflight.sh python)"
	@"$$(sh tools/preflight.sh python)" -m venv --clear $(VENV) || \
		{ echo "make: python3 -m venv failed (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: requirements.lock $(STAMPS)/venv
	@echo "==> installing the pinned Python packages of requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@touch $@

$(STAMPS)/extension: $(RUST_INPUTS) $(STAMPS)/packages
	@sh tools/preflight.sh
	@echo "==> building exchange_os._core in release"
	@$(BIN)/maturin develop --release --skip-install $(LOCKED)
	@touch $@

# Editable: Python sources are used where they lie; only a change of pyproject.toml asks for this again.
$(STAMPS)/project: pyproject.toml $(STAMPS)/venv | $(STAMPS)/extension
	@echo "==> installing the project into $(VENV)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --no-index --editable .
	@touch $@

# --- verbs ------------------------------------------------------------------------------------------

help: ## list the verbs
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1|/' | \
		while IFS='|' read -r verb what; do printf '  make %-13s %s\n' "$$verb" "$$what"; done

build: $(STAMPS)/project ## build everything; leaves .venv/bin/xos
	@$(BIN)/xos --version

demo: $(STAMPS)/project ## run the demonstration
	@$(BIN)/xos demo

up: $(STAMPS)/project ## serve the exchange in ./data with its interface and a population that trades, until Ctrl-C
	@$(BIN)/xos start --data data

test: $(STAMPS)/project ## run the Rust and Python tests
	@echo "==> cargo test"
	@cargo test --workspace $(LOCKED) -- --quiet
	@echo "==> pytest"
	@$(BIN)/python -m pytest

# Clients of OKX in environments of their own, which nothing else needs; most want a newer Python than we do.
CLIENTS_PYTHON ?= $(shell command -v python3.13 || command -v python3.12 || echo python3)
.tools/%/stamp: tests/conformance/requirements-%.txt
	@echo "==> installing $< into .tools/$*"
	@$(CLIENTS_PYTHON) -m venv --clear .tools/$* && .tools/$*/bin/python -m pip install --quiet \
		--disable-pip-version-check -r $< && touch $@

conformance: $(STAMPS)/project .tools/clients/stamp .tools/freqtrade/stamp .tools/schemathesis/stamp ## run clients of OKX, as they are installed, against a new exchange; writes the table
	@$(BIN)/python tools/conformance.py --write

test-long: $(STAMPS)/project conformance ## run the slow suites too (XOS_LONG=1, pytest -m long)
	@echo "==> cargo test in release, XOS_LONG=1"
	@XOS_LONG=1 cargo test --workspace --release $(LOCKED) -- --quiet
	@echo "==> pytest -m long"
	@XOS_LONG=1 $(BIN)/python -m pytest -m long --timeout 3600 || [ $$? -eq 5 ]

check: check-fast deny ## everything that judges the code without running it

check-fast: tidy format-check types clippy ## `make check` without cargo-deny

tidy: $(STAMPS)/packages
	@echo "==> tidy: house rules and links"
	@$(BIN)/python tools/tidy.py
	@$(BIN)/python tools/links.py

format-check: $(STAMPS)/packages
	@echo "==> format and lint"
	@$(BIN)/ruff format --check --quiet . || { echo "make: run 'make fmt'" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@cargo fmt --all --check

types: $(STAMPS)/project
	@echo "==> types: mypy, stubtest"
	@$(BIN)/mypy
	@$(BIN)/python -m mypy.stubtest exchange_os._core

clippy: $(STAMPS)/packages
	@echo "==> clippy"
	@cargo clippy --workspace --all-targets $(LOCKED) -- -D warnings

deny: .tools/$(DENY)/bin/cargo-deny
	@echo "==> cargo-deny: licences, bans, sources (known vulnerabilities need a download: make advisories)"
	@.tools/$(DENY)/bin/cargo-deny --log-level error check bans licenses sources

advisories: .tools/$(DENY)/bin/cargo-deny ## look for known vulnerabilities; downloads the list of them
	@.tools/$(DENY)/bin/cargo-deny check advisories

.tools/$(DENY)/bin/cargo-deny:
	@sh tools/preflight.sh
	@echo "==> building $(DENY) into .tools (once, some minutes)"
	@cargo install cargo-deny --version $(subst cargo-deny-,,$(DENY)) --locked --quiet --root .tools/$(DENY)

docs: $(STAMPS)/project ## write the reference pages, check every link, build the Rust reference
	@echo "==> docs: reference pages"
	@$(BIN)/python tools/make_reference.py $(if $(CI),--check)
	@echo "==> docs: links"
	@$(BIN)/python tools/links.py
	@echo "==> docs: cargo doc"
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet $(LOCKED)

bench: $(STAMPS)/project ## run the engine under its seeded workloads
	@$(BIN)/xos bench engine --workload steady
	@$(BIN)/xos bench engine --workload many

instructions: $(STAMPS)/packages ## count the engine's instructions a command; fails above the limit
	@echo "==> instructions a command (callgrind)"
	@cargo build --release --quiet $(LOCKED) -p xos-sim --example engine_bench
	@$(BIN)/python tools/count_instructions.py target/release/examples/engine_bench

fmt: $(STAMPS)/packages ## format Rust and Python
	@cargo fmt --all
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

# uv.lock names addresses, so it is not kept: requirements.lock is its export. Without a uv.lock every pin moves to the
# newest that pyproject.toml allows; `make lock UPGRADE=--upgrade` moves them all in any case.
lock: $(STAMPS)/venv ## bring requirements.lock up to date with pyproject.toml
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@UV_PYTHON_DOWNLOADS=never $(BIN)/uv export --format requirements-txt --no-emit-project --all-extras --group dev \
		--no-annotate --no-header $(UPGRADE) --quiet --output-file requirements.lock
	@if grep -nE 'https?://' requirements.lock; then echo "make: requirements.lock names an address" >&2; exit 1; fi

clean: ## remove what the build made (.venv, .tools, target, caches)
	@rm -rf $(VENV) .tools target .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	@rm -f python/exchange_os/_core*.so
	@find python tests tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

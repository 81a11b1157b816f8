# Every target makes its environment in .venv first if that is missing or older than pyproject.toml.
# The runner, not file times, decides what is left to do, so simulations are phony.

PYTHON ?= python3
SIM ?= atlas

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# pip compiles what it installs by one processor, which takes as long as all else. Some files are templates, no Python.
INSTALL = $(PIP) install -q --no-compile $(1) && { $(BIN)/python -m compileall -qq -j 0 .venv/lib || true; }

# One stamp for each stage of the environment, so that a simulation waits for the run-time packages only.
PIP_READY := .venv/.pip-ready
RUN_READY := .venv/.run-ready
OLDEST_READY := .venv-oldest/.ready
DEV_READY := .venv/.dev-ready
ORACLE_READY := .venv/.oracle-ready
BROWSER_READY := .venv/.browser-ready
PEERS_READY := .venv/.peers-ready
IDENTITY_READY := .venv/.identity-ready
INTEROP_READY := .venv/.interop-ready
DOCS_READY := .venv/.docs-ready

.DEFAULT_GOAL := help
.PHONY: help sim sims report reports verify test oldest wheel chaos bench interop identity docs lint
.NOTPARALLEL:  # lint before tests, and one pip at a time; the runner has its own threads

help: ## this list
	@echo 'make TARGET [SIM=name of a file in sims/, without .toml; now $(SIM)] [PYTHON=$(PYTHON)]'
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  %-8s %s\n", $$1, $$2 }'

sim: $(RUN_READY) ## run sims/SIM.toml into results/SIM; goes on where it was stopped
	@test -f 'sims/$(SIM).toml' || { echo 'there is no sims/$(SIM).toml; there are:' >&2; $(BIN)/fastlstm sims >&2; exit 2; }
	@$(BIN)/fastlstm run 'sims/$(SIM).toml' --out 'results/$(SIM)'

sims: $(RUN_READY) ## run every simulation in sims/, then judge all their claims in one table
	@set -e; for spec in sims/*.toml; do $(BIN)/fastlstm run "$$spec" --out "results/$$(basename "$$spec" .toml)"; done
	@$(BIN)/fastlstm claims $(patsubst sims/%.toml,results/%,$(wildcard sims/*.toml))

report: $(RUN_READY) ## draw results/SIM: report.html, and its figures as SVG files
	@$(BIN)/fastlstm report 'results/$(SIM)'

reports: $(RUN_READY) ## draw the reports of all simulations that were run, one on each processor
	@ls -d $(patsubst sims/%.toml,results/%,$(wildcard sims/*.toml)) 2>/dev/null \
	    | xargs -n 1 -P "$$(getconf _NPROCESSORS_ONLN)" $(BIN)/fastlstm report

verify: $(RUN_READY) ## read all of results/SIM again and compare it with its journal
	@$(BIN)/fastlstm verify 'results/$(SIM)'

test: $(DEV_READY) ## lint, types, then all tests
	@$(MAKE) --no-print-directory lint & lint=$$!; \
	    $(MAKE) --no-print-directory $(ORACLE_READY) $(BROWSER_READY); wait $$lint  # each takes one processor
	@$(BIN)/python -m pytest -n auto --dist loadscope

oldest: $(OLDEST_READY) ## all tests with the lowest versions that pyproject.toml allows, in .venv-oldest
	@.venv-oldest/bin/python -m pytest -n auto --dist loadscope

wheel: $(DEV_READY) ## the README's commands from a wheel, in an empty folder and a fresh environment
	@$(BIN)/python tests/from_wheel.py

chaos: $(DEV_READY) ## make everything fail that can, and count what is lost (minutes)
	@$(BIN)/python -m pytest tests/chaos -m chaos --all-faults --fault-page docs/reliability.md

bench: $(PEERS_READY) ## speed beside JAX, PyTorch, C and the machine's limit; ten minutes, docs/performance.md
	@$(BIN)/python -m benchmarks.performance --write

interop: $(INTEROP_READY) ## weights from PyTorch and back, against its autograd (installs gigabytes)
	@$(BIN)/python -m pytest tests/test_interop_torch.py

identity: $(IDENTITY_READY) ## prove that threads, parts, order, interruptions and processors change no bit
	@$(BIN)/python benchmarks/bit_identity.py

docs: $(DOCS_READY) ## this documentation as a site, in site/
	@$(BIN)/python docs/make_site.py

lint: $(DEV_READY) ## ruff and mypy
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check --quiet
	@$(BIN)/python -m mypy

$(PIP_READY):
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "$(PYTHON) is not Python 3.11 or later; name one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo 'making the environment in .venv'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || '$(PYTHON)' -m venv --clear .venv
	@$(PIP) install -q 'pip>=25.1'  # the first with --group
	@touch $@

$(RUN_READY): pyproject.toml $(PIP_READY)
	@echo 'installing fastlstm and what it runs on'
	@$(call INSTALL,-e .)
	@touch $@

$(DEV_READY): pyproject.toml $(RUN_READY)
	@echo 'installing what lint and the tests need'
	@$(call INSTALL,--group test --group lint)
	@touch $@

$(DOCS_READY): pyproject.toml $(PIP_READY)
	@echo 'installing what the site is made with'
	@$(call INSTALL,--group docs)
	@touch $@

$(OLDEST_READY): pyproject.toml $(PIP_READY)
	@echo 'making an environment of the lowest versions in .venv-oldest'
	@$(PIP) install -q --group oldest
	@test -x .venv-oldest/bin/python || '$(PYTHON)' -m venv .venv-oldest
	@$(BIN)/python -m uv pip install -q --compile-bytecode --python .venv-oldest/bin/python --resolution lowest-direct -e . --group test
	@touch $@

# JAX has no wheel for some machines. Then there is no stamp, so the next run tries again, and the tests go on
# without it; tests/conftest.py says so in their last lines.
$(ORACLE_READY): $(DEV_READY)
	@echo 'installing JAX, the oracle of the gradients'
	@if $(call INSTALL,--group oracle); then touch $@; else echo 'JAX could not be installed' >&2; fi

# The page of a report is opened in a real browser, which is no Python package. Without one the same holds as for JAX.
$(BROWSER_READY): $(DEV_READY)
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo 'installing Chromium, which opens the reports' \
	    && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install chromium >/dev/null; then touch $@; \
	else echo 'there is no Chromium, and it could not be installed' >&2; fi

# A peer that cannot be installed is left out of the comparison, which says so.
$(PEERS_READY): pyproject.toml $(RUN_READY)
	@echo 'installing JAX and PyTorch, to be compared with'
	@if $(call INSTALL,--group peers); then touch $@; else echo 'JAX or PyTorch could not be installed' >&2; fi

$(IDENTITY_READY): pyproject.toml $(RUN_READY)
	@echo 'installing the emulator of AArch64'
	@$(call INSTALL,--group identity)
	@touch $@

$(INTEROP_READY): $(DEV_READY)
	@echo 'installing PyTorch'
	@$(call INSTALL,--group interop)
	@touch $@

# Two commands are enough: `make demo` and `make test`. `make help` lists the others.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
VENV ?= .venv
# What to pass on: make test FOLDERS=tests/unit ARGS="-k money"; make demo ARGS="--data DIR".
FOLDERS ?=
ARGS ?=

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
INSTALL := $(PIP) install --constraint constraints.txt

.PHONY: help demo test check bench format nightly constraints clean environment

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

demo: $(VENV)/.installed ## Replay a month of real invoices through an example shop
	@$(PY) docs/examples/shop $(ARGS)

test: $(VENV)/.installed ## Run every test, folder by folder
	@$(PY) tests/run.py $(FOLDERS) -- $(ARGS)

check: $(VENV)/.check ## Check format, lint and types
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy src $(addsuffix /src,$(PLUGINS))
	@if [ -d tests/typing ]; then $(PY) -m pyright --pythonpath $(PY) tests/typing; fi

format: $(VENV)/.check ## Format the code and mend what the linter can
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

bench: $(VENV)/.bench ## Measure against the same work written by hand
	@$(PY) tests/benchmarks $(ARGS)

nightly: $(VENV)/.installed ## Run the property tests long and at random; prints its seed
	@CRMKIT_HYPOTHESIS_PROFILE=nightly $(PY) tests/run.py \
	    $(or $(FOLDERS),tests/properties $(wildcard plugins/*/tests)) -- --verbose --timeout=0 $(ARGS)

environment: $(VENV)/.installed

constraints: ## Pin the newest versions of everything anew (needs what requirements-ci.txt needs)
	@rm -f constraints.txt && touch constraints.txt
	@$(MAKE) VENV=.venv-pins $(addprefix .venv-pins/,.check .bench .ci)
	@echo '# Made by `make constraints`: every package that is used here, pinned.' > constraints.txt
	@.venv-pins/bin/python -m pip freeze --exclude-editable >> constraints.txt
	@rm -rf .venv-pins

clean: ## Remove the environments and caches
	rm -rf .venv .venv-* build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. Each stamp is newer than what it was made from; if nothing has changed, pip is not called.

$(VENV)/.created:
	@for python in $(PYTHON) python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$($$python --version). This takes about a minute, once."; \
	        $$python -m venv --clear $(VENV) && touch $@ && exit 0; \
	        echo "This Python makes no environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	    fi; \
	done; \
	echo "No Python 3.11 or newer was found. Name one: make PYTHON=/path/to/python3" >&2; exit 1

$(VENV)/.installed: $(VENV)/.created pyproject.toml $(addsuffix /pyproject.toml,$(PLUGINS)) requirements-dev.txt constraints.txt
	@$(INSTALL) hatchling editables
	@$(INSTALL) --no-build-isolation -r requirements-dev.txt \
	    -e '.[cli,duplicates,exchange,mariadb,migrations,postgresql,testing]' $(addprefix -e ./,$(PLUGINS))
	@touch $@

$(VENV)/.check $(VENV)/.bench $(VENV)/.ci: $(VENV)/.%: $(VENV)/.installed requirements-%.txt
	@$(INSTALL) -r requirements-$*.txt
	@touch $@

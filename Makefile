# What a newcomer and a contributor run. `make` alone lists it.

BIN := .venv/bin
INSTALL := $(BIN)/pip install -qq --disable-pip-version-check --only-binary :all: --require-hashes
# the checkout itself: no hashes, and nothing is fetched for it
INSTALL_SELF := $(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

.PHONY: help setup run demo test check format lock clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: .venv/.ready ## install into .venv; leaves .venv/bin/pantau

run: setup ## crawl the catalogue now, then every day (Ctrl-C ends it)
	@$(BIN)/pantau run --now

demo: setup ## crawl five small sites on this machine; touches no outlet
	@$(BIN)/python -m demo

test: .venv/.dev-ready ## run every test
	$(BIN)/pytest

check: .venv/.dev-ready ## lint, types, imports, documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet tests/test_house.py

format: .venv/.dev-ready ## put the code into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: .venv/.ready ## lock the dependencies of pyproject.toml again (UPGRADE=--upgrade: to their newest)
	$(BIN)/pip install -qq --disable-pip-version-check uv==0.13.9
	$(COMPILE) $(UPGRADE) pyproject.toml --group build --output-file requirements.lock
	$(COMPILE) $(UPGRADE) pyproject.toml --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock

clean: ## remove what the above made; var/, where the findings are, stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is what `python3 -m venv` installs last: without it the environment is not whole
$(BIN)/pip:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pantau needs Python 3.11 or later.")'
	@python3 -m venv .venv

.venv/.ready: requirements.lock pyproject.toml | $(BIN)/pip
	@echo "Installing the locked dependencies into .venv (about a minute) …"
	@$(INSTALL) --requirement requirements.lock
	@$(INSTALL_SELF)
	@touch $@

.venv/.dev-ready: requirements-dev.lock .venv/.ready
	@echo "Installing what the tests need …"
	@$(INSTALL) --requirement requirements-dev.lock
	@touch $@

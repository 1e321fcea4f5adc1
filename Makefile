# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Of the tests: each has services, a browser and an engine of its own, and a file's tests stay together.
WORKERS ?= 2
.DEFAULT_GOAL := help
.PHONY: help setup demo test browser check fuzz format catalogue bench lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## Create .venv and install everything from the lock

# Fails early and in words: pip's own message about a missing torch build tells nobody what to do.
$(READY): requirements.lock pyproject.toml deploy/torchvision_cure.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || \
	  { echo "Python 3.11 to 3.14 is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make setup PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV): about two minutes and 3 GB, once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock || \
	  { echo "If pip found no torch==2.13.0+cpu: export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu and try again."; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python deploy/torchvision_cure.py
	@touch $@

demo: $(READY) ## Scan the sample images end to end: Postgres, Valkey, S3, Celery, vLLM
	@$(BIN)/zoomin demo

test: $(READY) ## Run all tests: unit, browser, integration, acceptance
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

browser: $(READY) ## Run the review page's tests in Chromium; their pictures are in tests/browser/screenshots
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m pytest tests/browser

check: $(READY) ## Lint, format, types, import contracts, models against migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.check_migrations

fuzz: $(READY) ## Requests made from the OpenAPI document against a fresh server: all checks, stateful links (SEED=…, EXAMPLES=…)
	@$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED)) $(if $(EXAMPLES),--examples $(EXAMPLES))

format: $(READY) ## Format the code and mend what lint can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

CATALOGUE := worker/moderation/translation
catalogue: $(READY) ## Bring nano's catalogues up to date with what it says; what is new in them waits for a translator
	@$(BIN)/pybabel -q extract -k N_ --no-location --omit-header -w 140 -o $(CATALOGUE)/locale/nano.pot $(CATALOGUE)/messages.py
	@$(BIN)/pybabel -q update -D nano -i $(CATALOGUE)/locale/nano.pot -d $(CATALOGUE)/locale --omit-header --no-fuzzy-matching -w 140

bench: $(READY) ## Measure intake against a raw COPY, what the audit chain costs, time to the first verdict, and to the next image
	@$(BIN)/zoomin bench intake
	@$(BIN)/zoomin bench audit
	@$(BIN)/zoomin bench scan
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.bench_review

lock: $(READY) ## Resolve requirements.lock anew from pyproject.toml
	@$(PYTHON) deploy/lock.py --extra-index-url https://download.pytorch.org/whl/cpu

clean: ## Remove .venv and the embedded stack's data
	rm -rf $(VENV) .zoomin build *.egg-info

# Everything here works without root, on GNU make 3.81 and later. `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help install run test lint format bench crash lock clean page

VENV := .venv
BIN := $(VENV)/bin
ROUNDS ?= 30

help:
	@echo "make install    a virtual environment in $(VENV) from the lock files, and the page built"
	@echo "make run        install, and start a hub on 127.0.0.1:8000"
	@echo "make test       install, and run every test"
	@echo "make lint       style, types, layers, secrets"
	@echo "make format     put the code into the one format"
	@echo "make bench      how fast it is, as a table and as JSON"
	@echo "make crash      ROUNDS=1000: kill the hub at random, and check that nothing was lost"
	@echo "make lock       write the lock files anew after pyproject.toml changed"
	@echo "make clean      remove what install and the tests made; data/ and hub.yaml stay"

install: $(VENV)/.run page

run: install
	@$(BIN)/interlock up --first-run

page: $(VENV)/.run
	@$(BIN)/python .ci/page.py build

test: $(VENV)/.dev page
	$(BIN)/python .ci/page.py test
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/find_secrets.py
	$(BIN)/python .ci/page.py lint

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python .ci/page.py format

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(ARGS)

crash: $(VENV)/.dev
	INTERLOCK_CRASH_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q -s -m crash $(ARGS)

lock: $(VENV)/.dev
	.ci/lock

clean:
	rm -rf $(VENV) adapters/websocket/static adapters/websocket/web/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.run: requirements.lock requirements-install.lock pyproject.toml .ci/venv
	@.ci/venv requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock requirements-install.lock pyproject.toml .ci/venv
	@.ci/venv requirements-dev.lock
	@touch $@ $(VENV)/.run

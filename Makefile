# Everything here needs only Python 3.11 (or later) and make: the first target that needs it makes .venv and fills it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PEER   := .venv-tf
OUT    ?= demo-output
# A newer pip's progress bars are noise in a log.
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test unit lint types bench docs clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

demo: $(VENV)/.demo  ## train, freeze and use a convolutional network on real digits (output in demo-output/)
	@HORNBEAM="$(abspath $(BIN))/hornbeam" PYTHON="$(abspath $(BIN))/python" sh examples/demo.sh "$(OUT)"

test: $(VENV)/.dev  ## everything that must hold: ruff, mypy, the floors, unit and end-to-end tests
	@$(MAKE) --no-print-directory --keep-going lint types unit

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -q

lint: $(VENV)/.dev  ## ruff, and import-linter's check of the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev  ## mypy on the lower floors
	$(BIN)/mypy

bench: $(VENV)/.demo $(PEER)/.ready  ## the spine benchmark: TensorFlow 2.15.1 and Hornbeam, alternately
	$(BIN)/python benchmarks/spine.py --peer $(PEER)/bin/python --json benchmarks/results/spine.json --markdown benchmarks/results/spine.md

docs: $(VENV)/.dev  ## regenerate docs/coverage.md and run every snippet of README and docs
	$(BIN)/hornbeam coverage --markdown > docs/coverage.md
	$(BIN)/python -m pytest -q tests/docs

clean:  ## remove the virtual environments and outputs
	rm -rf $(VENV) $(PEER) $(OUT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Hornbeam needs Python 3.11 or later, this is %d.%d; say make PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.demo

# TensorFlow 2.15 has wheels for Python 3.9 to 3.11; HORNBEAM_ORACLE names an environment that exists already.
$(PEER)/.ready:
	@mkdir -p $(PEER)
	if [ -n "$$HORNBEAM_ORACLE" ]; then mkdir -p $(PEER)/bin && printf '#!/bin/sh\nexec "%s" "$$@"\n' "$$HORNBEAM_ORACLE" > $(PEER)/bin/python && chmod +x $(PEER)/bin/python; \
	else $(PYTHON) -m venv $(PEER) && $(PEER)/bin/python -m pip install --quiet --disable-pip-version-check 'tensorflow-cpu==2.15.1' 'numpy<2'; fi
	@touch $@

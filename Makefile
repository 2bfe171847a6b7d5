# make serve [HOST=0.0.0.0] [PORT=9000]   the service, from a fresh clone
# make test                               the tests
# make lint                               ruff and mypy
# make format                             rewrite the code as ruff wants it
# make clean                              remove the virtual environment

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = $(BIN)/pip install --quiet --constraint constraints.txt

.PHONY: serve test lint format clean

serve: $(VENV)/.base
	$(BIN)/nextword serve $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)

# Each stamp is as new as what it was installed from, so nothing is installed twice.
$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(INSTALL) --editable '.[dev]'
	touch $@

# make demo | make run | make test | make check
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo run serve test check clean

help:
	@echo "make demo   set up, fill in public sample photos, serve on http://127.0.0.1:8000"
	@echo "make run    set up and serve what is here"
	@echo "make test   set up and run every test"
	@echo "make check  style, types and architecture"
	@echo "make clean  remove the virtual environment (never your photos)"

setup: .venv/ready

.venv/ready: requirements.txt packaging/dlib/pyproject.toml
	@$(PYTHON) -c "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
		|| { echo "Namesake needs Python 3.11 or newer with venv: on Debian, apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/ready-to-develop: .venv/ready requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: setup
	$(BIN)/flask --app wsgi demo
	@$(MAKE) --no-print-directory serve

run: setup serve

serve:
	$(BIN)/gunicorn wsgi:app

test: .venv/ready-to-develop
	$(BIN)/python -m pytest

check: .venv/ready-to-develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy app wsgi.py
	$(BIN)/python -m pytest -q tests/test_architecture.py

clean:
	rm -rf .venv

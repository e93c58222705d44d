# make demo | make run | make test | make check
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo run serve test check fit-openset evaluate effort bench screenshots clean

help:
	@echo "make demo   set up, fill in public sample photos, serve on http://127.0.0.1:8000"
	@echo "make run    set up and serve what is here"
	@echo "make test   set up and run every test"
	@echo "make check  style, types and architecture"
	@echo "make fit-openset FACES=folder  fit the confidence anew on photos of your own"
	@echo "make evaluate  how well people are told apart, on photos of your own (FACES=folder)"
	@echo "make effort  how many decisions it takes to name everyone, on photos of your own (FACES=folder)"
	@echo "make bench  how fast it is beside face_recognition, on photos of your own (FACES=folder)"
	@echo "make screenshots  the pictures in the README"
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
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready-to-develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy app wsgi.py
	$(BIN)/python -m pytest -q tests/test_architecture.py

# Photos laid out as people/<name>/*.jpg and strangers/*.jpg. Prints the two numbers in app/recognition/openset.py.
FACES ?= ../shared/faces

fit-openset: .venv/ready-to-develop
	$(BIN)/python -m benchmarks.fit_openset $(FACES)

# Photos laid out as above. Checks on those that the confidence was not fitted on, and writes the tables into the docs.
evaluate: .venv/ready-to-develop
	$(BIN)/python -m benchmarks.evaluate $(FACES) --output docs/accuracy.md

# Photos laid out as above. Plays the human over HTTP until nothing is left, and writes the table into the docs.
effort: .venv/ready-to-develop
	$(BIN)/python -m benchmarks.effort $(FACES) --output docs/effort.md

# The pictures in the README, made by the browser tests.
screenshots: .venv/ready-to-develop
	NAMESAKE_SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest -q tests/browser/test_screenshots.py

# Photos laid out as above and photos/*.jpg. Measures beside face_recognition, and writes the table into the docs.
bench: .venv/ready-to-develop
	$(BIN)/python -m benchmarks.speed $(FACES) --output docs/benchmarks.md

clean:
	rm -rf .venv

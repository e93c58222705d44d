# make demo | make run | make test | make check
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo run serve test check fuzz lock audit fit-openset evaluate effort bench screenshots faults load clean

help:
	@echo "make demo   set up, fill in public sample photos, serve on http://127.0.0.1:8000"
	@echo "make run    set up and serve what is here"
	@echo "make test   set up and run every test"
	@echo "make check  style, types and architecture"
	@echo "make lock   work out anew what the requirements bring with them, with every hash"
	@echo "make audit  look for known holes in it"
	@echo "make fuzz  5,000 broken photos, and as many pickles, against the whole product (SEED=0, INPUTS=5000)"
	@echo "make fit-openset FACES=folder  fit the confidence anew on photos of your own"
	@echo "make evaluate  how well people are told apart, on photos of your own (FACES=folder)"
	@echo "make effort  how many decisions it takes to name everyone, on photos of your own (FACES=folder)"
	@echo "make bench  how fast it is beside face_recognition, on photos of your own (FACES=folder)"
	@echo "make faults  kill the server at every step, cut its power, fill its disk, and look at what is left"
	@echo "make load  eight people name two thousand faces at once"
	@echo "make screenshots  the pictures in the README"
	@echo "make clean  remove the virtual environment (never your photos)"

setup: .venv/ready

# Hashes hold for everything that is installed. face-recognition-models comes as source only: it is built with the
# setuptools that is pinned here, not with one that pip would fetch for it.
.venv/ready: requirements.txt packaging/requirements.lock
	@$(PYTHON) -c "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
		|| { echo "Namesake needs Python 3.11 or newer with venv: on Debian, apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@sed -n '/^setuptools==/,/# via/p' packaging/requirements.lock \
		| $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r /dev/stdin
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -r requirements.txt
	@touch $@

.venv/ready-to-develop: .venv/ready requirements-dev.txt packaging/requirements-dev.lock
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

COMPILE := $(BIN)/pip-compile --quiet --no-config --generate-hashes --strip-extras --no-header --no-emit-options \
	--no-emit-index-url --no-emit-find-links --no-allow-unsafe \
	--unsafe-package dlib --unsafe-package pip --find-links packaging

# The lines that are left out name files of this folder: two wheels, pinned by themselves. pip stays the one that came
# with Python.
lock: .venv/ready-to-develop
	SOURCE_DATE_EPOCH=315532800 $(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir packaging \
		packaging/dlib packaging/pkg_resources
	grep -v packaging/ requirements.txt | $(COMPILE) --output-file packaging/requirements.lock -
	cat requirements.txt requirements-dev.txt | grep -v -- '-r \|packaging/' \
		| $(COMPILE) --output-file packaging/requirements-dev.lock -
	sed -i '/^# WARNING/,$$d' packaging/requirements.lock packaging/requirements-dev.lock

audit: .venv/ready-to-develop
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r packaging/requirements.lock
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r packaging/requirements-dev.lock
# The same seed sends the same files. Fails on one violation.
SEED ?= 0
INPUTS ?= 5000

fuzz: .venv/ready-to-develop
	$(BIN)/python -m tests.fuzz --seed $(SEED) --inputs $(INPUTS)

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

# What docs/durability.md promises. Each exits 1 on one violation; --seed and --kills choose other cases.
faults: .venv/ready-to-develop
	$(BIN)/python -m tests.faults $(ARGUMENTS)

load: .venv/ready-to-develop
	$(BIN)/python -m benchmarks.load $(ARGUMENTS)

clean:
	rm -rf .venv

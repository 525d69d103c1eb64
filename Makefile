# make install | demo | test | test-slow | docs | wheel | test-sdist | constraints, each from a machine that has nothing but Python 3.11, 3.12 or 3.13.
# Another interpreter than python3: make install PYTHON=python3.12

PYTHON ?= python3
# worksteal keeps a file on one worker while it can: what a module sets up once is seldom made twice.
PYTEST_FLAGS ?= --quiet --numprocesses auto --maxprocesses 4 --dist worksteal

BIN := .venv/bin
STAMP := .venv/.installed
DOCS_STAMP := .venv/.docs-installed
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := install
.PHONY: install demo lint lint-imports lint-types test test-slow test-tensorflow test-jax docs test-oldest wheel test-sdist constraints

install: $(STAMP)

# The stamp makes a second run quick: pip is asked again only when what is to be installed has changed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("PYTHON=$(PYTHON) is Python " + sys.version.split()[0] + "; pixel_zoo needs 3.11, 3.12 or 3.13")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/python tools/demo.py

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(MAKE) --no-print-directory --jobs 2 lint-imports lint-types

# Each takes one core.
lint-imports:
	$(BIN)/lint-imports

lint-types:
	$(BIN)/mypy

# All tests on one backend. What a target sets for itself holds for the targets that it needs.
test-tensorflow test-jax: install
	KERAS_BACKEND=$(@:test-%=%) $(BIN)/python -m pytest $(PYTEST_FLAGS) $(TESTS)

# Tests marked slow take seconds each. `.ci/run` runs both parts.
test: TESTS = -m "not slow"
test: lint test-tensorflow test-jax

test-slow: TESTS = -m slow
test-slow: test-tensorflow test-jax

# The site, into build/docs. Warnings are errors, such as a link that leads nowhere; notebooks run if they have changed.
docs: $(DOCS_STAMP)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -d build/doctrees docs build/docs
	@echo "Open build/docs/index.html."

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[docs]'
	@touch $@

# The oldest versions allowed: they load what was released, train, score, draw and export.
test-oldest:
	set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(PYTHON) -m venv "$$fresh"; \
	"$$fresh/bin/python" $(PIP_INSTALL) --constraint constraints-oldest.txt '.[hub]' pytest hypothesis; \
	KERAS_BACKEND=tensorflow "$$fresh/bin/python" -m pytest --quiet tests/test_cli.py tests/test_release.py

# dist/: the sdist and the wheel of pixel-zoo and of pixel-zoo-slim. The wheels are built from the sdists. Then they are
# tried: installed into fresh environments, without this checkout, and without a network where this machine allows that.
WITHOUT_NETWORK := $(shell unshare --map-root-user --net true 2> /dev/null && echo unshare --map-root-user --net)
wheel:
	rm -rf dist
	set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(PYTHON) -m venv "$$fresh/builder"; \
	"$$fresh/builder/bin/python" $(PIP_INSTALL) build; \
	"$$fresh/builder/bin/python" -m build --outdir dist; \
	"$$fresh/builder/bin/python" -m build --wheel --outdir "$$fresh/checkout"; \
	"$$fresh/builder/bin/python" tools/compare_wheels.py dist/pixel_zoo-*.whl "$$fresh"/checkout/*.whl; \
	"$$fresh/builder/bin/python" tools/slim.py dist; \
	cp tools/try_wheel.py tools/try_slim.py tests/c_session.py tests/saved_models.py "$$fresh"; \
	try() { \
		$(PYTHON) -m venv "$$fresh/$$1"; \
		"$$fresh/$$1/bin/python" $(PIP_INSTALL) --constraint constraints.txt "$$2"; \
		(cd "$$fresh" && $(WITHOUT_NETWORK) "$$fresh/$$1/bin/python" "$$3" "$$1"); \
		rm -rf "$$fresh/$$1"; \
	}; \
	slim=$$(echo dist/pixel_zoo_slim-*.whl); \
	try client "$$slim[client]" try_slim.py; \
	try jax "$$slim[jax]" try_slim.py; \
	try wheel dist/pixel_zoo-*.whl try_wheel.py

# The sdist that `make wheel` has built, unpacked elsewhere: all of its tests can be collected, and some quick ones pass.
# `make test-tensorflow` in the unpacked sdist runs all of them, as the workflow of a release does.
SDIST_TESTS ?= $(addprefix tests/test_,$(addsuffix .py,wheel dependencies workflows documentation files recipe_names))
test-sdist: install
	set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	tar --extract --file dist/pixel_zoo-*.tar.gz --directory "$$fresh" --strip-components 1; \
	python=$(CURDIR)/$(BIN)/python; cd "$$fresh"; export PYTHONPATH="$$fresh"; \
	"$$python" -c 'import os, pixel_zoo, pixel_zoo_cli; print("tests of", *pixel_zoo.__path__); assert pixel_zoo.__path__ == [os.path.abspath("pixel_zoo")]'; \
	"$$python" -m pytest --quiet --collect-only > collected; tail -n 1 collected; \
	"$$python" -m pytest --quiet $(SDIST_TESTS)

# Pins what a fresh environment resolves to today. The oldest Python decides: its versions exist for the newer ones too.
constraints:
	@$(PYTHON) -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit("PYTHON=$(PYTHON) is Python " + sys.version.split()[0] + "; constraints.txt is made with 3.11, the oldest supported")'
	set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(PYTHON) -m venv "$$fresh"; \
	"$$fresh/bin/python" $(PIP_INSTALL) '.[dev,docs]'; \
	echo '# Written by `make constraints`: versions known to work together, for Python 3.11 to 3.13.' > "$$fresh/constraints.txt"; \
	"$$fresh/bin/python" -m pip freeze --exclude pixel-zoo >> "$$fresh/constraints.txt"; \
	mv "$$fresh/constraints.txt" constraints.txt

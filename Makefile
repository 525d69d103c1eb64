# make install | demo | test | docs | wheel | constraints, each from a machine that has nothing but Python 3.11, 3.12 or 3.13.
# Another interpreter than python3: make install PYTHON=python3.12

PYTHON ?= python3
# worksteal keeps a file on one worker while it can: what a module sets up once is seldom made twice.
PYTEST_FLAGS ?= --quiet --numprocesses auto --maxprocesses 4 --dist worksteal

BIN := .venv/bin
STAMP := .venv/.installed
DOCS_STAMP := .venv/.docs-installed
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := install
.PHONY: install demo lint test test-tensorflow test-jax docs test-oldest wheel constraints

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
	$(BIN)/lint-imports
	$(BIN)/mypy

test-tensorflow test-jax: install
	KERAS_BACKEND=$(@:test-%=%) $(BIN)/python -m pytest $(PYTEST_FLAGS)

test: lint test-tensorflow test-jax

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

# dist/: the sdist and the wheel of pixel-zoo and of pixel-zoo-slim. Then the wheel is tried: installed into a fresh
# environment, without this checkout, and without a network where this machine allows that.
WITHOUT_NETWORK := $(shell unshare --map-root-user --net true 2> /dev/null && echo unshare --map-root-user --net)
wheel:
	rm -rf dist
	set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(PYTHON) -m venv "$$fresh/builder"; \
	"$$fresh/builder/bin/python" $(PIP_INSTALL) build; \
	"$$fresh/builder/bin/python" -m build --outdir dist; \
	"$$fresh/builder/bin/python" tools/slim.py dist; \
	$(PYTHON) -m venv "$$fresh/user"; \
	"$$fresh/user/bin/python" $(PIP_INSTALL) --constraint constraints.txt dist/pixel_zoo-*.whl; \
	cp tools/try_wheel.py tests/c_session.py tests/saved_models.py "$$fresh"; cd "$$fresh"; \
	$(WITHOUT_NETWORK) "$$fresh/user/bin/python" try_wheel.py

# Pins what a fresh environment resolves to today. The oldest Python decides: its versions exist for the newer ones too.
constraints:
	@$(PYTHON) -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit("PYTHON=$(PYTHON) is Python " + sys.version.split()[0] + "; constraints.txt is made with 3.11, the oldest supported")'
	set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(PYTHON) -m venv "$$fresh"; \
	"$$fresh/bin/python" $(PIP_INSTALL) '.[dev,docs]'; \
	echo '# Written by `make constraints`: versions known to work together, for Python 3.11 to 3.13.' > "$$fresh/constraints.txt"; \
	"$$fresh/bin/python" -m pip freeze --exclude pixel-zoo >> "$$fresh/constraints.txt"; \
	mv "$$fresh/constraints.txt" constraints.txt

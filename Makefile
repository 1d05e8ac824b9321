# Everything runs in one virtual environment, made from the lock file when there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

STAMP := $(VENV)/.installed
UV := $(BIN)/uv
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Where it is set, each of the hundreds of programs that tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# One more than there are cores: tests wait for servers a quarter of their time.
TESTERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.PHONY: .venv demo test check style types layers told shipped own bench fuzz mutants coverage lock docs site dist sbom audit clean

$(VENV): $(STAMP)

# uv installs in a fraction of pip's time. Where it does not reach the index, pip's own settings may know a way.
$(UV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "keywatch needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	$(PIP) --require-hashes -r $(VENV)/uv.lock

$(STAMP): requirements.lock pyproject.toml | $(UV)
	$(UV) pip install --system-certs --quiet --python $(BIN)/python --require-hashes -r requirements.lock || $(PIP) --no-compile --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: $(VENV)
	$(BIN)/keywatch demo

test: $(VENV)
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: style types layers told shipped own

style: $(VENV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)
	$(BIN)/mypy

layers: $(VENV)
	$(BIN)/lint-imports

# What the docs say of the code.
told: $(VENV)
	$(BIN)/python docs/import_graph.py --check
	$(BIN)/python docs/reference.py --check

# Licences of what comes with it, and known vulnerabilities in it.
shipped: $(VENV)
	$(BIN)/python deploy/licences.py --check
	$(BIN)/python deploy/audit.py

own: $(VENV)
	$(BIN)/keywatch scan . --ignore-file known-findings.toml --allow-shallow

bench: $(VENV)
	$(BIN)/python bench/run.py

# Changes the code in small ways, and lists what the tests do not notice; takes an hour.
mutants: $(VENV)
	$(BIN)/python bench/mutants.py --show

# What the tests of each room run of it; under 95 % of lines or branches it fails.
coverage: $(VENV)
	$(BIN)/python bench/covered.py

# Atheris is not in the lock: it has wheels for Linux and macOS only.
FUZZ_S ?= 60
fuzz: $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3.0'
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_S)

# The lock names no index: whoever installs decides where from.
lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --extra apprise --extra aws --extra console --extra kafka --extra mcp --extra otel --extra postgres --extra re2 --extra redis --extra tokens --group dev -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --extra console --extra kafka --extra postgres --extra redis --extra tokens -c requirements.lock -o deploy/docker/requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 -c requirements.lock -o deploy/docker/build.lock deploy/docker/build.in
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 -o tests/services/tools.lock tests/services/tools.in

# What the docs say of the code, written from the code.
docs: $(VENV)
	$(BIN)/python docs/import_graph.py
	$(BIN)/python docs/reference.py

# The docs as a site in build/site.
site: $(VENV)
	$(BIN)/python -m mkdocs build

# Sdist and wheel in dist/, the same bytes wherever and whenever they are built.
dist: $(VENV)
	rm -rf dist
	$(BIN)/python -m hatchling build

# What the image holds, package by package, as CycloneDX in build/sbom.cdx.json.
sbom: $(VENV)
	mkdir -p build
	$(BIN)/uv venv --quiet --clear build/sbom-env
	$(BIN)/uv pip install --quiet --python build/sbom-env --require-hashes --only-binary :all: -r deploy/docker/requirements.lock
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON \
	  -o build/sbom.cdx.json build/sbom-env

# Known vulnerabilities in everything that is locked, for the tests too.
audit: $(VENV)
	$(BIN)/python deploy/audit.py deploy/docker/requirements.lock requirements.lock tests/services/tools.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

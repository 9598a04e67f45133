# Every target does its own set-up; nothing is needed but Python 3.11+ and make (for `servers`: Java 17+ and Maven 3.8+ too;
# for `labextension`: Node.js 18+).
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin
BUILD = /tmp/kestrel-labextension
# The versions of the lock file, for the usual environment; others (VENV=...) take the newest that fit.
LOCK = $(if $(filter .venv,$(VENV)),-c requirements-dev.txt)

.PHONY: demo notebook test test-all test-offline test-lowest fuzz coverage servers check fmt bench sample labextension lock clean

demo: $(VENV)/.installed
	$(RUN)/kestrel demo

notebook: $(VENV)/.jupyter
	$(RUN)/jupyter lab huntbooks/scheduled-task-hunt.ipynb

# What an engineer runs all the time: no server, no browser, nothing slow.
test: $(VENV)/.dev
	$(RUN)/python -m pytest -n 2 -m "not server and not browser and not slow"

test-all: $(VENV)/.dev
	$(RUN)/python -m pytest -n 2

# Many examples in every property test.
fuzz: $(VENV)/.dev
	KESTREL_FUZZ=1 $(RUN)/python -m pytest -n 2 tests/fuzz tests/syntax tests/test_oracle.py tests/test_stix_bundle.py

coverage: $(VENV)/.dev
	$(RUN)/python -m pytest -n 2 -m "not server and not browser and not slow" --cov --cov-report=term:skip-covered

# With another interpreter: make test-offline PYTHON=/usr/bin/python3 VENV=.venv-3.11.2
test-offline: $(VENV)/.dev
	$(RUN)/python -m pytest -n 2 -m "not server and not browser and not fuzz"

# The tests that need no server, with the lowest versions that pyproject.toml allows.
test-lowest:
	$(PYTHON) -m venv .venv-lowest && .venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1' uv
	.venv-lowest/bin/uv pip compile --quiet --resolution lowest-direct --extra elastic --extra arrow --extra pandas pyproject.toml -o .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-lowest/lowest.txt -e '.[elastic,arrow,pandas]' --group dev
	.venv-lowest/bin/python -m pytest -n 2 -m "not server and not browser and not slow and not fuzz"

servers: $(VENV)/.dev
	$(RUN)/python -m tests.servers

check: $(VENV)/.dev
	$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy && $(RUN)/lint-imports

fmt: $(VENV)/.dev
	$(RUN)/ruff check --fix . ; $(RUN)/ruff format .

bench: $(VENV)/.dev
	$(RUN)/python -m benchmarks.speed

sample: $(VENV)/.dev
	$(RUN)/python -m tools.simulator --story

# Built in one folder always: the names in the bundle hang on where it is built.
labextension: $(VENV)/.dev
	rm -rf $(BUILD) && mkdir -p $(BUILD) && cp -r labextension/lib labextension/*.json $(BUILD)
	cd $(BUILD) && npm ci --no-audit --no-fund && $(CURDIR)/$(RUN)/jupyter-builder build --development False .
	rm -rf labextension/static && cp -r $(BUILD)/static labextension/static

$(VENV)/.jupyter: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -e '.[jupyter]'
	$(RUN)/python -m compileall -q src
	$(RUN)/python -m kestrel_jupyter_kernel.setup --sys-prefix
	touch $@ $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -e .
	$(RUN)/python -m compileall -q src
	touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(RUN)/python -m pip install --quiet --disable-pip-version-check $(LOCK) -e . --group dev
	$(RUN)/python -m compileall -q src
	touch $@ $(VENV)/.installed

lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check -e . --group dev
	echo "# The development environment as it was tested last: versions for 'pip install -c'. 'make lock' renews it." > requirements-dev.txt
	.venv-lock/bin/python -m pip freeze --exclude-editable >> requirements-dev.txt

clean:
	rm -rf $(VENV) .venv-*

# Every target does its own set-up; nothing is needed but Python 3.11+ and make (for `servers`: Java 17+ and Maven 3.8+ too).
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin

.PHONY: demo test servers check fmt bench sample clean

demo: $(VENV)/.installed
	$(RUN)/kestrel demo

test: $(VENV)/.dev
	$(RUN)/python -m pytest -n 2

servers: $(VENV)/.dev
	$(RUN)/python -m tests.servers

check: $(VENV)/.dev
	$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy && $(RUN)/lint-imports

fmt: $(VENV)/.dev
	$(RUN)/ruff check --fix . ; $(RUN)/ruff format .

bench: $(VENV)/.dev
	$(RUN)/python -m benchmarks.speed

sample: $(VENV)/.dev
	$(RUN)/python -m kestrel.demo.simulate --story

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -e . --group dev
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV)

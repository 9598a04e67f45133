# Every target does its own set-up; nothing is needed but Python 3.11+ and make (for `servers`: Java 17+ and Maven 3.8+ too;
# for `labextension`: Node.js 18+).
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin

.PHONY: demo notebook test servers check fmt bench sample labextension clean

demo: $(VENV)/.installed
	$(RUN)/kestrel demo

notebook: $(VENV)/.jupyter
	$(RUN)/jupyter lab huntbooks/scheduled-task-hunt.ipynb

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

labextension: $(VENV)/.dev
	cd labextension && npm ci --no-audit --no-fund && ../$(RUN)/jupyter-builder build --development False .

$(VENV)/.jupyter: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -e '.[jupyter]'
	$(RUN)/python -m kestrel_jupyter_kernel.setup --sys-prefix
	touch $@ $(VENV)/.installed

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

# Everything starts here: `make demo` and `make test` need only python3 (>= 3.11) with pip, and make.
.PHONY: demo fleet test lint bench clean install
PY := .venv/bin/python
export UV_CACHE_DIR := $(CURDIR)/.boot/cache
export PYTHONPATH :=
KEEP ?=

demo: .venv/.run
	@KEEP=$(KEEP) $(PY) -m bench demo

fleet: .venv/.run
	@KEEP=$(KEEP) $(PY) -m bench fleet

test: .venv/.test
	@$(PY) -m pytest -n 2 --dist loadfile

lint: .venv/.test
	@.venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/lint-imports

bench: .venv/.run
	@$(PY) -m bench all

install: .venv/.run

.boot/uv/bin/uv:
	@python3 -m pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore --target .boot/uv uv

.venv/bin/python: .boot/uv/bin/uv
	@.boot/uv/bin/uv venv --quiet --allow-existing .venv

.venv/.run: pyproject.toml .venv/bin/python
	@.boot/uv/bin/uv pip install --quiet --python $(PY) --compile-bytecode --editable . && $(PY) -m compileall -q ctl reference_apps && touch $@

.venv/.test: pyproject.toml .venv/bin/python
	@.boot/uv/bin/uv pip install --quiet --python $(PY) --compile-bytecode --editable '.[test]' && $(PY) -m compileall -q ctl reference_apps && touch $@ .venv/.run

clean:
	@rm -rf .venv .boot .msxfctl

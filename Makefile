# The two commands of the README do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO := snippets/cuda/gemm_tiled.cu

.PHONY: demo test lint types unit format lock clean

demo: $(INSTALLED)
	@mkdir -p out/demo
	@$(BIN)/xpiler translate $(DEMO) --to hip -o out/demo/gemm_tiled.hip
	@$(BIN)/xpiler translate $(DEMO) --to vnni -o out/demo/gemm_tiled.cpp
	@$(BIN)/xpiler translate $(DEMO) --to bang -o out/demo/gemm_tiled.mlu

test: lint types unit

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

unit: $(INSTALLED)
	$(BIN)/pytest -n 2

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Re-resolve the pinned versions after a change of pyproject.toml. The file names no index, so any mirror serves it.
lock:
	$(BIN)/pip install pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras \
	  --extra dev --extra cuda --allow-unsafe --output-file=requirements.lock pyproject.toml

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Xpiler needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

clean:
	rm -rf .venv out build dist

# The two commands of the README do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO := snippets/cuda/gemm_tiled.cu

CLIENT := client-vscode
MODULES := $(CLIENT)/node_modules/.installed
TARGET ?= $(shell node -p "process.platform + '-' + process.arch")
VSIX = dist/xpiler-$(TARGET).vsix

.PHONY: demo test lint types unit client package e2e workbench screenshots format lock clean

# The three translations run side by side: each waits for compilers and for programs that it runs.
demo: $(INSTALLED)
	@mkdir -p out/demo
	@$(MAKE) --no-print-directory -j3 --output-sync=target demo-hip demo-vnni demo-bang

.PHONY: demo-hip demo-vnni demo-bang
demo-hip:
	@$(BIN)/xpiler translate $(DEMO) --to hip -o out/demo/gemm_tiled.hip
demo-vnni:
	@$(BIN)/xpiler translate $(DEMO) --to vnni -o out/demo/gemm_tiled.cpp
demo-bang:
	@$(BIN)/xpiler translate $(DEMO) --to bang -o out/demo/gemm_tiled.mlu

test: lint types unit client

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

unit: $(INSTALLED)
	$(BIN)/pytest -n 2

# The extension of VS Code: lint, types, unit tests. Without Node it is left out, and that is said.
client:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory client-checks; \
	  else echo "npm is not installed: the VS Code extension was NOT tested"; fi

.PHONY: client-checks
client-checks: $(MODULES)
	cd $(CLIENT) && npm run --silent lint && npm run --silent check && npm test --silent

# The wheel, and the extension with everything that it needs, for this machine or for TARGET: linux-x64, linux-arm64, darwin-x64,
# darwin-arm64, win32-x64, win32-arm64 (docs/vscode.md says what works where).
# The libraries in it are held by the hashes of requirements.lock; looking through them for secrets would take a quarter of an hour.
package: $(INSTALLED) $(MODULES)
	rm -rf dist build
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps -w dist .
	$(BIN)/python $(CLIENT)/scripts/bundle.py dist/xpiler-*.whl $(TARGET)
	cp LICENSE $(CLIENT)/
	cd $(CLIENT) && npm run --silent build && npx vsce package --no-dependencies --allow-missing-repository --allow-package-all-secrets \
	  --allow-package-env-file --target $(TARGET) -o ../$(VSIX)
	$(BIN)/python $(CLIENT)/scripts/check_package.py dist/xpiler-*.whl $(VSIX)

# The extension as a user has it: packaged, then installed in a real workbench and used in Chromium. `workbench` takes the
# package that is there (E2E=--failed: the stories that did not pass the last time); `screenshots` keeps its pictures in docs/images.
e2e: package
	@$(MAKE) --no-print-directory workbench

workbench:
	cd $(CLIENT) && node e2e/install.mjs && node e2e/run.mjs ../$(VSIX) $(E2E)

screenshots: package
	@$(MAKE) --no-print-directory workbench E2E=--docs

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Re-resolve the pinned versions after a change of pyproject.toml. The file names no index, so any mirror serves it.
lock:
	$(BIN)/pip install pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras \
	  --extra dev --extra cuda --extra fleet --allow-unsafe --output-file=requirements.lock pyproject.toml

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Xpiler needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(MODULES): $(CLIENT)/package-lock.json
	cd $(CLIENT) && npm ci --no-fund --no-audit --ignore-scripts
	@touch $@

clean:
	rm -rf .venv out build dist $(CLIENT)/node_modules $(CLIENT)/bundled $(CLIENT)/dist

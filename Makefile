# Every target makes .venv by itself and can be run again at any time. `make book` and `make test` are all you need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help book serve lint check notebooks site test bench results set-repository chromium grade exercises mutants export-course clean

BIN := .venv/bin
READY := .venv/.ready
# uv installs in seconds what takes pip minutes. It doesn't read pip's settings (a mirror, a folder of wheels): pip installs
# torch, and all the rest where uv can't.
UV := $(BIN)/uv pip install -q --python $(BIN)/python
SITE := _build/html
RELEASED := build/.released
# Two workers on two cores, one thread each; a notebook, or a file of tests, stays with one worker and its kernel or browser.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
NBVAL := --nbval-lax --nbval-cell-timeout=600 --ignore=book/exercises book
PORT ?= 8000

help:
	@echo "make book        run the chapters that are out of date and build the site into $(SITE)"
	@echo "make serve       the same, then serve it on http://127.0.0.1:$(PORT) (PORT=... for another port)"
	@echo "make test        everything that must hold"
	@echo "make check       its fast part: style and unit tests"
	@echo "make lint        style alone"
	@echo "make notebooks   every chapter, cell by cell"
	@echo "make site        the site in a real browser"
	@echo "make bench       the benchmarks (SEQBOOK_CORPORA names the folder that holds multi30k)"
	@echo "make results     the published results, made anew (NAME=... for some of them; it takes hours)"
	@echo "make set-repository URL=https://github.com/you/fork"
	@echo "make grade A=rnn_seq2seq IN=folder OUT=folder   grade what students handed in (book/instructors.md)"
	@echo "make exercises   whether the tests of the assignments notice wrong solutions (A=... for one; all take about an hour)"
	@echo "make mutants     whether the unit tests notice faults in the library (M=nn/masks for one module, N=20 for a sample; all take hours)"
	@echo "make export-course OUT=folder   the students' notebooks with a README, for a learning platform"
	@echo "make chromium    install the browser that the tests of the site need, if there is none"
	@echo "make clean       remove what was built; trained models and .venv stay"

$(READY): requirements.txt pyproject.toml
	@python=; for name in python3.13 python3.12 python3.11 python3; do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "make: Python 3.11 or newer is needed, and none is on the PATH" >&2; exit 1; fi; \
	if [ ! -x $(BIN)/pip ]; then \
	  $$python -m venv .venv || { rm -rf .venv; \
	    echo "make: $$python can't make a virtual environment: install its venv module (Debian: python3-venv)" >&2; exit 1; }; \
	fi
	$(BIN)/pip install -q $$(grep -E '^(torch|uv)==' requirements.txt)
	$(UV) -r requirements.txt || $(BIN)/pip install -q -r requirements.txt
	$(UV) --no-deps -e . || $(BIN)/pip install -q --no-deps -e .
	@touch $@

# The assignments as students get them: without solutions and hidden tests.
$(RELEASED): nbgrader_config.py $(wildcard book/exercises/*/*.ipynb) | $(READY)
	@$(BIN)/nbgrader generate_assignment --assignment='*' --no-db --force --log-level=ERROR
	@touch $@

# Jupyter Book finds the outputs in _build/.jupyter_cache, and runs nothing itself.
book: $(READY) $(RELEASED)
	$(BIN)/python tools/execute.py
	@$(BIN)/python tools/live.py
	@rm -rf $(SITE)
	$(BIN)/jupyter-book build . --all -W -n --keep-going
	@$(BIN)/python tools/webfont.py $(SITE)
	@echo "The book is at file://$(CURDIR)/$(SITE)/index.html"

serve: book
	@echo "http://127.0.0.1:$(PORT)"
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) $(PORT)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

check: lint
	$(PYTEST) -m "not slow" --ignore=tests/site tests

notebooks: $(READY)
	$(PYTEST) $(NBVAL)

site: book chromium
	$(BIN)/python -m pytest tests/site

test: lint book chromium
	$(PYTEST) tests $(NBVAL)

bench: $(READY)
	$(BIN)/python -m benchmarks

results: $(READY)
	$(BIN)/python -m benchmarks.publish $(NAME)

set-repository: export URL := $(URL)
set-repository: $(READY)
	@$(BIN)/python tools/repository.py "$$URL"

# Of the course's own tools; see book/instructors.md.
COURSE := PYTHONPATH=tools OMP_NUM_THREADS=1 $(BIN)/python -m course

grade: $(READY)
	@$(COURSE) grade "$(A)" "$(IN)" "$(OUT)" $(LIMIT)

exercises: $(READY)
	@$(COURSE) prove $(A)

export-course: $(READY) $(RELEASED)
	@$(COURSE) export "$(OUT)"

mutants: $(READY)
	@PYTHONPATH=tools $(BIN)/python -m mutants $(M) $(if $(N),--sample $(N))

# The tests drive the system's browser.
chromium:
	@if ! command -v chromium chromium-browser google-chrome >/dev/null; then \
	  root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	  { $$root apt-get update -qq && $$root apt-get install -qq -y --no-install-recommends chromium; } >/dev/null || { \
	    echo "make: the browser tests need Chromium: install your system's package 'chromium'" >&2; exit 1; }; \
	fi

clean:
	rm -rf _build build .pytest_cache .ruff_cache

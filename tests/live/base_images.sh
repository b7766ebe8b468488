#!/bin/bash
# Makes stand-ins for the images that docker-compose.yaml takes from a registry, out of Debian packages.
#
# For machines that reach package mirrors and no image registry. What this machine knows about reaching them
# (sources, certificates, proxies) is copied into the images at run time, so keep them on this machine.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
suite=bookworm  # Its Python is 3.11, as in apache/airflow:3.3.2-python3.11.
export DOCKER_BUILDKIT=0  # The classic builder needs no plugin.

scratch=$(mktemp --directory)
trap 'rm -rf "$scratch"' EXIT

need() {
    command -v "$1" > /dev/null || { apt-get update && apt-get install --yes --no-install-recommends "$1"; }
}

build() {
    docker build --quiet --network host --tag "changewindow-live/$1" "$2" > /dev/null
}

make_debian() {
    need debootstrap
    local mirror
    # shellcheck disable=SC2016  # apt-get expands it
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" | head -n 1)
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$scratch/debian" "$mirror"
    rm -rf "$scratch"/debian/var/{cache/apt/archives/*.deb,lib/apt/lists/*}
    tar --create --directory "$scratch/debian" . | docker import - changewindow-live/debootstrap
    rm -rf "$scratch/debian"
}

# Prints a Dockerfile; its folder gets the files it copies.
describe_host() {
    local name
    echo "FROM changewindow-live/debootstrap"
    for name in /etc/apt/{sources.list,sources.list.d,auth.conf.d,keyrings,apt.conf.d,trusted.gpg.d} \
        /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
        [ ! -e "$name" ] || cp --parents --recursive "$name" "$scratch/host"
    done
    echo "COPY etc /etc"
    echo "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
    env | grep --extended-regexp --ignore-case '^(PIP|UV)_[A-Z_]*(INDEX|URL|HOST)[A-Z_]*=|^(https?|no|all)_proxy=' |
        sort | sed 's/^/ENV /' || true
}

docker image inspect changewindow-live/debootstrap > /dev/null 2>&1 || make_debian
mkdir "$scratch/host"
describe_host > "$scratch/Dockerfile"
mv "$scratch/Dockerfile" "$scratch/host/"
build debian "$scratch/host"
for name in airflow postgres redis; do
    build "$name" "$here/images/$name"
done

"""The way from an Airflow Connection to a client of a cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.kubernetes.client import asyncio_api, configuration, namespace_of

CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "one",
    "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.org"}} for name in ("one", "two")],
    "users": [{"name": "robot", "user": {"token": "s3cret"}}],
    "contexts": [{"name": name, "context": {"cluster": name, "user": "robot"}} for name in ("one", "two")],
}


def connection(**extra: Any) -> Connection:
    """Return a connection with what the provider's form stores."""
    return Connection("cluster", "kubernetes", extra=extra)


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"kube_config": CONFIG}, id="a mapping"),
        pytest.param({"kube_config": json.dumps(CONFIG)}, id="JSON as text"),
        pytest.param({"extra__kubernetes__kube_config": json.dumps(CONFIG)}, id="with the older prefix"),
        pytest.param({"kube_config": CONFIG, "in_cluster": False, "kube_config_path": ""}, id="beside empty fields"),
    ],
)
def test_a_kube_config_is_read(extra: dict[str, Any]) -> None:
    """However the form or a script has stored it; both libraries know the same."""
    settings = configuration(connection(**extra))
    assert (settings.host, settings.api_key["BearerToken"]) == ("https://one.example.org", "Bearer s3cret")
    assert settings.verify_ssl


def test_context_file_and_verification_are_followed(tmp_path: Path) -> None:
    """As the provider's hook does."""
    file = tmp_path / "config"
    file.write_text(json.dumps(CONFIG))
    settings = configuration(connection(kube_config_path=str(file), cluster_context="two", disable_verify_ssl="true"))
    assert (settings.host, settings.verify_ssl) == ("https://two.example.org", False)


def test_the_namespace_is_that_of_the_ticket_then_of_the_connection() -> None:
    """And `default` where neither says one."""
    assert namespace_of(connection(namespace="shop"), "stall") == "stall"
    assert namespace_of(connection(extra__kubernetes__namespace="shop"), "") == "shop"
    assert namespace_of(connection(), "") == "default"


def test_a_host_without_scheme_gets_its_token_over_tls_only() -> None:
    """A token never goes out in the clear because nobody wrote https."""
    settings = configuration(Connection("cluster", "kubernetes", host="api.example.org", port=6443, password="s3cret"))
    assert settings.host == "https://api.example.org:6443"


async def test_both_libraries_know_the_same() -> None:
    """The asyncio client takes over what the other has read."""
    async with asyncio_api(connection(kube_config=CONFIG))() as api:
        assert api.configuration.host == "https://one.example.org"
        assert api.configuration.api_key == {"BearerToken": "Bearer s3cret"}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"in_cluster": True, "kube_config": CONFIG},
            "has no single way to its cluster (in_cluster and kube_config exclude each other)",
        ),
        ({"kube_config": "s3cret: ["}, "has no kube config that can be used: it is not valid JSON or YAML."),
        ({"kube_config": "7"}, "has no kube config that can be used: it is not valid JSON or YAML."),
        ({"kube_config": CONFIG, "cluster_context": "three"}, "Expected object with name three in"),
        (
            {"kube_config_path": "/nowhere"},
            "has no kube config that can be used: Invalid kube-config file: there is nothing at /nowhere.",
        ),
        ({"in_cluster": True}, "has no kube config that can be used: Service host/port is not set."),
    ],
)
def test_what_cannot_be_used_is_told(extra: dict[str, Any], message: str) -> None:
    """Without a word of what stands in it."""
    with pytest.raises(UnusableConnection) as raised:
        configuration(connection(**extra))
    assert message in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("echo s3cret has expired >&2; exit 1", id="fails"),
        pytest.param("echo s3cret", id="prints garbage"),
        pytest.param('echo \'{"apiVersion": "%s", "kind": "ExecCredential", "status": {}}\'', id="gives nothing"),
        pytest.param("", id="is not installed"),
    ],
)
def test_a_login_program_that_gives_no_credentials_is_told(tmp_path: Path, program: str) -> None:
    """Nobody goes to the cluster as nobody, to be told there that the credentials are wrong."""
    file, version = tmp_path / "login", "client.authentication.k8s.io/v1"
    if program:
        file.write_text(f"#!/bin/sh\n{program.replace('%s', version)}\n")
        file.chmod(0o755)
    user = {"exec": {"apiVersion": version, "command": str(file), "interactiveMode": "Never"}}
    given = {**CONFIG, "users": [{"name": "robot", "user": user}]}
    with pytest.raises(UnusableConnection) as raised:
        configuration(connection(kube_config=given))
    assert str(raised.value) == (
        "The Airflow Connection 'cluster' has no kube config that can be used: its login program "
        f"{file} (exec) gave no credentials; run it as the user of the worker to see why. "
        "Complete it under Admin, Connections."
    )

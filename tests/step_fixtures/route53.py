"""A world for `route53`: moto, which answers as Route 53 does, on a free port."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore import session
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from changewindow.steps.route53 import EXAMPLE
from changewindow.systems.connection import Connection
from step_fixtures import World

session.create_loader = cache(session.create_loader)
"""What AWS has is described in megabytes of JSON, which each session would read anew; here all of them share it."""

API = {"Name": "api.example.com.", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "192.0.2.10"}]}


def connection(url: str, **extra: Any) -> Connection:
    """Return the connection of the account."""
    known = {"region_name": "eu-central-1", "endpoint_url": url, **extra}
    return Connection("example_aws", "aws", login="AKIAEXAMPLE", password="s3cret-of-aws", extra=known)


class Account:
    """An account with one hosted zone, in which `api.example.com` has an address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = boto3.client("route53", "eu-central-1", endpoint_url=url, **_KEYS)
        self.zone = ""
        self.reset()

    def reset(self) -> None:
        """Begin anew: moto refuses to create again what it has seen created once, which Route 53 does not."""
        requests.post(f"{self.url}/moto-api/reset", timeout=10)
        self.zone = self.client.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
        self.put(API)

    def put(self, record_set: dict[str, Any], action: str = "UPSERT") -> None:
        """Write a record set, as somebody else would."""
        change = {"Action": action, "ResourceRecordSet": record_set}
        self.client.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": [change]})

    def state(self) -> list[dict[str, Any]]:
        """Return all record sets but those that belong to the zone itself."""
        record_sets = self.client.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return [record_set for record_set in record_sets if record_set["Type"] not in {"NS", "SOA"}]


_KEYS = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "s3cret-of-aws"}


@contextmanager
def account() -> Iterator[Account]:
    """Serve an account until the end of the block."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Account(f"http://{host}:{port}")
    server.stop()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the account; what counts is its record sets."""
    with account() as made:
        known = connection(made.url, role_arn="arn:aws:iam::123456789012:role/dns")
        yield World(EXAMPLE, made.state, {"example_aws": known}, reset=made.reset)

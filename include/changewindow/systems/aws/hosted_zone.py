"""Reads and changes the record sets of one hosted zone of Amazon Route 53."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from changewindow.errors import StepFailed
from changewindow.systems.aws.client import explained
from changewindow.systems.dns.records import canonical_name

ID = re.compile("[A-Z0-9]{10,32}")
ESCAPED = re.compile(r"\\([0-9]{3}|.)")
MOST = "100"
"""How many record sets of one name are read; only routing policies allow more."""
Raw = Mapping[str, Any]
"""A record set as Route 53 returns it."""


@dataclass(frozen=True)
class HostedZone:
    """A hosted zone, and the client to change it."""

    client: Any
    id: str

    @classmethod
    def of(cls, client: Any, zone: str, account: str) -> Self:
        """Return the hosted zone with an id or name.

        Raises:
            StepFailed: none has this name, or several have.
        """
        if ID.fullmatch(zone):
            return cls(client, zone)
        name = canonical_name(zone)
        with explained(f"look for the hosted zone {name}"):
            listed = client.list_hosted_zones_by_name(DNSName=to_octal(name))["HostedZones"]
        zones = [zone_entry["Id"].rpartition("/")[2] for zone_entry in listed if name_of(zone_entry) == name]
        if not zones:
            raise StepFailed(f"Route 53 has no hosted zone {name} in the account of {account}. Correct `zone`.")
        if len(zones) > 1:
            problem = f"Route 53 has {len(zones)} hosted zones {name}: {', '.join(zones)}."
            raise StepFailed(f"{problem} Write as `zone` the id of the one that is meant.")
        return cls(client, zones[0])

    def find(self, record: str, kind: str) -> Raw | None:
        """Return a record set as it is now."""
        record_sets = self._of_name(record, StartRecordType=kind, MaxItems="1")
        return next((raw for raw in record_sets if raw["Type"] == kind), None)

    def types(self, record: str) -> set[str]:
        """Return the types of a name's record sets."""
        return {raw["Type"] for raw in self._of_name(record, MaxItems=MOST)}

    def replace(self, old: Raw | None, new: Raw | None, comment: str) -> Any:
        """Replace one record set by another, all or nothing; return the id of the change, for `is_in_sync`."""
        actions = {"DELETE": old, "CREATE": new}
        batch = [{"Action": action, "ResourceRecordSet": raw} for action, raw in actions.items() if raw]
        change = {"Comment": comment, "Changes": batch}
        with explained(f"change records in zone {self.id}"):
            made = self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch=change)
        return made["ChangeInfo"]["Id"]

    def is_in_sync(self, change: Any) -> bool:
        """Return whether a change has reached all servers of Route 53."""
        with explained("tell whether the change is in sync"):
            return bool(self.client.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC")

    def _of_name(self, record: str, **limits: str) -> list[Raw]:
        start = {"StartRecordName": to_octal(record), **limits}
        with explained(f"read {record} in zone {self.id}"):
            record_sets: Iterable[Raw] = self.client.list_resource_record_sets(HostedZoneId=self.id, **start)[
                "ResourceRecordSets"
            ]
        return [dict(raw) for raw in record_sets if name_of(raw) == canonical_name(record)]


def name_of(raw: Raw) -> str:
    """Return the name of a record set or zone."""
    return canonical_name(from_octal(raw["Name"]))


def from_octal(text: str) -> str:
    r"""Convert a text of Route 53, which writes many characters as octal codes like `\052`, to that of DNS."""
    return ESCAPED.sub(lambda code: f"\\{int(code[1], 8):03}" if len(code[1]) == 3 else code[0], text)


def to_octal(text: str) -> str:
    r"""Convert a text of DNS, where codes like `\042` are decimal, to that of Route 53."""
    return ESCAPED.sub(lambda code: f"\\{int(code[1]):03o}" if len(code[1]) == 3 else code[0], text)

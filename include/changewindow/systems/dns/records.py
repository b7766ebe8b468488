"""What DNS record sets are: which records of one name and type, with which time to live, as tickets write them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
from pydantic import AfterValidator, Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import Model
from changewindow.systems.names import a_labels, full_name

Type = Literal["A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TXT"]
USUAL_TTL = 300
NAMING = ("CNAME", "MX", "PTR", "SRV")
"""Types whose values end with the name of a host."""
NO_SERVICE = ("MX", "SRV")
"""Types in which the name `.` means that there is no such service (RFC 7505, RFC 2782)."""
SHOWN = re.compile(r"(?P<values>(?:(?!: ).)+) \(ttl (?P<ttl>[0-9]{1,10})\)")
BETWEEN_TEXTS = re.compile('(?<="), (?=")')
"""What stands between two values of TXT, which are in quotes and may contain a comma."""
LONGEST_STRING = 255
"""The most octets that fit in one string of a TXT record."""


@dataclass(frozen=True)
class RecordSet:
    """All records of one name and type; values in canonical form and order."""

    values: tuple[str, ...]
    ttl: int

    @classmethod
    def of(cls, rdataset: dns.rdataset.Rdataset) -> Self:
        """Return the record set in a server's answer."""
        return cls(tuple(sorted(map(_canonical, rdataset))), rdataset.ttl)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Self | None:
        """Return a remembered record set; None if there was no record."""
        return None if kept is None else cls(tuple(kept["values"]), kept["ttl"])

    def rdataset(self, kind: str) -> dns.rdataset.Rdataset:
        """Return it as an rdataset of dnspython."""
        return dns.rdataset.from_text_list(dns.rdataclass.IN, dns.rdatatype.from_text(kind), self.ttl, self.values)


def shown(record_set: RecordSet | None) -> str:
    """Return a record set as messages show it."""
    return "no record" if record_set is None else f"{', '.join(record_set.values)} (ttl {record_set.ttl})"


def values_shown(text: str) -> tuple[tuple[str, ...], int] | None:
    """Return the values and the time to live of a record set that `shown` shows; None if there is none."""
    match = SHOWN.fullmatch(text)
    if match is None:
        return None
    values, are_texts = match["values"], match["values"].startswith('"')
    return tuple(BETWEEN_TEXTS.split(values) if are_texts else values.split(", ")), int(match["ttl"])


def canonical(kind: str, text: str) -> str:
    """Return a value in its canonical form; host names are absolute, with or without their last dot.

    Raises:
        ValueError: it is no value of this type.
    """
    if kind == "TXT" and not text.startswith('"'):
        text = _quoted(text)
    try:
        return _canonical(dns.rdata.from_text(dns.rdataclass.IN, kind, text, origin=dns.name.root, relativize=False))
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{text!r} is not a value of a {kind} record: {error}") from error


def canonical_name(text: str) -> str:
    """Return the name of a record, zone or server in ASCII and lower case, without its last dot.

    Raises:
        ValueError: it is no name.
    """
    try:
        return dns.name.from_text(a_labels(text)).canonicalize().to_text(omit_final_dot=True)
    except dns.exception.DNSException as error:
        raise ValueError(f"{text!r} is not a domain name: {error}") from error


def _canonical(rdata: dns.rdata.Rdata) -> str:
    wire = rdata.to_digestable(dns.name.root)
    return dns.rdata.from_wire(rdata.rdclass, rdata.rdtype, wire, 0, len(wire)).to_text()


def _naming(kind: str, text: str) -> str:
    """Return a value whose last word is the name of a host, with that name in ASCII.

    Raises:
        ValueError: that is no full name.
    """
    *before, name = text.split() or [""]
    if name == "." and kind in NO_SERVICE:
        return text
    return " ".join([*before, a_labels(full_name(name, f"the name in {kind} {text!r}"))])


def _record_name(text: str) -> str:
    name = canonical_name(full_name(text, "the record"))
    return name if "." in name else f"{name}."  # a single label is told from a relative name by its dot


def _zone_name(text: str) -> str:
    return canonical_name(full_name(text if "." in text or text == "@" else f"{text}.", "the zone"))


def _quoted(text: str) -> str:
    octets = text.encode()
    parts = [octets[start : start + LONGEST_STRING] for start in range(0, len(octets), LONGEST_STRING)] or [b""]
    return " ".join('"' + "".join(map(_escaped, part)) + '"' for part in parts)


def _escaped(octet: int) -> str:
    return chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\{octet:03}"


Name = Annotated[str, Field(min_length=1, max_length=254), AfterValidator(_record_name)]
Zone = Annotated[str, Field(min_length=1, max_length=254), AfterValidator(_zone_name)]


class Record(Model):
    """The fields of a ticket that say which record set is meant."""

    record: Name
    """The full name of the record, like `api.example.com`."""
    type: Type = "A"
    """A, AAAA, CAA, CNAME, MX, PTR, SRV or TXT."""


class RecordChange(Record):
    """The fields of a ticket that say what a record set shall be."""

    values: tuple[str, ...] = Field(min_length=1)
    """All values of the record set: addresses, full host names (with or without the last dot), or texts."""
    ttl: int | None = Field(default=None, ge=0, le=2147483647)
    """Seconds for which others may keep it; without it, as it was, or 300 where there was no record."""

    @model_validator(mode="after")
    def _values_are_of_the_type(self) -> Self:
        wanted_values(self.type, self.values)
        return self

    def wanted(self, before: RecordSet | None) -> RecordSet:
        """Return the record set to write, given the one that was there before."""
        usual = before.ttl if before else USUAL_TTL
        return RecordSet(wanted_values(self.type, self.values), usual if self.ttl is None else self.ttl)

    def conflict(self, *, now: str, ours: str, before: str) -> str:
        """Return the message for a record set that somebody else has changed in the meantime."""
        return (
            f"Somebody else has changed {self.type} {self.record}: it is {now} now, and neither {ours}, "
            f"which this change writes, nor {before}, which was there before. Nothing was overwritten. "
            "Find out who changed it, and set it by hand."
        )


def wanted_values(kind: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return the values that a ticket writes as a record set holds them; names in them are full names, in ASCII.

    Raises:
        ValueError: one of them is no value of this type, or there are two of which there can be only one.
    """
    return canonical_values(kind, [_naming(kind, value) if kind in NAMING else value for value in values])


def canonical_values(kind: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return values as a record set holds them: each once, in canonical form and order.

    Raises:
        ValueError: one of them is no value of this type, or there are two of which there can be only one.
    """
    canonical_forms = tuple(sorted({canonical(kind, value) for value in values}))
    if kind == "CNAME" and len(canonical_forms) > 1:
        raise refusal(f"a CNAME has one value, here are {len(canonical_forms)}", "Write the one.")
    return canonical_forms

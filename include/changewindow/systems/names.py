"""Names of hosts, as a ticket or a connection writes them and as DNS, TLS and HTTP want them (IDNA 2008)."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from changewindow.documents.refusal import refusal

LONGEST_LABEL, LONGEST_NAME = 63, 253


def a_labels(name: str) -> str:
    """Return a name in lower case with each label in ASCII: `straße.example` as `xn--strae-oqa.example`.

    Labels that are ASCII stay whatever they hold, such as `_acme-challenge` or `*`, and a last dot stays as well.

    Raises:
        ValueError: it has a label that no name can have.
    """
    if name.isascii():
        return name.lower()
    import idna  # noqa: PLC0415  few names need its tables

    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        labels = [label if label.isascii() else idna.alabel(label).decode() for label in mapped.split(".")]
    except UnicodeError as error:
        raise refusal(f"{name!r} is not a domain name: {error}", "Correct it, or write it in ASCII.") from error
    return ".".join(labels)


def as_server_name(host: str) -> str:
    """Return a host as TLS and SSH name it: in ASCII, without a last dot (RFC 6066, section 3) or a zone of IPv6."""
    name = a_labels(host)
    return name.partition("%")[0] if is_address(name) else name.removesuffix(".")


def is_address(text: str) -> bool:
    """Return whether it is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def host_name(text: str) -> str:
    """Return what can be a host: a name, short or full, or an address.

    Raises:
        ValueError: it is something else, such as a URL or a host with its port.
    """
    if not is_address(text):
        _require_name(text, "Write only the host, like db.example.com or 192.0.2.1.")
        if "*" in text:
            raise refusal(f"{text!r} stands for many names", "Write one of them.")
    return text


def full_name(text: str, field: str) -> str:
    """Return what can be a name in DNS, with everything after its first dot; a last dot shows a single label as whole.

    Raises:
        ValueError: it is something else, such as an address, a URL, or a name that is relative to a zone.
    """
    if text == "@":
        raise refusal(f"{field} is @, which only a zone file knows", "Write the name of the zone, like example.com.")
    if is_address(text.removesuffix(".")):
        raise refusal(f"{field} is {text}, an address where a name belongs", "Write the name, like lb.example.com.")
    _require_name(text, "Write only the name, like lb.example.com.")
    if "." not in text:
        remedy = f"Write its full name, like {text}.example.com, or {text}. with a dot if that is all of it."
        raise refusal(f"{field} is {text!r}, which is not a full name", remedy)
    return text


def _require_name(text: str, remedy: str) -> None:
    """Make sure that a text is a domain name, of which only the last label could be numeric in an address."""
    name = a_labels(text)
    labels = name.removesuffix(".").split(".")
    if "://" in text:
        raise refusal(f"{text!r} is a URL and not a name", remedy)
    if any(sign in text for sign in ":@[]") or any(sign.isspace() for sign in text):
        raise refusal(f"{text!r} is not a domain name", remedy)
    if "/" in labels[-1]:  # in others it may stand: classless delegations of reverse zones (RFC 2317)
        raise refusal(f"{text!r} is not a domain name", remedy)
    if labels[-1].isdecimal():
        raise refusal(f"{text!r} is neither a name nor an address", remedy)
    if not all(labels):
        raise refusal(f"{text!r} is not a domain name: a label is empty", remedy)
    # A code such as \032 is one character.
    if "\\" not in name and (len(name) > LONGEST_NAME + 1 or max(map(len, labels)) > LONGEST_LABEL):
        raise refusal(f"{text!r} is not a domain name: it is too long", remedy)


Host = Annotated[str, Field(min_length=1), AfterValidator(host_name)]
"""A host that is connected to: its name or address."""

"""Names of hosts: what may be written, and what goes over the wire."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.hosts.ssh import reach
from changewindow.systems.names import a_labels, as_server_name, full_name, host_name


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("Straße.example", "xn--strae-oqa.example", id="by IDNA 2008 and not 2003, which has strasse"),
        pytest.param("MÜNCHEN.example.", "xn--mnchen-3ya.example.", id="in lower case, with its last dot"),
        pytest.param("shop。bücher.example", "shop.xn--bcher-kva.example", id="the full stop of another script"),
        pytest.param("_acme.bücher.example", "_acme.xn--bcher-kva.example", id="beside an underscore"),
        pytest.param("*.API.example", "*.api.example", id="ASCII stays whatever it is"),
        pytest.param("xn--bcher-kva.example", "xn--bcher-kva.example", id="what is converted already"),
    ],
)
def test_labels_in_ascii(written: str, expected: str) -> None:
    """Each label by itself."""
    assert a_labels(written) == expected
    assert a_labels(expected) == expected


@pytest.mark.parametrize("written", ["☃.example", "a\u200d.example", "ü" * 64, "xn--ü.example"])
def test_what_no_label_can_hold(written: str) -> None:
    """It is refused, and not sent as something else."""
    with pytest.raises(PydanticCustomError, match="is not a domain name"):
        a_labels(written)


@pytest.mark.parametrize(
    "written",
    ["db", "db_1", "api.example.com", "api.example.com.", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "bücher.example"],
)
def test_hosts(written: str) -> None:
    """Short names and addresses are hosts too; they stay as they are written."""
    assert host_name(written) == written


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("https://api.example.com/", "is a URL and not a name. Write only the host"),
        ("api.example.com:443", "is not a domain name. Write only the host"),
        ("alice@api.example.com", "is not a domain name"),
        ("api.example.com/health", "is not a domain name"),
        ("[2001:db8::1]", "is not a domain name"),
        ("api example", "is not a domain name"),
        ("a..b", "a label is empty"),
        (".example.com", "a label is empty"),
        ("x" * 64, "too long"),
        ("192.0.2.300", "is neither a name nor an address"),
        ("10.1", "is neither a name nor an address"),
        ("*.example.com", "stands for many names. Write one of them."),
    ],
)
def test_what_is_no_host(written: str, says: str) -> None:
    """Whoever would connect to it connects to nothing, or elsewhere."""
    with pytest.raises(PydanticCustomError) as raised:
        host_name(written)
    assert says in raised.value.message()


def test_full_names() -> None:
    """A reverse zone that is delegated in parts has a slash in its names (RFC 2317)."""
    for written in ("lb.example.com", "internal.", "_sip._tcp.example.com", "1.0/26.2.0.192.in-addr.arpa"):
        assert full_name(written, "it") == written


def test_a_server_is_named_without_the_last_dot() -> None:
    """RFC 6066, section 3; and no `known_hosts` has it."""
    assert as_server_name("API.example.com.") == "api.example.com"


def test_the_host_of_a_connection(tmp_path: Path) -> None:
    """In addresses for HTTP and databases, and for SSH."""
    shop = Connection("shop", "ssh", host="Bücher.example.", login="alice")
    assert shop.base_url == "http://xn--bcher-kva.example."
    assert replace(shop, host="https://bücher.example:8443/api").base_url == "https://xn--bcher-kva.example:8443/api"
    assert shop.address == "xn--bcher-kva.example."
    known = reach(replace(shop, extra={"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"}), tmp_path)
    assert known.arguments[-1] == "xn--bcher-kva.example"
    assert (tmp_path / "known_hosts").read_text().startswith("xn--bcher-kva.example,")


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("::1", 8080, "http://[::1]:8080"),
        ("2001:db8::1", None, "http://[2001:db8::1]"),
        ("https://2001:db8::1/api", 8443, "https://[2001:db8::1]:8443/api"),
        ("fe80::1%eth0", 80, "http://[fe80::1%25eth0]:80"),
        ("[::1]:8080", None, "http://[::1]:8080"),
        ("[::1]", 8080, "http://[::1]:8080"),
        ("192.0.2.1", 8080, "http://192.0.2.1:8080"),
        ("shop:8080", 8080, "http://shop:8080"),
        ("bücher.example:8080", None, "http://xn--bcher-kva.example:8080"),
    ],
)
def test_the_address_of_a_connection(host: str, port: int | None, address: str) -> None:
    """That of IPv6 stands in brackets, its zone with an escaped sign, and there is one port."""
    assert Connection("shop", "http", host=host, port=port).base_url == address


def test_a_connection_with_two_ports() -> None:
    """Nobody guesses which of them is meant."""
    with pytest.raises(UnusableConnection, match="'shop' has no single port: its host says 8080, its port 9090"):
        _ = Connection("shop", "http", host="shop:8080", port=9090).base_url


def test_an_address_is_named_without_its_zone() -> None:
    """The zone says by which interface it is reached from here, and stands in no certificate."""
    assert as_server_name("FE80::1%eth0") == "fe80::1"


def test_a_connection_whose_host_can_be_no_name() -> None:
    """It says which, and why."""
    with pytest.raises(UnusableConnection, match=r"'shop' has no host that can be one: '☃' is not a domain name"):
        _ = Connection("shop", "http", host="☃").base_url

"""A real BIND: a primary and a secondary server of one zone, on one free port of 127.0.0.1 and 127.0.0.2.

BIND listens on addresses of interfaces only, so the secondary stands behind a relay, as if behind an anycast address.
"""

import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.message
import dns.query
import dns.tsigkeyring
import dns.update

from changewindow.cli.airflow_api import wait_for
from step_fixtures import need
from support.ports import free_port

ZONE = "example.com"
KEY, SECRET = "change-windows", "czNjcmV0LW9mLXRoZS10c2lnLWtleQ=="
PRIMARY, SECONDARY = "127.0.0.1", "127.0.0.2"
RECORDS = """$TTL 300
@ IN SOA ns1 root 1 1 1 86400 60
@ IN NS ns1
@ IN NS ns2
ns1 IN A 127.0.0.1
ns2 IN A 127.0.0.2
api IN A 192.0.2.10
www IN CNAME api
note 60 IN TXT "first" "second"
ns1.elsewhere IN A 192.0.2.1
lame IN NS ns1.elsewhere
*.wild IN A 192.0.2.77
both IN A 127.0.0.1
both IN AAAA ::1
"""
CONFIGURATION = """
options {{
  directory "{folder}"; pid-file none; session-keyfile none; managed-keys-directory "{folder}";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify explicit; notify-delay 0;
}};
controls {{ }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
key "other" {{ algorithm hmac-sha256; secret "{secret}"; }};
"""
PRIMARY_ZONE = """zone "{zone}" {{ type primary; file "zone"; also-notify {{ 127.0.0.1 port {other}; }};
  update-policy {{ grant {key} zonesub ANY; }}; }};
"""
SECONDARY_ZONE = """zone "{zone}" {{ type secondary; file "zone"; primaries {{ 127.0.0.1 port {other}; }}; }};
"""


@dataclass
class Bind:
    """The two servers, and who can be stopped."""

    port: int
    processes: dict[str, "subprocess.Popen[bytes]"]

    def pause(self, address: str) -> None:
        """Let a server answer no more, for the time being; each of its threads stops when it gets its turn."""
        self.processes[address].send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.processes[address].pid}/task").glob("*/stat")
        for thread in threads:
            wait_for(lambda thread=thread: thread.read_text().rpartition(") ")[2][0] == "T", "named to stop", 20, 0.01)

    def resume(self, address: str) -> None:
        """Let it go on."""
        self.processes[address].send_signal(signal.SIGCONT)

    def set(self, name: str, ttl: int, kind: str, *values: str) -> None:
        """Let the primary have a record set, as whoever has the key may."""
        update = dns.update.UpdateMessage(ZONE, keyring=dns.tsigkeyring.from_text({KEY: SECRET}))
        update.replace(name, ttl, kind, *values)
        dns.query.tcp(update, PRIMARY, port=self.port, timeout=5)

    def ask(self, record: str, kind: str, address: str = PRIMARY, *, patience: float = 2.0) -> list[str]:
        """Return the lines of a record set as a server answers it."""
        reply = dns.query.udp(dns.message.make_query(record, kind), address, port=self.port, timeout=patience)
        return sorted(line for rrset in reply.answer for line in rrset.to_text().splitlines())


@contextmanager
def bind(folder: Path) -> Iterator[Bind]:
    """Serve the zone `example.com`, which takes updates signed by one key, until the end of the block."""
    need("named")
    port, behind = free_port(), free_port()
    with ExitStack() as running:
        made = Bind(port, {})
        running.enter_context(_relay((SECONDARY, port), ("127.0.0.1", behind)))
        places = ((PRIMARY, PRIMARY_ZONE, port, behind), (SECONDARY, SECONDARY_ZONE, behind, port))
        for address, zone, own, other in places:
            text = (CONFIGURATION + zone).format(
                folder=folder / address, port=own, other=other, zone=ZONE, key=KEY, secret=SECRET
            )
            made.processes[address] = running.enter_context(_named(folder / address, text))
            _wait(made, address)
        yield made


@contextmanager
def resolving(made: Bind) -> Iterator[None]:
    """Let this process resolve names with the primary server."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [PRIMARY], made.port
    before, dns.asyncresolver.default_resolver = dns.asyncresolver.default_resolver, resolver
    yield
    dns.asyncresolver.default_resolver = before


@contextmanager
def _named(folder: Path, configuration: str) -> "Iterator[subprocess.Popen[bytes]]":
    folder.mkdir(parents=True)
    if "type primary" in configuration:
        (folder / "zone").write_text(RECORDS)
    (folder / "named.conf").write_text(configuration)
    with (folder / "log").open("wb") as log:
        command = ["named", "-g", "-n", "1", "-c", str(folder / "named.conf")]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _relay(here: tuple[str, int], there: tuple[str, int]) -> Iterator[None]:
    """Pass queries on and answers back."""

    class Query(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, answering = self.request
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
                asking.settimeout(5)
                asking.sendto(query, there)
                answering.sendto(asking.recv(65535), self.client_address)

    with socketserver.ThreadingUDPServer(here, Query) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def _wait(made: Bind, address: str) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and made.processes[address].poll() is None:
        try:
            if made.ask(f"api.{ZONE}", "A", address, patience=0.1):
                return
        except (dns.exception.DNSException, OSError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"named at {address} does not serve {ZONE}; its log lies in the folder of the test")

"""Answers: whatever a measured service sends, it is a reading with a verdict, in time, and small enough to be kept.

What each source is really answered is recorded once, from the fixtures of the tests; then variants of it are sent.
Left out are `tcp`, which reads nothing, and `staging`, which reads the ledger.
"""

import asyncio
import json
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import dns.message
import dns.rrset
import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import Certificate, load_der_x509_certificate

from changewindow.sources import journal, tls
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext, SourceError
from changewindow.watch.baseline import Seen
from changewindow.watch.condition import Condition
from changewindow.watch.reading import take
from changewindow.watch.shared_answers import client
from fuzz.guarded import Wrong, sent
from fuzz.mutation import SCALARS, as_json, mutated, mutated_data
from support.certificates import certificate
from support.recording_server import Reply, Request, recording_server
from support.web import WEB

SERVED = (
    *("alertmanager", "backup_age", "grafana", "http", "incidents", "kubernetes_logs", "kubernetes_pods"),
    *("on_call", "openmetrics", "prometheus", "review"),
)
QUICK = tuple(kind for kind in SERVED if kind not in {"openmetrics", "kubernetes_logs"})
HERE = ("dns", "journal", "sql", "command", "tls")
STATUSES = (200, 200, 200, 200, 200, 204, 206, 301, 304, 400, 401, 403, 404, 409, 429, 500, 503, 599)
HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Link",
    "Retry-After",
    "Date",
    "Last-Modified",
    "Age",
    "ETag",
    "X-Next-Page",
)
QUERIES = (
    *(
        "select 1e999",
        "select x'ff'",
        "select null",
        "select 1, 2",
        "select 1 union select 2",
        "select ''",
        "select 'a' || char(0)",
    ),
    *(
        "select zeroblob(100000000)",
        "select replace(hex(zeroblob(50000)), '0', 'a')",
        "select 9223372036854775807",
        "x",
        "",
        ";",
        "select",
    ),
    *(
        "select -0.0",
        "select 'CHG-1042'",
        "with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) from n",
    ),
)
LONGEST = 40_000
"""Characters that a reading may have in an event."""
Recorded = dict[str, Reply]


class Case(NamedTuple):
    """A source, and the random numbers by which its answers are changed."""

    kind: str
    seed: int


@dataclass
class Asked:
    """A source that is asked over HTTP."""

    source: dict[str, Any]
    good: dict[str, Any]
    connections: dict[str, Connection]
    recorded: Recorded = field(default_factory=dict)


class Journal(journal.Source):
    """A journal of which journalctl prints something else."""

    printed: bytes = b""

    async def _read(self, *asked: str) -> bytes:
        return self.printed


class Tls(tls.Source):
    """A server that shows another certificate."""

    shown: bytes = b""

    async def _certificate(self, context: Any) -> Certificate:
        try:
            return load_der_x509_certificate(self.shown)
        except ValueError as error:
            raise SourceError("invalid", str(error)) from error


class Answers:
    """What every kind of source makes of answers."""

    name = "answers"

    def __init__(self, folder: Path) -> None:
        self.folder, self.stack = folder, ExitStack()
        self.random = Random(0)  # noqa: S311  nothing is hidden by them
        self.now: Asked | None = None
        self.upstream = ""
        self.server = self.stack.enter_context(recording_server(self._reply))
        self.loop = asyncio.new_event_loop()
        self.http = self.loop.run_until_complete(_client(self.stack))
        self.asked = {kind: self._recorded(kind) for kind in SERVED}
        key = certificate("api", names=("api.example.com", "192.0.2.1"), days=30)
        self.der = key.certificate.public_bytes(serialization.Encoding.DER)
        self.port, self.reply = self.loop.run_until_complete(_name_server(self))

    def case(self, random: Random) -> Case:
        """Return a source, and what it is answered."""
        return Case(random.choice((*QUICK * 6, *SERVED, *HERE)), random.randrange(2**60))

    def try_out(self, case: Case) -> None:
        """Ask it twice."""
        self.random = Random(case.seed)  # noqa: S311  same
        source, connections = self._source(case.kind)
        is_data = isinstance(source, dict)
        asked = source if is_data else import_module(f"changewindow.sources.{case.kind}").EXAMPLE
        condition = _condition(asked, self.asked[case.kind].good if case.kind in self.asked else None)
        if not is_data:
            condition = condition.model_copy(update={"source": source})
        self.loop.run_until_complete(self._readings(condition, connections))

    async def _readings(self, condition: Condition, connections: dict[str, Connection], times: int = 2) -> list[str]:
        async def connect(name: str) -> Connection:
            return connections[name]

        since = datetime.now(UTC) - timedelta(minutes=5)
        context = SourceContext(self.http, connect, change="CHG-1042", since=since)
        lines = []
        for _ in range(times):
            reading = await take(condition, context, Seen())
            text = sent(reading.as_json()) + sent(context.kept)
            reading.line().encode()
            if len(text) > LONGEST + 2_000_000 * bool(context.kept) or reading.verdict not in {
                "pass",
                "fail",
                "inconclusive",
                "error",
            }:
                raise Wrong(f"a reading of {len(text)} characters, {reading.verdict}")
            lines.append(reading.line())
        return lines

    def _source(self, kind: str) -> tuple[Any, dict[str, Connection]]:
        if kind in self.asked:
            self.now = self.asked[kind]
            return self.now.source, self.now.connections
        module = import_module(f"changewindow.sources.{kind}")
        if kind == "dns":
            wanted = {
                "record": "api.example.com",
                "type": self.random.choice(("A", "TXT", "CNAME", "CAA", "SRV", "MX")),
                "read": "text",
            }
            return {"kind": "dns", **wanted, "servers": [f"127.0.0.1:{self.port}"]}, {}
        if kind == "sql":
            database = Connection("example_orders", "sqlite", host=str(self.folder / "orders.db"))
            return {**module.EXAMPLE, "query": self.random.choice(QUERIES) or " ", "timeout": "1s"}, {
                database.name: database
            }
        if kind == "command":
            (self.folder / "printed").write_bytes(mutated(self.random, [b"42\n", b"0.1 0.2 0.3\n", b"nan", b"1e5"]))
            return {"kind": "command", "run": ["cat", str(self.folder / "printed")], "read": "output"}, {}
        if kind == "tls":
            read = self.random.choice(("days_left", "issuer", "names", "fingerprint"))
            return Tls(**{**module.EXAMPLE, "read": read}, shown=mutated(self.random, [self.der])), {}
        entry = {"__REALTIME_TIMESTAMP": str(int(datetime.now(UTC).timestamp() * 1e6)), "MESSAGE": "pool exhausted"}
        printed = b"\n".join(self._changed(as_json(entry).encode()) for _ in range(self.random.choice((1, 2, 50))))
        return Journal(**{**module.EXAMPLE, "matching": "pool"}, printed=printed), {}

    def _recorded(self, kind: str) -> Asked:
        """Ask the real one, or what stands in for it in the tests, and keep what it answers."""
        folder = self.folder / kind
        folder.mkdir()
        with import_module(f"source_fixtures.{kind}").place(folder) as place:
            asked = Asked(place.source, place.good, {known.name: self._led_here(known) for known in place.connections})
            self.now = asked
            condition = _condition(asked.source, asked.good, "30s")
            for _ in range(5):  # the first one may be late: libraries are imported on the way
                lines = self.loop.run_until_complete(self._readings(condition, asked.connections, place.readings))
                if not lines[-1].startswith("ERROR"):
                    break
            self.upstream = ""
        if lines[-1].startswith("ERROR") or not asked.recorded:
            raise Wrong(f"{kind} was to be recorded: {lines[-1]}")
        return asked

    def _led_here(self, known: Connection) -> Connection:
        if "kube_config" in known.extra:
            extra = deepcopy(known.extra)
            cluster = extra["kube_config"]["clusters"][0]["cluster"]
            self.upstream, cluster["server"] = cluster["server"], self.server.url
            return replace(known, extra=extra)
        self.upstream = known.base_url
        return replace(known, host=self.server.url)

    def _reply(self, request: Request) -> Reply:
        self.server.requests.clear()
        asked = self.now
        assert asked
        if self.upstream:
            url = f"{self.upstream}{request.target}"
            sent_on = {
                name: value
                for name, value in request.headers.items()
                if name.lower() not in {"host", "accept-encoding"}
            }
            true = WEB.request(request.method, url, headers=sent_on, content=request.body, timeout=10)
            kept = {
                name: value for name, value in true.headers.items() if name in {"content-type", "last-modified", "link"}
            }
            length = int(true.headers.get("content-length", 0)) if request.method == "HEAD" else None
            asked.recorded[request.path] = Reply(true.status_code, true.content, kept, length)
            return asked.recorded[request.path]
        recorded = asked.recorded.get(request.path) or self.random.choice(list(asked.recorded.values()))
        if self.random.random() < 0.3:
            return recorded
        return self._variant(recorded)

    def _variant(self, recorded: Reply) -> Reply:
        assert isinstance(recorded.body, bytes)
        headers = dict(recorded.headers)
        if self.random.random() < 0.3:
            value = str(self.random.choice((*SCALARS, "gzip", "br", "deflate", '<http://127.0.0.1:1/>; rel="next"')))
            headers[self.random.choice(HEADERS)] = (
                value.encode("latin-1", "ignore").decode("latin-1").translate(dict.fromkeys(range(32)))[:500]
            )
        status = self.random.choice(STATUSES) if self.random.random() < 0.2 else recorded.status
        length = self.random.choice((recorded.length,) * 30 + (0, 10**12))
        return Reply(status, self._changed(recorded.body), headers, length, is_lost=self.random.random() < 0.01)

    def _changed(self, body: bytes) -> bytes:
        try:
            data = json.loads(body)
        except ValueError:
            return mutated(self.random, [body])
        if self.random.random() < 0.25:
            return mutated(self.random, [body])
        return as_json(mutated_data(self.random, data)).encode(errors="surrogatepass")


def _condition(source: dict[str, Any], good: dict[str, Any] | None = None, timeout: str = "2s") -> Condition:
    limits = good or {"equals": 1}
    return Condition.model_validate({"name": "it", "source": source, "pass": limits, "timeout": timeout})


async def _client(stack: ExitStack) -> httpx.AsyncClient:
    made = client()
    http = await made.__aenter__()
    stack.callback(lambda: made)
    return http


class _Names(asyncio.DatagramProtocol):
    """A name server that answers something else."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep by what is answered."""
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Answer a question, wrongly."""
        try:
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            reply.flags |= 0x0400
            texts = {
                "A": "192.0.2.20",
                "TXT": '"a" "b"',
                "CNAME": "x.example.com.",
                "CAA": '0 issue "ca"',
                "SRV": "1 1 1 x.",
                "MX": "1 x.",
            }
            kind = dns.rdatatype.to_text(query.question[0].rdtype)
            reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", kind, texts[kind]))
            wire = reply.to_wire()
        except (dns.exception.DNSException, KeyError):
            return
        changed = mutated(self.answers.random, [wire])[:60_000]
        self.transport.sendto(wire[:2] + changed[2:] if len(changed) > 2 else changed, address)  # type: ignore[attr-defined]


async def _name_server(answers: Answers) -> tuple[int, Any]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Names(answers), ("127.0.0.1", 0))
    return transport.get_extra_info("sockname")[1], transport

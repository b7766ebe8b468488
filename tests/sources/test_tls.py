"""The source tls, against servers with certificates of every sort."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources.tls import Source
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.watch.shared_answers import client
from support.certificates import Signed, certificate, serving

HERE = ("api.example.com", "127.0.0.1")
ROOT = certificate("Our Root")
GOOD = certificate("api", ROOT, names=HERE)
EXPIRED = certificate("api", ROOT, names=HERE, days=-2)
ELSEWHERE = certificate("api", ROOT, names=("other.example.com",))
SELF_SIGNED = certificate("api", names=HERE)
FOREIGN = certificate("api", certificate("Another Root"), names=HERE)


async def ask(port: int, folder: Path, **fields: Any) -> Answer:
    """Return the answer of the source."""
    root = ROOT.write(folder / "root.pem")
    asked = {"host": "127.0.0.1", "name": "api.example.com", "ca_file": str(root), **fields}
    async with client() as http:
        return await Source.model_validate({"port": port, **asked}).ask(SourceContext(http, None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("served", "days", "reason"),
    [
        pytest.param(GOOD, 30, "", id="good"),
        pytest.param(EXPIRED, -2, "certificate has expired", id="expired"),
        pytest.param(ELSEWHERE, 30, "Hostname mismatch, certificate is not valid for 'api.example.com'.", id="name"),
        pytest.param(SELF_SIGNED, 30, "self-signed certificate", id="self-signed"),
        pytest.param(FOREIGN, 30, "unable to get local issuer certificate", id="of an unknown root"),
    ],
)
async def test_validity_has_a_reason_and_days_left_do_not_depend_on_it(
    served: Signed, days: float, reason: str, tmp_path: Path
) -> None:
    """Whether a client may trust it is one question, how long it lasts another."""
    async with serving(served, tmp_path) as port:
        valid = await ask(port, tmp_path, read="valid")
        left = await ask(port, tmp_path, read="days_left")
    assert (valid.value, valid.query) == (
        not reason,
        f"TLS 127.0.0.1:{port} as api.example.com{': ' if reason else ''}{reason}",
    )
    assert left.value == pytest.approx(days, abs=0.01)


async def test_who_made_it_for_whom(tmp_path: Path) -> None:
    """Issuer, names and fingerprint are texts."""
    async with serving(GOOD, tmp_path) as port:
        values = {read: (await ask(port, tmp_path, read=read)).value for read in ("issuer", "names", "fingerprint")}
    assert values["issuer"] == "CN=Our Root"
    assert values["names"] == "api.example.com 127.0.0.1"
    assert len(str(values["fingerprint"])) == 64


async def test_an_address_is_a_name_too(tmp_path: Path) -> None:
    """Without `name`, the certificate must be made for the host."""
    async with serving(GOOD, tmp_path) as port:
        assert (await ask(port, tmp_path, read="valid", name="")).value is True


async def test_a_certificate_without_names(tmp_path: Path) -> None:
    """It has no names to read, which is no data."""
    async with serving(ROOT, tmp_path) as port:
        with pytest.raises(SourceError, match="made for no name") as raised:
            await ask(port, tmp_path, read="names")
    assert raised.value.cause == "no_data"


@pytest.mark.parametrize("read", ["valid", "days_left"])
async def test_a_server_that_speaks_no_tls(tmp_path: Path, read: str) -> None:
    """Garbage is invalid; silence and a closed port are unreachable."""

    async def garbage(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(garbage, "127.0.0.1", 0) as server:
        with pytest.raises(
            SourceError, match=r"does not agree on TLS: .*no TLS at this port, or only after START"
        ) as raised:
            await ask(server.sockets[0].getsockname()[1], tmp_path, read=read)
        assert raised.value.cause == "invalid"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (silent.getsockname()[1], 1):
            with pytest.raises(SourceError, match="does not connect") as raised:
                await ask(port, tmp_path, read=read, within="200ms")
            assert raised.value.cause == "unreachable"


async def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    """That is another trouble than silence."""
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        with pytest.raises(SourceError, match="does not connect: it hung up while shaking hands") as raised:
            await ask(server.sockets[0].getsockname()[1], tmp_path)
    assert raised.value.cause == "unreachable"


async def test_root_certificates_that_are_not_there(tmp_path: Path) -> None:
    """Nothing is trusted instead."""
    async with serving(GOOD, tmp_path) as port:
        with pytest.raises(SourceError, match=r"the root certificates in /nowhere\.pem cannot be read"):
            await ask(port, tmp_path, read="valid", ca_file="/nowhere.pem")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        pytest.param("api.example.com.", "api.example.com", id="without the last dot (RFC 6066, section 3)"),
        pytest.param("API.Example.com", "api.example.com", id="in lower case"),
        pytest.param("Straße.example", "xn--strae-oqa.example", id="in ASCII, by IDNA 2008"),
    ],
)
@pytest.mark.parametrize("field", ["name", "host"])
async def test_the_name_that_is_asked_for(
    written: str, sent: str, field: str, *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server tells its sites apart by it, so it has to be spelt as they spell it."""
    names: list[str | None] = []
    signed = certificate("api", ROOT, names=(sent,))
    loop, real = asyncio.get_running_loop(), asyncio.get_running_loop().getaddrinfo

    async def here(_: str, port: int, **options: Any) -> Any:
        return await real("127.0.0.1", port, **options)

    if field == "host":
        monkeypatch.setattr(loop, "getaddrinfo", here)
    async with serving(signed, tmp_path, names) as port:
        answer = await ask(port, tmp_path, read="valid", **{"name": "", field: written})
    assert (answer.value, names) == (True, [sent])


@pytest.mark.parametrize("fields", [{"host": "https://api.example.com"}, {"name": "api.example.com:443"}])
def test_a_host_that_is_no_name(fields: dict[str, str]) -> None:
    """It is found when the ticket is read."""
    with pytest.raises(ValidationError, match=r"Write only the host, like db\.example\.com"):
        Source.model_validate({"host": "127.0.0.1", **fields})

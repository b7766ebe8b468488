"""Reads the certificate that a name shows at each of its addresses, and says which of them differ."""

import asyncio
import errno
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from changewindow.systems.measurement import SourceError
from changewindow.systems.served_certificate import TlsServer, trusting

NAMED = 20
"""Names of a certificate that are shown."""
SHOWN = 4
"""Fingerprints and differing addresses of one name that are shown; of more, how many there are."""
NOT_FROM_HERE = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""How a machine says that it has no network of a family of addresses, such as IPv6."""


@dataclass(frozen=True)
class Shown:
    """What a name shows, at least at one address."""

    certificates: Mapping[str, x509.Certificate]
    """By the address that was asked; by an empty text where the name was."""
    failed: Mapping[str, SourceError]
    """Addresses that show none."""
    not_asked: int
    """How many more addresses the name has."""

    @cached_property
    def _ranked(self) -> list[str]:
        """Return the fingerprints, that which most addresses show first."""
        counted = Counter(map(fingerprint, self.certificates.values()))
        return sorted(counted, key=lambda each: (-counted[each], each))

    @property
    def differing(self) -> list[str]:
        """Return the addresses that show another certificate than most do."""
        return [at for at, certificate in self.certificates.items() if fingerprint(certificate) != self._ranked[0]]

    def is_part_of(self, state: str) -> bool:
        """Return whether every certificate that is shown stands in an earlier state."""
        return all(f"fingerprint {each}" in state.splitlines() for each in self._ranked)

    @property
    def state(self) -> str:
        """Return what is compared from look to look: a line for each certificate, who differs, and what most show."""
        by_print = {fingerprint(certificate): certificate for certificate in self.certificates.values()}
        others = (f"at {at} fingerprint {fingerprint(self.certificates[at])[:16]}" for at in self.differing)
        described = [line for each in self._ranked[:2] for line in _described(by_print[each])]
        return "\n".join([*_few(f"fingerprint {each}" for each in self._ranked), *_few(others), *described])


async def shown_by(server: TlsServer, within: float, most: int) -> Shown:
    """Return what a server shows at each of its addresses, of which so many are asked, all at the same time.

    A family of addresses for which this machine has no network is left out, as long as another one answers.

    Raises:
        SourceError: no address shows any.
    """
    try:
        addresses = await asyncio.wait_for(server.addresses(), within)
    except TimeoutError as error:
        raise SourceError("unreachable", f"{server} does not connect: no answer of DNS in time") from error
    asked = addresses[:most] or ("",)
    answers = await asyncio.gather(*(_certificate(server, within, address) for address in asked))
    given = dict(zip(asked, answers, strict=True))
    failed = {at: answer for at, answer in given.items() if isinstance(answer, SourceError)}
    certificates = {at: answer for at, answer in given.items() if isinstance(answer, x509.Certificate)}
    if not certificates:
        raise next(iter(failed.values()))
    reached = {at: error for at, error in failed.items() if not _is_not_from_here(error)}
    return Shown(certificates, reached, max(len(addresses) - most, 0))


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


async def _certificate(server: TlsServer, within: float, address: str) -> x509.Certificate | SourceError:
    try:
        return await server.certificate(trusting(), within, at=address)
    except SourceError as error:
        return error


def _is_not_from_here(error: SourceError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in NOT_FROM_HERE


def _few(lines: Iterable[str]) -> list[str]:
    listed = list(lines)
    return [*listed[:SHOWN], *([f"and {len(listed) - SHOWN} more"] if len(listed) > SHOWN else [])]


def _described(certificate: x509.Certificate) -> tuple[str, ...]:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return (
        f"issuer {_issuer(certificate)}",
        f"valid {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC",
        f"names {_names(certificate)}",
    )


def _issuer(certificate: x509.Certificate) -> str:
    try:
        return certificate.issuer.rfc4514_string()[:200]
    except ValueError:
        return "that cannot be read"


def _names(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "none"
    except ValueError:
        return "that cannot be read"
    texts = [str(name.value) for name in names]
    more = [f"and {len(texts) - NAMED} more"] if len(texts) > NAMED else []
    return " ".join([*texts[:NAMED], *more])

"""Signs updates of DNS zones with the TSIG key of an Airflow Connection, sends them, and explains refusals."""

from contextlib import suppress

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.dns.servers import UNREACHABLE, Server

PATIENCE = 10.0
"""Seconds to wait for the reply to an update."""
CHANGED = {dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN}
ALGORITHMS = sorted(str(name).lower() for name in dns.tsig.mac_sizes if name != dns.tsig.GSS_TSIG)
KEYS = {
    dns.tsig.PeerBadKey: "does not know the key {key} (BADKEY). Correct the connection's login, or extra `algorithm`",
    dns.tsig.PeerBadSignature: "does not accept the signature of the key {key} (BADSIG). Correct the connection's "
    "password, or extra `algorithm`",
    dns.tsig.PeerBadTime: "says that this machine's clock or its own is wrong (BADTIME). Set both clocks right",
}
REFUSALS = {
    dns.rcode.REFUSED: "refuses updates of {zone} by the key {key} (REFUSED). Allow that key this record in its update "
    "policy, or see in its log why not",
    dns.rcode.NOTAUTH: "is not authoritative for a zone {zone} (NOTAUTH). Correct `zone`, or the connection's host",
    dns.rcode.NOTZONE: "says that the record is not within the zone {zone} (NOTZONE). Correct `zone`",
    dns.rcode.NOTIMP: "takes no dynamic updates (NOTIMP). Correct the connection's host",
    dns.rcode.SERVFAIL: "failed at the update of {zone} (SERVFAIL). Its log says why",
}


def updating(zone: str, connection: Connection) -> dns.update.UpdateMessage:
    """Return an update that changes nothing yet, signed if the connection has a key.

    Raises:
        UnusableConnection: its login and password are not a TSIG key.
    """
    update = dns.update.UpdateMessage(zone)
    if connection.login:
        update.use_tsig(_key(connection))
    return update


def send(update: dns.update.UpdateMessage, server: Server, connection: Connection) -> dns.rcode.Rcode:
    """Return the server's reply to an update: done, or one of `CHANGED`.

    Raises:
        StepFailed: the server refused the update, or gave no reply.
    """
    key, zone = connection.login or "(none)", update.zone[0].name.to_text(omit_final_dot=True)
    try:
        reply = _reply(update, server)
    except tuple(KEYS) as error:
        raise StepFailed(f"{server.name} {KEYS[type(error)].format(key=key)}.") from error
    except (dns.exception.DNSException, OSError, EOFError) as error:
        reason = f"{type(error).__name__} {error}".rstrip()
        raise StepFailed(f"{server.name} gave no valid reply to the update ({reason}). Is it up?") from error
    code = reply.rcode()
    if code not in {dns.rcode.NOERROR, *CHANGED}:
        reason = REFUSALS.get(code, "refused the update ({code})")
        raise StepFailed(f"{server.name} {reason.format(zone=zone, key=key, code=dns.rcode.to_text(code))}.")
    return code


def _key(connection: Connection) -> dns.tsig.Key:
    """Return the TSIG key of a connection."""
    algorithm = str(connection.extra.get("algorithm", "hmac-sha256"))
    if f"{algorithm}.".lower() not in ALGORITHMS:
        known = ", ".join(algorithm.rstrip(".") for algorithm in ALGORITHMS)
        raise UnusableConnection(connection.name, f"extra `algorithm` that is known: {known}")
    try:
        return dns.tsig.Key(connection.login, connection.password, algorithm)
    except dns.exception.DNSException as error:
        raise UnusableConnection(connection.name, "login that is the name of a TSIG key") from error
    except ValueError as error:
        raise UnusableConnection(connection.name, "password that is a TSIG secret (base64)") from error


def _reply(update: dns.update.UpdateMessage, server: Server) -> dns.message.Message:
    """Send an update to the first address that answers; its prerequisites keep it from being applied twice."""
    *others, last = server.addresses
    for where in others:
        with suppress(*UNREACHABLE):
            return dns.query.tcp(update, where, timeout=PATIENCE, port=server.port)
    return dns.query.tcp(update, last, timeout=PATIENCE, port=server.port)

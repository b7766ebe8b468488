"""Asks collectors what they have not told yet, so that what each has kept stays comparable when the key is changed."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from changewindow.changes.gathering import Look, Surroundings, gather
from changewindow.changes.kept import keep, kept_in
from changewindow.collectors.base import CollectorBase
from changewindow.ledger import looks
from changewindow.ledger.seal import Seal
from changewindow.policy.expected import Expected
from changewindow.systems.collection import Span
from changewindow.systems.measurement import Connections

LIMIT = 120.0
"""Seconds that all collectors together have."""
Keys = Mapping[str, bytes]
"""The keys of fingerprints by the ids of the keys of the seals that make them, the newest first."""


@dataclass(frozen=True)
class Asked:
    """What is looked at in a pass, and with what."""

    collectors: Mapping[str, CollectorBase]
    connections: Connections
    folder: Path
    expected: Mapping[str, Expected] = field(default_factory=dict)
    limit: float = LIMIT


@dataclass(frozen=True)
class Answered:
    """What a collector has answered, and what it keeps for the next pass."""

    look: Look
    key: str
    """The id of the key of what it keeps."""
    kept: dict[str, Any]
    by_new_key: Look | None = None
    """The same time, seen with the key that counts from now on."""


def keys_of(seal: Seal) -> Keys:
    """Return the keys of fingerprints that the known keys of the seals make.

    Raises:
        SealKeyMissing: there is none.
    """
    return {name: seal.of("key of fingerprints", "collectors", key=name).encode() for name in seal.keys}


def ask(asked: Asked, spans: Mapping[str, Span], before: Mapping[str, looks.Look], keys: Keys) -> dict[str, Answered]:
    """Ask each collector for its span, with the key that it used before.

    Where a newer key seals now, fingerprints by it would make all objects look changed. Such a collector is asked once
    more, and first, with the new key: what it keeps then is what the next pass compares with, and nothing is missed.
    """
    newest = next(iter(keys))
    used = {name: _key_of(before.get(name), keys) for name in spans}
    anew = _looked(asked, {name: span for name, span in spans.items() if used[name] != newest}, keys[newest])
    for name, earlier in before.items():
        if name in spans:
            keep(asked.folder / name, earlier.state.get("kept", {}) if earlier.key in keys else {}, keys[used[name]])
    answered: dict[str, Answered] = {}
    for key in {*used.values()}:
        of_key = {name: span for name, span in spans.items() if used[name] == key}
        for name, look in _looked(asked, of_key, keys[key]).items():
            again = anew.get(name)
            is_moved = again is not None and again.collected is not None and look.collected is not None
            counts = newest if is_moved else key
            kept = kept_in(asked.folder / name, keys[counts])
            answered[name] = Answered(look, counts, kept, again if is_moved else None)
    return answered


def _key_of(look: looks.Look | None, keys: Keys) -> str:
    return look.key if look is not None and look.key in keys else next(iter(keys))


def _looked(asked: Asked, spans: Mapping[str, Span], key: bytes) -> dict[str, Look]:
    """Ask all at once; those that were blind are asked for a longer time than the others."""
    if not spans:
        return {}
    using = Surroundings(asked.connections, asked.folder, key)
    groups = {
        span: {name: asked.collectors[name] for name in spans if spans[name] == span} for span in {*spans.values()}
    }
    with ThreadPoolExecutor(len(groups)) as pool:
        answers = [pool.submit(gather, of_span, span, using, limit=asked.limit) for span, of_span in groups.items()]
        return {look.name: look for answer in answers for look in answer.result()}

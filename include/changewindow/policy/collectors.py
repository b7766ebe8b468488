"""Which collectors are asked what changed. A mistake here stops no change: whoever asks is told of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from changewindow.collectors.base import CollectorBase
from changewindow.documents.findings import Finding
from changewindow.documents.model_file import read_model
from changewindow.documents.text import hint
from changewindow.documents.types import Model, Name
from changewindow.documents.yaml import parse, read_file
from changewindow.errors import PlatformError
from changewindow.kinds import AnyKind
from changewindow.policy.expected import Expected
from changewindow.policy.service_catalogue import Catalogue

FILE = "collectors.yaml"
AnyCollector = Annotated[CollectorBase, AnyKind("collectors", "Collector")]


class Collectors(Model):
    """Where changes of the world show here."""

    collectors: dict[Name, AnyCollector]
    """The collectors by the names under which answers show them."""
    expected: dict[Name, Expected] = {}
    """Changes that nobody has to announce, by a name for each kind of them."""


@dataclass(frozen=True)
class Loaded:
    """The collectors of a policy, none where the file is missing or wrong, and what is wrong."""

    collectors: dict[str, CollectorBase]
    findings: tuple[Finding, ...] = ()
    expected: dict[str, Expected] = field(default_factory=dict)
    """The noise that is not told of."""

    def mistakes(self, folder: Path) -> list[str]:
        """Return what makes the file of a policy unreadable, a line each."""
        return [finding.text(str(folder / FILE)) for finding in self.findings if not finding.is_warning]


def load_collectors(folder: Path, catalogue: Catalogue | None = None) -> Loaded:
    """Return the collectors of a policy; with a catalogue, names that it does not have are findings too."""
    path = folder / FILE
    if not path.exists():
        return Loaded({})
    read = read_model(path, Collectors)
    if read.model is None:
        return Loaded({}, read.findings)
    unknown = _unknown(path, read.model, catalogue) if catalogue else ()
    over = _over(path, read.model, datetime.now(UTC))
    return Loaded(dict(read.model.collectors), (*read.findings, *unknown, *over), dict(read.model.expected))


def _over(path: Path, model: Collectors, now: datetime) -> Iterator[Finding]:
    """Yield each entry of the expected noise that hides nothing any more, since its end has passed."""
    document = parse(read_file(path))
    for name, noise in model.expected.items():
        if noise.is_over(now):
            place = ("expected", name, "until")
            remedy = f"Ask {noise.owner} whether it is still true, and give it a later end or remove it."
            sentence = f"its last day was {noise.until}, so that it hides nothing any more"
            yield Finding("expected", sentence, remedy, place, document.line(place), is_warning=True)


def collectors_of(folder: Path, catalogue: Catalogue, service: str = "") -> dict[str, CollectorBase]:
    """Return the collectors of a policy, or with a service those where its changes may show.

    Raises:
        PlatformError: there is none, or the file is wrong.
    """
    loaded = load_collectors(folder, catalogue)
    if wrong := loaded.mistakes(folder):
        raise PlatformError("\n".join(["The collectors cannot be read, so nothing was asked. Correct them.", *wrong]))
    if not loaded.collectors:
        raise PlatformError(
            f"No collector is configured, so nobody can see what changed. Add some to {folder / FILE}; "
            "`changewindow kinds` lists them, `changewindow kinds git` shows one."
        )
    everything = loaded.collectors.items()
    return {name: known for name, known in everything if not service or known.service in {"", service}}


def _unknown(path: Path, model: Collectors, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield each service and environment that is not in the catalogue: what shows there would be of nobody's."""
    document = parse(read_file(path))
    environments = {name for service in catalogue.services.values() for name in service.environments}
    for name, collector in model.collectors.items():
        for named, given, known in (
            ("service", collector.service, set(catalogue.services)),
            ("environment", collector.environment, environments),
        ):
            if given and given not in known:
                place = ("collectors", name, named)
                sentence = f"services.yaml has no {named} '{given}'"
                line = document.line(place)
                yield Finding("known_names", sentence, hint(given, known), place, line, is_warning=True)

"""Which other tools are told of our changes. A mistake here stops no change: its record says that nobody was told."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import field_validator

from changewindow.documents.model_file import Read, read_model
from changewindow.documents.types import Model, Name
from changewindow.kinds import AnyKind
from changewindow.markers.base import MARKERS, MarkerBase

AnyMarker = Annotated[MarkerBase, AnyKind("markers", "Marker")]


class Markers(Model):
    """The tools that are told when our changes begin, are rolled back, and end."""

    markers: dict[Name, AnyMarker] = {}
    """The tools by the names under which the record of a change names them."""

    @field_validator("markers", mode="before")
    @classmethod
    def _may_be_empty(cls, value: Any) -> Any:
        """Take the file as it is shipped: with nothing but comments below the name."""
        return {} if value is None else value


def load_markers(folder: Path) -> Read[Markers]:
    """Return the markers of a policy, none where there is no file, or what is wrong with it."""
    path = folder / MARKERS
    return read_model(path, Markers) if path.exists() else Read(Markers())

"""What a field is for, as its model tells it."""

import pytest
from pydantic import Field

from changewindow.documents import descriptions
from changewindow.documents.descriptions import description
from changewindow.documents.types import Model


class Base(Model):
    """What others are made of."""

    first: int = 1
    """What comes first.

    And more.
    """
    second: int = 2
    """What comes second."""
    named: int = Field(default=3, alias="from", description="By its field.")
    """Below it."""
    bare: int = 4


class Special(Base):
    """With a field of its own in the place of another."""

    second: int = 5
    third: int = 6
    """What comes third."""

    class Inner(Model):
        """A model in a model."""

        first: int = 7
        """What is inside."""


@pytest.mark.parametrize(
    ("model", "name", "text"),
    [
        pytest.param(Base, "second", "What comes second.", id="its own"),
        pytest.param(Special, "first", "What comes first.\n\nAnd more.", id="of its base, with all its lines"),
        pytest.param(Special, "second", "", id="annotated again, without a text"),
        pytest.param(Special, "third", "What comes third.", id="beside those of its base"),
        pytest.param(Special.Inner, "first", "What is inside.", id="in another model"),
        pytest.param(Special, "named", "By its field.", id="what its field tells"),
        pytest.param(Base, "bare", "", id="none"),
    ],
)
def test_a_field_is_described_by_the_text_below_it(model: type[Model], name: str, text: str) -> None:
    """For editors it is the same."""
    assert description(model, name) == text
    field = model.model_json_schema()["properties"][model.model_fields[name].alias or name]
    assert field.get("description", "") == text


def test_a_model_without_source_describes_nothing() -> None:
    """It may have been made from text; it can be used all the same."""
    made = type("Made", (Model,), {"__module__": "nowhere", "__annotations__": {"field": int}})
    assert description(made, "field") == ""
    assert made.model_json_schema()["required"] == ["field"]


def test_no_source_is_read_while_nobody_asks() -> None:
    """Each command and each task defines all models; only few show what a field is for."""
    descriptions._texts.cache_clear()

    class Local(Model):
        """A model of this moment."""

        field: int
        """What it is for."""

    assert Local.model_validate({"field": 1}).field == 1
    assert descriptions._texts.cache_info().misses == 0
    assert Local.model_fields["field"].description is None
    assert description(Local, "field") == "What it is for."

"""Writes data as YAML that our reader, and readers of the earlier YAML, take for the same."""

from typing import Any

import yaml

from changewindow.documents.yaml import PLAIN_VALUES


class _Dumper(yaml.SafeDumper):
    """PyYAML, whose texts of several lines stand as they are read, and which repeats a value instead of naming it."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Return true: what stands in two places is written twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text.strip() else None)


_Dumper.add_representer(str, _text)
for _plain in PLAIN_VALUES:
    _Dumper.add_implicit_resolver(*_plain)


def written(data: Any) -> str:
    """Return data as YAML, in the order in which it stands, as people write it: what holds plain values is one line."""
    style: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "default_flow_style": None, "width": 110}
    text: str = yaml.dump(data, Dumper=_Dumper, **style)
    return text

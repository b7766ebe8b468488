"""The part of the command line about kinds: steps, sources, checks, channels, collectors, silences and markers."""

import argparse

from changewindow import kinds
from changewindow.cli.output import print_json
from changewindow.documents.text import hint


def run(arguments: argparse.Namespace) -> int:
    """Print every kind, or one with its documentation and an example. JSON has the shape `output.KINDS`."""
    known = [(room, kind) for room in kinds.CONTRACTS for kind in kinds.modules(room)]
    chosen = [(room, kind) for room, kind in known if arguments.kind in {None, kind}]
    if not chosen:
        arguments.misuse(f"there is no kind '{arguments.kind}'. {hint(arguments.kind, {kind for _, kind in known})}")
    if arguments.json:
        print_json({"kinds": [kinds.facts(room, kinds.CONTRACTS[room], kind) for room, kind in chosen]})
    elif arguments.kind is None:
        wide, wider = (max(map(len, names)) for names in zip(*chosen, strict=True))
        print("\n".join(f"{room:{wide}}  {kind:{wider}}  {kinds.summary(room, kind)}" for room, kind in chosen))
    else:
        print("\n".join(kinds.describe(room, kinds.CONTRACTS[room], kind) for room, kind in chosen), end="")
    return 0

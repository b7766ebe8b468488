"""Tickets: whatever an author writes is a ticket with its plan, or findings, each with its line."""

import json
from pathlib import Path
from random import Random

import yaml

from changewindow.documents.canonical import canonical
from changewindow.documents.findings import are_errors
from changewindow.documents.yaml import BadYaml, decode
from changewindow.policy.check import Facts
from changewindow.policy.review import load_text
from changewindow.ticket import every_field, plan
from changewindow.ticket.reader import Loaded, build_ticket
from changewindow.ticket.revision import digest_of
from fuzz.guarded import Wrong
from fuzz.mutation import as_json, mutated, mutated_data
from support.tickets import EXAMPLES, NOW, POLICY, TESTS, banner

FACTS = Facts(now=NOW, policy=POLICY, requester="alice")
LONGEST_FINDING = 5_000


class Tickets:
    """The reader of tickets, its checks, and what an approver sees."""

    name = "tickets"

    def __init__(self, _folder: Path) -> None:
        good = [path.read_bytes() for path in EXAMPLES]
        self.corpus = [*good * 8, *(path.read_bytes() for path in sorted((TESTS / "bad_tickets").glob("*.yaml")))]
        self.data = [banner(), *(yaml.safe_load(text) for text in good)]

    def case(self, random: Random) -> bytes:
        """Return the text of a ticket: of YAML that was changed, or of changed data."""
        if random.random() < 0.5:
            return mutated(random, self.corpus)
        return as_json(mutated_data(random, random.choice(self.data))).encode(errors="surrogatepass")

    def try_out(self, case: bytes) -> None:
        """Read it, judge it, and show it."""
        try:
            loaded = load_text(decode(case), FACTS)
        except BadYaml:
            return
        show(loaded)


def show(loaded: Loaded) -> None:
    """Show a ticket as terminal, form and record do.

    Raises:
        Wrong: something is not as it has to be.
    """
    for finding in loaded.findings:
        text = finding.text("ticket.yaml")
        text.encode()
        if len(text) > LONGEST_FINDING or "\n" in text or "\x1b" in text:
            raise Wrong(f"a finding of {len(text)} characters: {text[:300]!r}")
    if loaded.ticket is None:
        if not are_errors(loaded.findings):
            raise Wrong("no ticket, and nothing says why")
        return
    plan.text("CHG-1042", loaded.ticket).encode()
    plan.markdown("CHG-1042", loaded.ticket).encode()
    every_field.text(loaded.data, is_whole=True).encode()
    every_field.at_extremes(loaded.data)
    stored = json.loads(canonical(loaded.data))
    if digest_of(stored, build_ticket(stored)) != digest_of(loaded.data, loaded.ticket):
        raise Wrong("what is stored has another digest")

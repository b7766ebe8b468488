"""Policies: whatever stands in the folder is a policy that answers, or a refusal with every finding."""

import shutil
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import yaml

from changewindow.calendar.openings import openings
from changewindow.calendar.scope import Scope
from changewindow.errors import BadPolicy
from changewindow.policy.assessment import Assessment
from changewindow.policy.check import Facts
from changewindow.policy.load import load_policy
from changewindow.policy.model import Policy
from changewindow.policy.review import load_text
from changewindow.policy.rights import DOES, Intervention, Involved, objection
from changewindow.policy.templates import read_template
from changewindow.ticket.reader import build_ticket
from fuzz.guarded import Wrong
from fuzz.mutation import as_json, mutated, mutated_data
from fuzz.tickets import show
from support.tickets import EXAMPLES, NOW, TESTS

SHIPPED = TESTS.parent / "include"


class Case(NamedTuple):
    """A file, and what stands in it."""

    file: str
    content: bytes


class Policies:
    """Everything that reads the policy: lint, the checks of a ticket, and the calendar."""

    name = "policies"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "include"
        for name in ("policy", "templates"):
            shutil.copytree(SHIPPED / name, self.folder / name)
        kept = [path for path in sorted(self.folder.rglob("*")) if path.suffix in {".yaml", ".ics"}]
        self.shipped = {str(path.relative_to(self.folder)): path.read_bytes() for path in kept}
        bad = TESTS / "bad_policies"
        self.corpus = {
            name: [text] * 4 + [path.read_bytes() for path in sorted((bad / _kind(name)).glob("*.yaml"))]
            for name, text in self.shipped.items()
        }
        self.ticket = EXAMPLES[0].read_text(encoding="utf-8")
        self.data = yaml.safe_load(self.ticket)

    def case(self, random: Random) -> Case:
        """Return one file that was changed."""
        file = random.choice(sorted(self.shipped))
        if file.endswith(".ics") or random.random() < 0.5:
            return Case(file, mutated(random, self.corpus[file]))
        data = mutated_data(random, yaml.safe_load(self.shipped[file]))
        return Case(file, as_json(data).encode(errors="surrogatepass"))

    def try_out(self, case: Case) -> None:
        """Load the policy with this file in it, and ask it what everybody asks."""
        (self.folder / case.file).write_bytes(case.content)
        try:
            policy = load_policy(self.folder / "policy", self.folder / "templates")
            self._ask(policy)
            if case.file.startswith("templates"):
                self._lint(policy)
        except BadPolicy as bad:
            if not bad.findings:
                raise Wrong("refused, and nothing says why") from bad
            str(bad).encode()
        finally:
            (self.folder / case.file).write_bytes(self.shipped[case.file])

    def _ask(self, policy: Policy) -> None:
        facts = Facts(now=NOW, policy=policy, requester="alice")
        loaded = load_text(self.ticket, facts)
        show(loaded)
        ticket = build_ticket(self.data)
        assessment = Assessment(policy, ticket, self.data, "CHG-1042")
        asked: list[object] = [assessment.needs, assessment.connections, assessment.objections(ticket.window.opens)]
        scope = Scope(ticket.environment, ticket.services, ticket.type)
        asked += islice(openings(policy.schedule, scope, NOW, ticket.needs), 3)
        for act in DOES:
            wanted = Intervention(act, "mallory", is_operator=False)
            asked.append(objection(policy.rights, policy.approvals.groups, wanted, Involved("alice", ("bob",), None)))
        repr(asked).encode()

    def _lint(self, policy: Policy) -> None:
        facts = Facts(now=NOW, policy=policy)
        for path in sorted((self.folder / "templates").glob("*.yaml")):
            for finding in read_template(path, facts)[1]:
                finding.text(path.name).encode()


def _kind(file: str) -> str:
    return "templates" if file.startswith("templates") else Path(file).stem

"""Says whether a GitHub pull request or a GitLab merge request was reviewed by somebody else than its author.

The value is true or false. What counts is an approval of the last commit, by a person (no robot), who did not dismiss
it or request changes later, while nobody else's requested changes stand. The approver of a public repository at GitHub
must belong to it: owner, member or collaborator, as far as the token can see. A draft is not approved yet. The author
is who opened the request.

The Airflow Connection is of type HTTP, its token in the password: for GitHub one that may read pull requests, for
GitLab one with the scope read_api. Without a host it is github.com or gitlab.com; for a server of your own, its
host, or the whole address of its API. Nothing is written there.
"""

import re
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName
from changewindow.sources.base import SourceBase
from changewindow.systems.code_review import GITHUB, GITLAB, Reviewed, github, gitlab
from changewindow.systems.http.api import Api
from changewindow.systems.measurement import Answer, SourceContext

EXAMPLE = {
    "kind": "review",
    "connection": "github",
    "pull_request": "example/orders#481",
    "read": "approved_and_merged",
}


class Source(SourceBase):
    """Whether somebody else has reviewed it."""

    kind: Literal["review"] = "review"
    why_not_before_approval: ClassVar[str] = ""
    connection: ConnectionName
    """The Airflow Connection to GitHub or GitLab."""
    pull_request: str = Field(default="", pattern=r"^$|^[\w.-]+/[\w.-]+#[0-9]{1,9}$")
    """GitHub: the repository and the number, like `example/orders#481`."""
    merge_request: str = Field(default="", pattern=r"^$|^[\w.-]+(/[\w.-]+)+![0-9]{1,9}$")
    """GitLab: the project and the number, like `example/shop/orders!481`."""
    read: Literal["approved_and_merged", "approved", "merged_by_other"] = "approved_and_merged"
    """What must be true; `approved` does not mind whether it is merged yet, `merged_by_other` needs no approval."""

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if bool(self.pull_request) == bool(self.merge_request):
            raise refusal("it asks for one review", "Write `pull_request` (GitHub) or `merge_request` (GitLab).")
        return self

    def description(self) -> str:
        """Return which request, and what is asked of it."""
        return f"{self.pull_request or self.merge_request} {self.read.replace('_', ' ')} at {self.connection}"

    async def ask(self, context: SourceContext) -> Answer:
        """Ask who did what."""
        started = context.now()
        path, number = re.split("[#!]", self.pull_request or self.merge_request)
        if self.pull_request:
            api = Api(context, self.connection, GITHUB)
            request = await github(api, path, int(number))
        else:
            api = Api(context, self.connection, GITLAB)
            request = await gitlab(api, path, int(number))
        missing = self._missing(request)
        return Answer(not missing, api.at(started), api.query, note="; ".join(missing) or _who(request))

    def _missing(self, request: Reviewed) -> list[str]:
        """Return what is missing."""
        if self.read == "merged_by_other":
            if request.state != "merged":
                return [f"it is {request.state}, not merged"]
            return [_merged(request)] if request.merged_by in {None, request.author} else []
        missing = [] if request.approvals - {request.author} else [_unapproved(request)]
        missing += [f"{who} requests changes" for who in sorted(request.objections)]
        if request.state in {"closed", "a draft"} or (self.read == "approved_and_merged" and request.state != "merged"):
            missing.append(f"it is {request.state}, not merged")
        return missing


def _who(request: Reviewed) -> str:
    approved = ", ".join(sorted(request.approvals - {request.author}))
    return _merged(request) + (f", approved by {approved}" if approved else "")


def _merged(request: Reviewed) -> str:
    return f"written by {request.author}, merged by {request.merged_by or 'no person'}"


def _unapproved(request: Reviewed) -> str:
    outdated = ", ".join(sorted(request.outdated - {request.author}))
    if outdated:
        return f"{outdated} approved an older commit; the last one needs a look"
    strangers = ", ".join(sorted(request.strangers - {request.author}))
    if strangers:
        fault = f"{strangers} approved it, but is neither owner, member nor collaborator as far as the token can see"
        return f"{fault}. A member? Let them show their membership, or the token read members"
    return f"nobody else than {request.author} approved it"

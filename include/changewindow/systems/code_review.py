"""Asks GitHub and GitLab who wrote, approved and merged a pull or merge request.

Sources: https://docs.github.com/en/rest/pulls/reviews, https://docs.gitlab.com/api/merge_request_approvals/
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceError

GITHUB = Product(
    "GitHub",
    needs="a token that may read the repository's pull requests (fine-grained: Pull requests, read; classic: repo)",
    address="https://api.github.com",
    public=("github.com", "www.github.com", "api.github.com"),
    prefix="/api/v3",
    tenants=".ghe.com",
    accept="application/vnd.github+json",
)
GITLAB = Product(
    "GitLab",
    needs="a token with the scope read_api, of somebody who can see the project",
    address="https://gitlab.com/api/v4",
    public=("gitlab.com", "www.gitlab.com"),
    prefix="/api/v4",
)
PAGE = 100
MOST = 50
"""Pages of reviews or notes; whatever has more is no longer reviewed by people."""
WITHIN = {"OWNER", "MEMBER", "COLLABORATOR"}
"""Whose reviews of a public repository count: anybody may write one there."""
VOTES, NO_VOTES = {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}, {"COMMENTED", "PENDING"}
"""What reviews at GitHub are; Gitea, whose API looks like it, has other words for some."""
ROBOT = re.compile(r"(project|group)_[0-9]+_bot(_\w+)?|service_account_\w+")
"""How GitLab names the users behind access tokens of projects and groups, and service accounts that nobody named."""
APPROVED = "approved this merge request"
"""What GitLab notes in English, whatever the language of its pages."""
Entry = dict[str, Any]


@dataclass(frozen=True)
class Reviewed:
    """A request as far as people have looked at it; robots are no people."""

    author: str
    state: str
    """open, merged or closed, or a draft."""
    merged_by: str | None
    approvals: frozenset[str]
    """Who approved its last commit, and has not changed their mind since."""
    outdated: frozenset[str]
    """Who approved only what was there before the last commit."""
    objections: frozenset[str]
    """Who wants changes, and has not approved since."""
    strangers: frozenset[str] = frozenset()
    """Who approved it, and does not belong to the repository as far as the token can see."""


async def github(api: Api, repository: str, number: int) -> Reviewed:
    """Return what GitHub knows of a pull request."""
    path = f"/repos/{quote(repository)}/pulls/{number}"
    pull = await api.json(path, what=f"pull request {repository}#{number}")
    latest: dict[str, Entry] = {}
    for review in await _all_pages(api, f"{path}/reviews"):
        if review["state"] not in {*VOTES, *NO_VOTES}:
            fault = f"a review is {review['state']!r}, which GitHub does not know"
            raise SourceError("invalid", f"{fault}. Is {path} at '{api.connection}' of another product?")
        if _person(review["user"]) and review["state"] in VOTES:
            latest[review["user"]["login"]] = review
    is_private = bool(pull["base"]["repo"]["private"])  # then whoever can write a review was let in
    within = {who for who, review in latest.items() if is_private or review.get("author_association") in WITHIN}
    agree = {who for who, review in latest.items() if review["state"] == "APPROVED"}
    approved = agree & within
    current = {who for who in approved if latest[who]["commit_id"] == pull["head"]["sha"]}
    return Reviewed(
        author=str((pull["user"] or {"login": "ghost"})["login"]),
        state="merged" if pull["merged"] else _state(pull),
        merged_by=_person(pull.get("merged_by")),
        approvals=frozenset(current),
        outdated=frozenset(approved - current),
        objections=frozenset(who for who in within if latest[who]["state"] == "CHANGES_REQUESTED"),
        strangers=frozenset(agree - within),
    )


async def gitlab(api: Api, project: str, number: int) -> Reviewed:
    """Return what GitLab knows of a merge request."""
    path = f"/projects/{quote(project, safe='')}/merge_requests/{number}"
    request = await api.json(path, what=f"merge request {project}!{number}")
    approvals = await api.json(f"{path}/approvals")
    users = {str(approval["user"]["username"]) for approval in approvals["approved_by"]}
    approved = {user for user in users if not ROBOT.fullmatch(user)}
    reviewers = await _all_pages(api, f"{path}/reviewers")
    current = approved & await _approved_last_version(api, path) if approved else set()
    merger = request.get("merge_user") or request.get("merged_by")
    return Reviewed(
        author=str(request["author"]["username"]),
        state=_state(request),
        merged_by=str(merger["username"]) if merger and not ROBOT.fullmatch(merger["username"]) else None,
        approvals=frozenset(current),
        outdated=frozenset(approved - current),
        objections=frozenset(
            reviewer["user"]["username"] for reviewer in reviewers if reviewer["state"] == "requested_changes"
        ),
    )


async def _approved_last_version(api: Api, path: str) -> set[str]:
    """Return who approved after the last push; the project may be set up to keep approvals of what was before it."""
    versions = await _all_pages(api, f"{path}/versions")
    if not versions:
        raise SourceError("no_data", "GitLab has not prepared the merge request yet: it has no version to approve")
    pushed = max(datetime.fromisoformat(version["created_at"]) for version in versions)
    notes = await _all_pages(api, f"{path}/notes")
    return {
        str(note["author"]["username"])
        for note in notes
        if note["system"] and note["body"] == APPROVED and datetime.fromisoformat(note["created_at"]) > pushed
    }


async def _all_pages(api: Api, path: str) -> list[Entry]:
    """Return all entries of a list, page by page."""
    collected: list[Entry] = []
    for page in range(1, MOST + 1):
        entries, has_next = await api.page(path, {"per_page": str(PAGE), "page": str(page)})
        if entries is None:
            raise SourceError(
                "invalid", f"{api.product.name} has no {path} that the token of '{api.connection}' can see"
            )
        collected += entries
        if not has_next and len(entries) < PAGE:  # what the token may not see is left out of a page, and makes it short
            return collected
    raise SourceError("invalid", f"{api.product.name} has more than {PAGE * MOST} entries at {path}")


def _state(request: Entry) -> str:
    """Return the state of a request in our words: GitLab says opened, and to both a draft is open."""
    state = {"opened": "open"}.get(request["state"], str(request["state"]))
    return "a draft" if state == "open" and request.get("draft") else state


def _person(user: Entry | None) -> str | None:
    """Return the login of somebody who is no robot and still there."""
    return str(user["login"]) if user and user.get("type") != "Bot" else None

"""The source review: whether somebody else has looked, at servers that speak the APIs of GitHub and GitLab."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources.review import EXAMPLE
from changewindow.systems.code_review import GITHUB, GITLAB
from changewindow.systems.connection import Connection
from changewindow.watch.condition import Condition
from servers.product_apis import TOKEN, Desk, github, gitlab, serving
from support.ask_source import asked

HEAD, OLDER = "a" * 40, "b" * 40
REQUEST = {"kind": "review", "connection": "github", "merge_request": "example/shop/orders!481"}
NO = "nobody else than alice approved it"


def user(login: str, kind: str = "User") -> dict[str, Any]:
    """Return a user of GitHub."""
    return {"login": login, "type": kind}


def review(login: str, state: str = "APPROVED", commit: str = HEAD, **more: Any) -> dict[str, Any]:
    """Return a review of GitHub."""
    return {"user": user(login), "state": state, "commit_id": commit, "author_association": "MEMBER", **more}


def pull(**changed: Any) -> dict[str, Any]:
    """Return a pull request of alice, which is merged."""
    usual = {
        "user": user("alice"),
        "merged": True,
        "state": "closed",
        "merged_by": user("alice"),
        "head": {"sha": HEAD},
        "base": {"repo": {"private": False}},
    }
    return {**usual, **changed}


OPEN = {"merged": False, "state": "open", "merged_by": None}
AT_GITHUB = [
    pytest.param(pull(), [review("bob")], "approved_and_merged", True, "written by alice", id="approved and merged"),
    pytest.param(pull(), [], "approved_and_merged", False, NO, id="merged by its author, without a look"),
    pytest.param(pull(), [review("alice")], "approved_and_merged", False, NO, id="approved by its author"),
    pytest.param(
        pull(**OPEN), [review("bob")], "approved_and_merged", False, "it is open, not merged", id="not merged"
    ),
    pytest.param(pull(**OPEN), [review("bob")], "approved", True, "approved by bob", id="approved, to be merged"),
    pytest.param(
        pull(**OPEN, head={"sha": HEAD}),
        [review("bob", commit=OLDER)],
        "approved",
        False,
        "bob approved an older commit; the last one needs a look",
        id="approved before the last push",
    ),
    pytest.param(
        pull(), [review("bob", commit=OLDER), review("bob")], "approved_and_merged", True, "by bob", id="approved again"
    ),
    pytest.param(
        pull(),
        [review("bob"), review("bob", "CHANGES_REQUESTED")],
        "approved",
        False,
        "bob requests changes",
        id="revoked",
    ),
    pytest.param(pull(), [review("bob", "DISMISSED")], "approved", False, NO, id="dismissed"),
    pytest.param(
        pull(), [review("bob"), review("bob", "COMMENTED")], "approved", True, "bob", id="a comment is no vote"
    ),
    pytest.param(
        pull(),
        [review("bob"), review("carol", "CHANGES_REQUESTED")],
        "approved",
        False,
        "carol requests",
        id="objection",
    ),
    pytest.param(
        pull(),
        [review("carol", "CHANGES_REQUESTED"), review("carol"), review("bob")],
        "approved",
        True,
        "approved by bob, carol",
        id="convinced",
    ),
    pytest.param(
        pull(),
        [review("mallory", author_association="NONE")],
        "approved",
        False,
        "mallory approved it, but is neither owner, member nor collaborator as far as the token can see",
        id="a passer-by",
    ),
    pytest.param(
        pull(), [review("mallory", author_association="NONE"), review("bob")], "approved", True, "by bob", id="another"
    ),
    pytest.param(
        pull(),
        [review("mallory", "CHANGES_REQUESTED", author_association="NONE"), review("bob")],
        "approved",
        True,
        "by bob",
        id="a passer-by who objects",
    ),
    pytest.param(
        pull(base={"repo": {"private": True}}),
        [review("bob", author_association="CONTRIBUTOR")],
        "approved",
        True,
        "by bob",
        id="a private repository, where only those who belong to it can review",
    ),
    pytest.param(pull(**OPEN, draft=True), [review("bob")], "approved", False, "it is a draft, not merged", id="draft"),
    pytest.param(pull(), [{**review("bob"), "user": user("bot", "Bot")}], "approved", False, NO, id="a robot"),
    pytest.param(pull(), [{**review("bob"), "user": None}], "approved", False, NO, id="a deleted user"),
    pytest.param(
        pull(merged=False, merged_by=None), [review("bob")], "approved", False, "it is closed, not merged", id="closed"
    ),
    pytest.param(pull(merged_by=user("bob")), [], "merged_by_other", True, "merged by bob", id="merged by another"),
    pytest.param(pull(), [review("bob")], "merged_by_other", False, "merged by alice", id="merged by its author"),
    pytest.param(
        pull(merged_by=user("queue", "Bot")),
        [],
        "merged_by_other",
        False,
        "merged by no person",
        id="merged by a robot",
    ),
    pytest.param(pull(**OPEN), [review("bob")], "merged_by_other", False, "it is open, not merged", id="nobody merged"),
]


@pytest.mark.parametrize(("request_", "reviews", "read", "value", "message"), AT_GITHUB)
async def test_a_pull_request(request_: Any, reviews: Any, *, read: str, value: bool, message: str) -> None:
    """True is what somebody else has seen as it is now, and the reading says who or what is missing."""
    with serving(github(request_, reviews)) as product:
        reading = await asked({**EXAMPLE, "read": read}, product.connection("github"), good={"equals": True})
    assert (reading.value, reading.cause) == (value, None), reading.detail
    assert message in reading.detail


async def test_the_last_word_counts_on_whatever_page() -> None:
    """Reviews come a hundred at a time, oldest first."""
    reviews = [review("bob"), *[review("carol", "COMMENTED")] * 150, review("bob", "CHANGES_REQUESTED")]
    with serving(github(pull(), reviews)) as product:
        reading = await asked(EXAMPLE, product.connection("github"), good={"equals": True})
    assert (reading.value, product.paths[1:]) == (False, [product.paths[1]] * 2)


@pytest.mark.parametrize("product", ["github", "gitlab"])
async def test_a_page_that_is_short_is_not_the_last_one(product: str) -> None:
    """What the token may not see is left out of a page, and the header tells that there is another one."""
    hidden = {"is_hidden": True}
    reviews = [review("bob"), hidden, *[review("carol", "COMMENTED")] * 100, review("bob", "CHANGES_REQUESTED")]
    parts = approved("bob")
    parts["notes"] = [hidden, *parts["notes"]]
    desk = github(pull(), reviews) if product == "github" else gitlab(merge_request(), parts)
    with serving(desk) as served:
        asking = EXAMPLE if product == "github" else REQUEST
        reading = await asked({**asking, "read": "approved"}, served.connection("github"), good={"equals": True})
    assert reading.value is (product == "gitlab"), reading.detail


async def test_a_review_in_words_of_another_product_is_no_vote() -> None:
    """Gitea says REQUEST_CHANGES: an objection would not be seen."""
    with serving(github(pull(), [review("bob"), review("carol", "REQUEST_CHANGES")])) as served:
        reading = await asked(EXAMPLE, served.connection("github"), good={"equals": True})
    assert (reading.value, reading.cause) == (None, "invalid")
    assert reading.detail.startswith("a review is 'REQUEST_CHANGES', which GitHub does not know. Is /repos/")


def merge_request(**changed: Any) -> dict[str, Any]:
    """Return a merge request of alice, which is merged."""
    return {"author": {"username": "alice"}, "state": "merged", "merge_user": {"username": "bob"}, **changed}


def approved(*users: str, at: str = "2031-03-17T11:00:00.123Z", **changed: Any) -> dict[str, Any]:
    """Return approvals at a moment; the last push was at 10:00."""
    by = [{"user": {"username": name}} for name in users]
    notes = [
        {"system": True, "body": "approved this merge request", "author": person["user"], "created_at": at}
        for person in by
    ]
    talk = [{"system": False, "body": "approved this merge request", "author": {"username": "bob"}, "created_at": at}]
    versions = [{"created_at": "2031-03-17T10:00:00.000Z"}, {"created_at": "2031-03-16T10:00:00.000Z"}]
    parts = {"approvals": {"approved_by": by}, "reviewers": [], "versions": versions, "notes": talk * 120 + notes}
    return {**parts, **changed}


EARLY = "2031-03-17T09:59:59.000Z"
OBJECTION = {"reviewers": [{"user": {"username": "carol"}, "state": "requested_changes"}]}
OF_MANY = {"reviewers": [{"user": {"username": "dan"}, "state": "unreviewed"}] * 120 + OBJECTION["reviewers"]}
AT_GITLAB = [
    pytest.param(merge_request(), approved("bob"), "approved_and_merged", True, "approved by bob", id="approved"),
    pytest.param(merge_request(), approved(), "approved_and_merged", False, NO, id="merged without a look"),
    pytest.param(merge_request(), approved("alice"), "approved_and_merged", False, NO, id="approved by its author"),
    pytest.param(merge_request(), approved("project_7_bot_a1"), "approved", False, NO, id="approved by a robot"),
    pytest.param(
        merge_request(), approved("service_account_group_7_a1"), "approved", False, NO, id="approved by an account"
    ),
    pytest.param(
        merge_request(state="opened", draft=True), approved("bob"), "approved", False, "it is a draft", id="draft"
    ),
    pytest.param(
        merge_request(), approved("bob", at=EARLY), "approved", False, "bob approved an older commit", id="then a push"
    ),
    pytest.param(
        merge_request(), approved("bob", notes=[]), "approved", False, "bob approved an older", id="nobody knows when"
    ),
    pytest.param(merge_request(), approved("bob", **OBJECTION), "approved", False, "carol requests", id="objection"),
    pytest.param(
        merge_request(), approved("bob", **OF_MANY), "approved", False, "carol requests", id="objection of the last"
    ),
    pytest.param(
        merge_request(state="opened", merge_user=None), approved("bob"), "approved", True, "bob", id="to be merged"
    ),
    pytest.param(
        merge_request(state="opened", merge_user=None),
        approved("bob"),
        "approved_and_merged",
        False,
        "it is open, not merged",
        id="open",
    ),
    pytest.param(merge_request(), approved(), "merged_by_other", True, "merged by bob", id="merged by another"),
    pytest.param(
        merge_request(merge_user={"username": "alice"}),
        approved(),
        "merged_by_other",
        False,
        "by alice",
        id="by author",
    ),
]


@pytest.mark.parametrize(("request_", "parts", "read", "value", "message"), AT_GITLAB)
async def test_a_merge_request(request_: Any, parts: Any, *, read: str, value: bool, message: str) -> None:
    """The same of GitLab, where an approval may outlive a push."""
    with serving(gitlab(request_, parts)) as product:
        reading = await asked({**REQUEST, "read": read}, product.connection("github"), good={"equals": True})
    assert (reading.value, reading.cause) == (value, None), reading.detail
    assert message in reading.detail


async def test_a_merge_request_that_is_not_prepared_yet_has_nothing_to_approve() -> None:
    """GitLab makes its first version in the background."""
    with serving(gitlab(merge_request(state="opened"), approved("bob", versions=[]))) as product:
        reading = await asked(REQUEST, product.connection("github"), good={"equals": True})
    assert reading.cause == "no_data"
    assert reading.detail == "GitLab has not prepared the merge request yet: it has no version to approve"


@pytest.mark.parametrize(
    ("desk", "source", "name"),
    [(github(pull(), []), EXAMPLE, "GitHub"), (gitlab(merge_request(), approved()), REQUEST, "GitLab")],
    ids=["github", "gitlab"],
)
async def test_a_refusal_says_what_the_token_lacks(desk: Desk, source: dict[str, Any], name: str) -> None:
    """Wrong or expired, without the scope, and none such."""
    with serving(desk) as product:
        expired = await asked(source, product.connection("github", password="s3cret-old"))
        field = "pull_request" if name == "GitHub" else "merge_request"
        absent = await asked({**source, field: source[field].replace("481", "482")}, product.connection("github"))
        product.is_forbidden = True
        forbidden = await asked(source, product.connection("github"))
    assert [reading.cause for reading in (expired, absent, forbidden)] == ["unreachable", "invalid", "unreachable"]
    assert f"{name} does not know the token of the connection 'github' (401 " in expired.detail
    assert f"the token of the connection 'github' may not do this at {name} (403 " in forbidden.detail
    needed = {"GitHub": "Pull requests, read", "GitLab": "the scope read_api"}[name]
    assert all(needed in reading.detail for reading in (expired, absent, forbidden))
    assert f"{name} has no {field.replace('_', ' ')} " in absent.detail
    assert "s3cret" not in expired.detail + absent.detail + forbidden.detail


async def test_github_wants_quiet_with_403_too() -> None:
    """Then it is not the right that lacks."""
    reset = int((datetime.now(UTC) + timedelta(minutes=5)).timestamp())
    with serving(github(pull(), [])) as product:
        product.limit, product.limited = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}, 403
        reading = await asked(EXAMPLE, product.connection("github"))
    until = f"{datetime.fromtimestamp(reset, UTC):%H:%M:%S} UTC"
    assert reading.detail.startswith(f"GitHub was asked too often and wants quiet until {until}. ")


@pytest.mark.parametrize(
    ("product", "host", "address"),
    [
        (GITHUB, "", "https://api.github.com"),
        (GITHUB, "https://github.com", "https://api.github.com"),
        (GITHUB, "git.example.com", "https://git.example.com/api/v3"),
        (GITHUB, "https://git.example.com/api/v3/", "https://git.example.com/api/v3"),
        (GITHUB, "example.ghe.com", "https://api.example.ghe.com"),
        (GITHUB, "https://api.example.ghe.com/", "https://api.example.ghe.com"),
        (GITLAB, "", "https://gitlab.com/api/v4"),
        (GITLAB, "gitlab.com", "https://gitlab.com/api/v4"),
        (GITLAB, "http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v4"),
        (GITLAB, "https://example.com/gitlab/api/v4", "https://example.com/gitlab/api/v4"),
    ],
)
def test_the_host_of_the_connection_says_where_the_api_is(product: Any, host: str, address: str) -> None:
    """The public one, or a server of one's own; a token goes over https where nothing else is said."""
    assert product.located(Connection("it", "http", host=host, password=TOKEN)).base_url == address


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"merge_request": "example/shop!7"}, "it asks for one review"),
        ({"pull_request": ""}, "it asks for one review"),
        ({"pull_request": "orders#481"}, "should match pattern"),
        ({"pull_request": "example/orders/../..#481"}, "should match pattern"),
    ],
)
def test_what_asks_for_no_review_is_refused(changed: dict[str, str], message: str) -> None:
    """When the ticket is read."""
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate({"name": "it", "source": {**EXAMPLE, **changed}, "pass": {"equals": True}})

"""The page on which people ask for a change: a ticket that is judged while they write it, or a standard change."""

import re
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from changewindow.changes.first_text import first_text
from changewindow.changes.judging import Judged
from changewindow.documents.types import PERSON
from changewindow.documents.yaml import BadYaml, decode
from changewindow.documents.yaml_writing import written
from changewindow.errors import BadPolicy, BadRequest, LedgerUnknown
from changewindow.ledger import changes
from changewindow.policy.model import Policy
from changewindow.web.asked_window import asked_window
from changewindow.web.completion import names, schema_text, schema_version
from changewindow.web.headers import KEPT
from changewindow.web.judging import judge, workers
from changewindow.web.menu import Item
from changewindow.web.pasting import body_of
from changewindow.web.same_origin import NotFromHere
from changewindow.web.standard import VALUE, Form
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
ITEM = Item("ask", "Ask", place=30, dag="request_change")
DAG = "request_change"
FIELDS = 10
"""How many a form may have; that of the page has two."""


@router.get("/ask")
def show(visit: LoggedIn, change: str = "") -> Response:
    """Show a ticket to fill in: a new one, or the newest text of a change that is to get another."""
    visit.require(DAG)
    text = _text_of(visit, change) if change else first_text(_known(visit))
    answer = _page(visit, text, change=change)
    answer.background = BackgroundTask(workers().prepare)
    return answer


@router.post("/ask")
async def check(visit: LoggedIn) -> Response:
    """Show a ticket with everything that is wrong with it, for browsers without scripts."""
    visit.require(DAG)
    sent = await body_of(visit.request)

    def judged() -> Response:
        text, change = _sent(sent)
        _require_change(visit, change)
        return _page(visit, text, change=change, judged=judge(visit, text, change=change))

    return await run_in_threadpool(judged)


@router.post("/ask/judge")
async def judge_text(visit: LoggedIn, change: str = "") -> Response:
    """Return what is wrong with a ticket, its plan and the next openings, as JSON; see `Judged`."""
    visit.require(DAG)
    try:
        text = decode(await body_of(visit.request))
        await run_in_threadpool(_require_change, visit, change)
        judged = await run_in_threadpool(judge, visit, text, change=change)
    except (BadRequest, LedgerUnknown) as error:
        return JSONResponse({"detail": str(error)}, 400)
    except NotFromHere as error:
        return JSONResponse({"detail": str(error)}, 403)
    except BadYaml as bad:
        return JSONResponse({"detail": str(bad)}, 400)
    return JSONResponse(answer_of(judged))


@router.get("/ask/schema")
def schema(visit: LoggedIn) -> Response:
    """Return what completes tickets, as JSON; browsers keep it, for its address changes with it."""
    visit.require(DAG)
    return Response(schema_text(), media_type="application/json", headers={"Cache-Control": KEPT})


@router.get("/ask/standard/{standard}")
def show_standard(visit: LoggedIn, standard: str) -> Response:
    """Show the form of a standard change; once it is filled in, also the ticket that comes of it, judged."""
    visit.require(DAG)
    standards, query = visit.policy.standards, visit.request.query_params
    form = Form.of(standards, standard, query, owner=visit.viewer.name, zone=str(visit.zone))
    text, trouble = "", ""
    try:
        text = form.ticket(standards) if form.is_filled else ""
    except BadRequest as error:
        trouble = str(error)
    judged = judge(visit, text or written(dict(form.template.data)))
    is_good = bool(text) and judged.plan is not None
    return visit.show(
        "standard.html",
        form=form,
        text=text,
        trouble=trouble,
        judged=answer_of(judged),
        conf=form.conf() if is_good else {},
        words={name: value for name, value in query.items() if name.startswith(VALUE) or name == "reviewer"},
    )


def _sent(body: bytes) -> tuple[str, str]:
    """Return the ticket and the change of a form, which has few fields: to read many would keep everybody waiting.

    Raises:
        BadRequest: it has more.
    """
    try:
        given = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError as error:
        raise BadRequest(f"The form has more than {FIELDS} fields. Send the one of this page.") from error
    return given.get("ticket", [""])[0].replace("\r\n", "\n"), given.get("change", [""])[0]


def answer_of(judged: Judged) -> dict[str, Any]:
    """Return what was judged in the shape of the answer: what is proposed stands beside the rest."""
    facts = asdict(judged)
    return {**facts.pop("proposed"), **facts}


def _page(visit: Visit, text: str, *, change: str, judged: Judged | None = None) -> Response:
    policy, trouble = policy_of(visit)
    return visit.show(
        "ask.html",
        text=text,
        change=change,
        judged=judged and answer_of(judged),
        standards=policy.standards.templates if policy else {},
        window={name: visit.request.query_params.get(name) for name in ("start", "end", "zone")},
        names=names(policy, visit.viewer),
        trouble=trouble,
        nonce=visit.request.state.nonce,
        schema=visit.path("ask/schema", v=schema_version()),
    )


def policy_of(visit: Visit) -> tuple[Policy | None, str]:
    """Return the policy, or why it cannot be read."""
    try:
        return visit.policy, ""
    except BadPolicy as bad:
        return None, str(bad)


def _text_of(visit: Visit, change: str) -> str:
    """Return the newest text of a change that is shown to who looks."""
    _require_change(visit, change)
    return written(changes.revision(visit.ledger, change))


def _require_change(visit: Visit, change: str) -> None:
    """Make sure that a change, if one is named, is there and shown to who looks.

    Raises:
        LedgerUnknown: it is not; nobody can tell which.
    """
    if change:
        visit.change(change)


def _known(visit: Visit) -> dict[str, str]:
    """Return what the address says of a ticket that somebody begins."""
    query = visit.request.query_params
    known = {name: query.get(name, "")[:100] for name in ("service", "environment")}
    known["owner"] = visit.viewer.name if re.fullmatch(PERSON, visit.viewer.name) else ""
    zone = {"zone": str(visit.zone)} if "zone" in query else {}
    return {**known, **zone, **asked_window(query, visit.zone)}

"""Changes one DNS record set in Amazon Route 53 and waits until it is in sync; undo restores the previous one.

One change batch deletes what was remembered and creates what the ticket says; Route 53 takes it only as a whole, and
only if the record set still is what was remembered, so nothing that somebody else wrote meanwhile is overwritten. The
same holds for undo, which restores values and TTL, an alias included, or removes the record set where there was none.
Both wait until Route 53 reports INSYNC (all its servers have it) and until the `servers` of the ticket answer it, if
it lists some; for at most four fifths of `timeout`. Record sets with a routing policy (weighted, …) are refused.

The Airflow Connection (type `aws`): login and password are access key and secret key (without them, the machine's own
role is used); extra `region_name`, `endpoint_url`, `aws_session_token`, `role_arn` and `assume_role_kwargs`.
"""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.aws.client import NotNow, client
from changewindow.systems.aws.hosted_zone import ID, HostedZone, Raw, from_octal, to_octal
from changewindow.systems.context import Context
from changewindow.systems.dns.propagation import answer_of, behind, until_answered
from changewindow.systems.dns.records import RecordChange, RecordSet, canonical_name, canonical_values, shown
from changewindow.systems.dns.servers import address, listed

EXAMPLE = {
    "name": "Point api at the new load balancer",
    "kind": "route53",
    "connection": "example_aws",
    "zone": "example.com",
    "record": "api.example.com",
    "type": "A",
    "values": ["192.0.2.20"],
    "ttl": 60,
}
REFUSED = ("InvalidChangeBatch", "InvalidInput")
State = RecordSet | str | None
"""A record set in a form that can be compared; an alias is a text."""


class Step(StepBase, RecordChange):
    """A record set, and its new values."""

    kind: Literal["route53"] = "route53"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    connection: ConnectionName
    """The Airflow Connection of the AWS account."""
    zone: str = Field(min_length=1)
    """The hosted zone: its name, or its id (`Z0123456789`) where a public and a private zone have the same name."""
    servers: tuple[str, ...] = ()
    """Name servers to wait for as well: `ns-1.awsdns-01.org`, `192.0.2.1:5353`."""

    @model_validator(mode="after")
    def _record_is_in_the_zone(self) -> Self:
        zone = "" if ID.fullmatch(self.zone) else f".{canonical_name(self.zone)}"
        if not f".{canonical_name(self.record)}".endswith(zone):
            raise refusal(f"{self.record} is not within the zone {self.zone}", "Write its full name.")
        for server in self.servers:
            address(server)
        return self

    def does(self) -> str:
        """Describe the record set."""
        return f"set {self.type} {self.record} to {', '.join(self.values)} in Route 53 zone {self.zone}, wait for sync"

    def undoes(self) -> str:
        """Describe what is restored."""
        return f"set {self.type} {self.record} back to what it was, if it is still what this step wrote"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return why the record set cannot be changed, and which listed servers do not answer what Route 53 has."""
        zone = self._zone(context)
        now, others = self._state(self._now(zone)), zone.types(self.record) - {self.type}
        missing = []
        if others and "CNAME" in {self.type, *others}:
            types = ", ".join(sorted(others))
            missing.append(
                f"{self.record} has a record of type {types}, and beside a CNAME nothing can stand; remove it first"
            )
        late = behind(answer_of(listed(self.servers)), self, now) if not isinstance(now, str) else []
        return missing + [
            f"{reply}, Route 53 has {_shown(now)}; correct `servers`, or repair that server" for reply in late
        ]

    def remember(self, context: Context) -> Memory:
        """Return the hosted zone, and the record set as Route 53 has it."""
        zone = self._zone(context)
        return {"zone": zone.id, "before": self._now(zone)}

    def restored(self, remembered: Memory) -> str:
        """Return the previous record set."""
        return _shown(self._state(remembered["before"]))

    def apply(self, context: Context, remembered: Memory) -> None:
        """Change what was remembered into what the ticket says, and wait."""
        before = remembered["before"]
        if self._state(before) == self._ours(before):
            context.log(f"nothing to do: {self.type} {self.record} is already {_shown(self._state(before))}")
        else:
            self._change(context, self._zone(context, remembered["zone"]), before, before)
        self._until_served(context, self._ours(before))

    def undo(self, context: Context, remembered: Memory) -> None:
        """Change what apply wrote into what was remembered, and wait."""
        zone, before = self._zone(context, remembered["zone"]), remembered["before"]
        now = self._now(zone)
        if self._state(now) == self._state(before):
            context.log(f"nothing to undo: {self.type} {self.record} is {_shown(self._state(before))}")
        elif self._state(now) == self._ours(before):
            self._change(context, zone, before, now)
        else:
            raise StepFailed(self._conflict(now, before))
        self._until_served(context, self._state(before))

    def _change(self, context: Context, zone: HostedZone, before: Raw | None, old: Raw | None) -> None:
        """Replace what was before by what the ticket says, or the other way round, and wait for it."""
        new = self._raw(self._ours(before)) if old == before else before
        description = (
            f"change in Route 53 {self.type} {self.record}: {_shown(self._state(old))} -> {_shown(self._state(new))}"
        )
        try:
            made = context.act(description, lambda: zone.replace(old, new, context.mark))
        except StepFailed as error:
            now = self._now(zone) if any(code in str(error) for code in REFUSED) else old
            if self._state(now) == self._state(old):
                raise
            if self._state(now) == self._state(new):
                context.log("already done, by an earlier attempt whose reply was lost")
                return
            raise StepFailed(self._conflict(now, before)) from error

        def is_in_sync() -> bool:
            try:
                return zone.is_in_sync(made)
            except NotNow as error:
                context.log(str(error))
                return False

        context.until("Route 53 reports INSYNC", is_in_sync, within=self.timeout * 0.8)

    def _until_served(self, context: Context, wanted: State) -> None:
        if self.servers and not isinstance(wanted, str):
            until_answered(context, answer_of(listed(self.servers)), self, wanted, within=self.timeout * 0.8)

    def _zone(self, context: Context, known: str = "") -> HostedZone:
        """Return the hosted zone of this id, or the one that the ticket means."""
        route53 = client(context.connection(self.connection), "route53", context.mark.replace("/", "-"))
        return HostedZone(route53, known) if known else HostedZone.of(route53, self.zone, self.connection)

    def _now(self, zone: HostedZone) -> Raw | None:
        raw = zone.find(self.record, self.type)
        if raw and "SetIdentifier" in raw:
            problem = f"{self.type} {self.record} has a routing policy (record '{raw['SetIdentifier']}')"
            raise StepFailed(f"{problem}, which this kind does not change. Change it by another kind of step.")
        return raw

    def _ours(self, before: Raw | None) -> RecordSet:
        state = self._state(before)
        return self.wanted(state if isinstance(state, RecordSet) else None)

    def _state(self, raw: Raw | None) -> State:
        if raw is None:
            return None
        if "AliasTarget" in raw:
            target = raw["AliasTarget"]
            return f"an alias of {target['DNSName']} in {target['HostedZoneId']}"
        return RecordSet(
            canonical_values(self.type, (from_octal(value["Value"]) for value in raw["ResourceRecords"])), raw["TTL"]
        )

    def _raw(self, wanted: RecordSet) -> Raw:
        values = [{"Value": to_octal(value)} for value in wanted.values]
        return {"Name": to_octal(self.record), "Type": self.type, "TTL": wanted.ttl, "ResourceRecords": values}

    def _conflict(self, now: Raw | None, before: Raw | None) -> str:
        states = {"now": self._state(now), "ours": self._ours(before), "before": self._state(before)}
        return self.conflict(**{word: _shown(state) for word, state in states.items()})


def _shown(state: State) -> str:
    return state if isinstance(state, str) else shown(state)

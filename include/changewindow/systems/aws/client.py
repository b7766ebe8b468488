"""Creates AWS clients from Airflow Connections of type `aws`, and explains their errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.systems.connection import Connection

KNOWN = {"region_name", "endpoint_url", "aws_session_token", "role_arn", "assume_role_kwargs"}
USUAL_REGION = "us-east-1"
PATIENCE = {"connect_timeout": 5, "read_timeout": 20, "retries": {"mode": "standard", "total_max_attempts": 3}}
REMEDIES = {
    "throttl": "AWS is throttling this account; wait a minute, and see who else is calling it",
    "toomanyrequests": "AWS is throttling this account; wait a minute, and see who else is calling it",
    "priorrequestnotcomplete": "another change of this zone is not finished; wait a minute",
    "accessdenied": "allow it to the user or role of the connection in IAM",
    "invalidclienttokenid": "correct the connection's login (the access key)",
    "signaturedoesnotmatch": "correct the connection's password (the secret key), and see whether the clock is right",
    "expiredtoken": "renew the connection's aws_session_token, or use a role_arn",
}
LATER = ("throttl", "toomanyrequests", "priorrequestnotcomplete", "serviceunavailable", "internal")
"""Error codes of AWS that may go away by themselves."""


class NotNow(StepFailed):
    """AWS refused or gave no reply at this moment; the same may work in a minute."""


def client(connection: Connection, service: str, session_name: str) -> Any:
    """Return a client of an AWS service, signed in as the connection says.

    Login and password are the access key; without a login, the machine's own role is used. Extra `role_arn` (with
    `assume_role_kwargs`) is a role to assume first.

    Raises:
        UnusableConnection: it asks for a way to sign in that is not supported.
        StepFailed: the role cannot be assumed.
    """
    # Imported when first needed, here and below: it takes its time, and most changes touch no AWS.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    extra = connection.extra
    if unknown := ", ".join(sorted(set(extra) - KNOWN)):
        ways = f"supported way to sign in: remove {unknown} from its extra; it may have {', '.join(sorted(KNOWN))}"
        raise UnusableConnection(connection.name, ways)
    if connection.login and not connection.password:
        raise UnusableConnection(connection.name, "password (the secret key)")
    options = {"endpoint_url": extra.get("endpoint_url"), "config": Config(**PATIENCE)}
    session = boto3.Session(
        connection.login or None,
        connection.password or None,
        extra.get("aws_session_token"),
        extra.get("region_name") or USUAL_REGION,
    )
    if role := extra.get("role_arn"):
        if not isinstance(more := extra.get("assume_role_kwargs") or {}, dict):
            raise UnusableConnection(connection.name, "assume_role_kwargs in its extra that are an object of JSON")
        wanted = {"RoleArn": role, "RoleSessionName": session_name, **more}
        signing = _made(connection, session, "sts", options)
        with explained(f"assume the role {role}"):
            given = signing.assume_role(**wanted)["Credentials"]
        keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        session = boto3.Session(*keys, session.region_name)
    return _made(connection, session, service, options)


def _made(connection: Connection, session: Any, service: str, options: dict[str, Any]) -> Any:
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        return session.client(service, **options)
    except (BotoCoreError, ValueError) as error:
        raise UnusableConnection(connection.name, f"endpoint_url or region_name that can be used ({error})") from error


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn errors of AWS inside this block into failures that say what to do.

    Raises:
        StepFailed: AWS refused, or did not reply.
    """
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        code, text = (str(error.response.get("Error", {}).get(part, "")) for part in ("Code", "Message"))
        remedy = next(
            (remedy for start, remedy in REMEDIES.items() if code.lower().startswith(start)), "correct the ticket"
        )
        kind = NotNow if code.lower().startswith(LATER) else StepFailed
        raise kind(f"AWS refused to {what}: {code} ({text.rstrip('.')}). What to do: {remedy}.") from error
    except BotoCoreError as error:
        problem = f"AWS gave no reply when it was asked to {what}: {str(error).rstrip('.')}."
        kind = NotNow if isinstance(error, HTTPClientError) else StepFailed
        raise kind(f"{problem} Is its endpoint reachable, and has the connection a login?") from error

"""Builds clients of the official Kubernetes libraries from an Airflow Connection of type Kubernetes.

The fields are those that the form of the cncf-kubernetes provider stores in `extra`, also with the older prefix
`extra__kubernetes__`: `in_cluster`, `kube_config_path` and `kube_config` (JSON or YAML as text, or a mapping) say how
the cluster is reached and exclude each other; `cluster_context`, `namespace` and `disable_verify_ssl` add to them.
Without any of the three, `host` is the address of the API server and `password` its bearer token; without a host, the
account of the pod or else the default kube config file is used, as the provider does.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import yaml
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.kubernetes.resource import Json, Resource

if TYPE_CHECKING:
    import kubernetes_asyncio.client
    from kubernetes.client import ApiClient, Configuration

# The libraries take a second to import and few changes need them, while every reader of a ticket imports all kinds:
# they are imported where they are used.

WAYS = ("in_cluster", "kube_config_path", "kube_config")
AGENT = "changewindow"
LONGEST_PAUSE = 30.0
SHARED = ("host", "ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "tls_server_name", "api_key")
TIMEOUT = (10, 30)
ACCEPT = "application/json, */*"


Parameters = TypedDict(
    "Parameters",
    {
        "labelSelector": str,
        "fieldSelector": str,
        "fieldManager": str,
        "fieldValidation": str,
        "force": str,
        "dryRun": str,
        "container": str,
        "timestamps": str,
        "limitBytes": int,
        "sinceTime": str,
        "previous": str,
        "continue": str,
    },
    total=False,
)
"""The query of a request to the API server."""


@dataclass(frozen=True)
class Content:
    """The body of a request, and its content type."""

    body: Json | None = None
    kind: str = "application/json"


@dataclass(frozen=True)
class Reply:
    """What a server replied; with a status of 0, the text says why no reply came."""

    status: int
    text: str
    retry_after: str = ""
    date: str = ""

    @property
    def pause(self) -> float | None:
        """Return how many seconds to wait before asking again, or None when it is no use to ask again."""
        if self.retry_after.isdecimal() and (self.status == 429 or self.status >= 500):
            return min(float(self.retry_after), LONGEST_PAUSE)
        return 1.0 if self.status in {410, 429} else None


def api(connection: Connection) -> "ApiClient":
    """Return a client of the library `kubernetes`.

    Raises:
        UnusableConnection: the connection does not say how to reach a cluster.
    """
    from kubernetes.client import ApiClient  # noqa: PLC0415  see above

    client = ApiClient(configuration(connection))
    client.user_agent = AGENT
    return client


def request(api: "ApiClient", method: str, resource: Resource, content: Content, *, parameters: Parameters) -> Reply:
    """Send a request through a client of the library `kubernetes`."""
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415  see above

    try:
        reply = api.call_api(
            resource.path,
            method,
            query_params=list(parameters.items()),
            header_params={"Accept": ACCEPT, "Content-Type": content.kind},
            body=content.body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _return_http_data_only=True,
            _request_timeout=TIMEOUT,
        )
        return Reply(reply.status, reply.data.decode(errors="replace"))
    except ApiException as error:
        return Reply(error.status, str(error.body or ""), str((error.headers or {}).get("Retry-After") or ""))
    except (HTTPError, UnicodeDecodeError) as error:
        return Reply(0, no_reply(api.configuration.host, getattr(error, "reason", None) or error))


def following(parameters: Parameters, listed: Json) -> Parameters | None:
    """Return how to ask for the rest of a list, if a server or what stands before it has cut the list into pieces."""
    token = (listed.get("metadata") or {}).get("continue")
    return {**parameters, "continue": token} if token else None


def no_reply(host: str, cause: BaseException) -> str:
    """Return the message for a request that got no reply."""
    return f"The API server {host} gave no reply: {type(cause).__name__}. Is it up, reachable, and trusted?"


def asyncio_api(connection: Connection) -> Callable[[], "kubernetes_asyncio.client.ApiClient"]:
    """Return what makes a client of the library `kubernetes_asyncio` in a running loop; blocks while it prepares that.

    Raises:
        UnusableConnection: the connection does not say how to reach a cluster.
    """
    from kubernetes.client.rest import should_bypass_proxies  # noqa: PLC0415  see above
    from kubernetes_asyncio.client import ApiClient, Configuration  # noqa: PLC0415  see above

    known, settings = configuration(connection), Configuration()
    for name in SHARED:
        setattr(settings, name, getattr(known, name))
    if known.proxy and not should_bypass_proxies(known.host, no_proxy=known.no_proxy or ""):
        settings.proxy = known.proxy

    def make() -> "kubernetes_asyncio.client.ApiClient":
        client = ApiClient(settings)
        client.user_agent = AGENT
        # The proxy is in the settings; all that is left of the environment is a .netrc, which must sign nothing.
        client.rest_client.pool_manager._trust_env = False  # noqa: SLF001
        return client

    return make


def configuration(connection: Connection) -> "Configuration":
    """Return the settings by which both libraries reach the cluster; reads files, and may run a login program.

    Raises:
        UnusableConnection: the connection does not say it, or says it in two ways.
    """
    from kubernetes.client import Configuration  # noqa: PLC0415  see above
    from kubernetes.config import ConfigException  # noqa: PLC0415  see above

    ways = [way for way in WAYS if _field(connection, way)]
    if len(ways) > 1:
        raise UnusableConnection(
            connection.name, f"single way to its cluster ({' and '.join(ways)} exclude each other)"
        )
    settings = Configuration()
    # the library must not retry on its own: a step must be able to stop, and a refusal has to be seen
    settings.retries = Retry(0)
    try:
        _load(connection, ways[0] if ways else "", settings)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError) as error:
        # a parser quotes what it could not read, which may be a key
        reason = str(error) if isinstance(error, ConfigException | OSError) else "it is not valid JSON or YAML"
        raise UnusableConnection(connection.name, f"kube config that can be used: {reason.rstrip('. ')}") from error
    if str(_field(connection, "disable_verify_ssl")).lower() == "true":
        settings.verify_ssl = False
    return settings


def namespace_of(connection: Connection, asked: str) -> str:
    """Return the namespace that is asked for, or the connection's, or `default`."""
    return asked or str(_field(connection, "namespace") or "default")


def _load(connection: Connection, way: str, settings: "Configuration") -> None:
    from kubernetes import config  # noqa: PLC0415  see above

    context, given = _field(connection, "cluster_context"), _field(connection, way)
    if way == "in_cluster":
        config.load_incluster_config(client_configuration=settings)
    elif way == "kube_config_path":
        _read(_file(given), context, settings)
    elif way == "kube_config":
        _read(yaml.safe_load(given) if isinstance(given, str) else given, context, settings)
    elif connection.host:
        # a token must not be sent in the clear only because nobody wrote https
        settings.host = replace(connection, schema=connection.schema or "https").base_url
        if connection.password:
            settings.api_key["BearerToken"] = f"Bearer {connection.password}"
    else:
        try:
            config.load_incluster_config(client_configuration=settings)
        except config.ConfigException:
            _read(_file(config.KUBE_CONFIG_DEFAULT_LOCATION), context, settings)


def _file(path: str) -> Any:
    from kubernetes.config import ConfigException  # noqa: PLC0415  see above
    from kubernetes.config.kube_config import KubeConfigMerger  # noqa: PLC0415  see above

    known = KubeConfigMerger(path).config
    if known is None:
        raise ConfigException(f"Invalid kube-config file: there is nothing at {path}")
    return known


def _read(known: Any, context: str | None, settings: "Configuration") -> None:
    from kubernetes.config import ConfigException  # noqa: PLC0415  see above
    from kubernetes.config.kube_config import KubeConfigLoader  # noqa: PLC0415  see above

    loader = KubeConfigLoader(known, context, config_base_path=None)
    loader.load_and_set(settings)
    # the library only logs that a login program failed, and carries on without credentials
    login = loader._user and loader._user.safe_get("exec")  # noqa: SLF001
    if login and not (settings.api_key or settings.cert_file):
        problem = f"its login program {login['command']} (exec) gave no credentials"
        raise ConfigException(f"{problem}; run it as the user of the worker to see why")


def _field(connection: Connection, name: str) -> Any:
    """Return a field of the provider's form, or None where it is empty or an unticked box."""
    extra = connection.extra
    value = extra[name] if name in extra else extra.get(f"extra__kubernetes__{name}")
    return None if value in ("", "false", "False") else value or None

"""Builds the environment of every program that is started: what programs need of ours, and what the caller names.

Nothing is inherited: the worker's environment holds keys with which anybody's token could be made, and connections.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from changewindow.systems.process.account import OURS, Account

PASSED = (
    *("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "LD_LIBRARY_PATH", "JAVA_HOME"),
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
)
"""What is taken over from the worker: where programs are, language, proxies and certificate authorities."""
SETTING = "CHANGEWINDOW_PASS_ENVIRONMENT"
"""The variable in which the operator of a worker names others, such as `KUBECONFIG,AWS_PROFILE,HOME`."""
NEVER = ("AIRFLOW", "_AIRFLOW", "__AIRFLOW", "CHANGEWINDOW")
"""How the names begin that are not even taken over when the operator names them."""


@contextmanager
def built(
    named: Mapping[str, str] | None = None, *, account: Account = OURS, ours: Mapping[str, str] = os.environ
) -> Iterator[dict[str, str]]:
    """Lend an environment for one program, with an empty home that is removed afterwards; `named` is added to it."""
    also = [name.strip() for name in ours.get(SETTING, "").split(",")]
    passed = [name for name in (*PASSED, *also) if name in ours and not name.startswith(NEVER)]
    with tempfile.TemporaryDirectory(prefix="changewindow-home-", ignore_cleanup_errors=True) as home:
        account.own(home)
        usual = {"PATH": os.defpath, "HOME": home, "TMPDIR": tempfile.gettempdir()}
        yield {**usual, **{name: ours[name] for name in passed}, **(named or {})}

"""Asks servers on this machine over HTTP; a client for each question reads whom to trust, which takes 26 ms of CPU."""

import ssl

import httpx

WEB = httpx.Client(
    trust_env=False,
    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # trusts nobody: none of these servers speaks TLS
    limits=httpx.Limits(max_keepalive_connections=0),  # some of them are killed between two questions
)

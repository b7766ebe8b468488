"""Silences alerts in Alertmanager, by matchers of their labels.

The address comes from an Airflow Connection of type HTTP: login and password, or a token in the password alone, or
nothing. At least one matcher names the value of a label. What the change's watch, validation or verification counts
cannot be silenced. A silence that a person ends or prolongs in Alertmanager is left to them.
"""

from typing import ClassVar, Literal

from changewindow.silences.base import SilenceBase
from changewindow.systems.alertmanager import ByMatchers
from changewindow.systems.http.api import Product

EXAMPLE = {
    "kind": "alertmanager",
    "connection": "example_alertmanager",
    "matchers": ['service="orders"', 'alertname=~"PodRestarts|PodNotReady"'],
}
PRODUCT = Product("Alertmanager", needs="a token that may silence, with no login beside it", takes_login=True)


class Silence(ByMatchers, SilenceBase):
    """Alerts with certain labels."""

    kind: Literal["alertmanager"] = "alertmanager"
    product: ClassVar[Product] = PRODUCT
    path: ClassVar[str] = "/api/v2/silences"

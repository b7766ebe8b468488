"""Silences alerts in Grafana, by matchers of their labels.

The address comes from an Airflow Connection of type HTTP, with the token of a service account in its password, whose
role is Editor, or which may create silences. What an alert is called, and its folder, are labels too: `alertname`,
`grafana_folder`. At least one matcher names the value of a label. What the change's watch, validation or verification
counts cannot be silenced. A silence that a person ends or prolongs in Grafana is left to them.
Source: https://grafana.com/docs/grafana/latest/developer-resources/api-reference/http-api/
"""

from typing import ClassVar, Literal

from changewindow.silences.base import SilenceBase
from changewindow.systems.alertmanager import ByMatchers
from changewindow.systems.http.api import Product

EXAMPLE = {
    "kind": "grafana",
    "connection": "grafana",
    "matchers": ['service="orders"', 'alertname=~"PodRestarts|PodNotReady"'],
}
PRODUCT = Product(
    "Grafana",
    needs="the token of a service account with the role Editor, or the permissions to read, create and update silences",
    takes_login=True,
)


class Silence(ByMatchers, SilenceBase):
    """Alerts with certain labels."""

    kind: Literal["grafana"] = "grafana"
    product: ClassVar[Product] = PRODUCT
    path: ClassVar[str] = "/api/alertmanager/grafana/api/v2/silences"

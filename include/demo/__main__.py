"""The demo: starts Airflow and a real service, plays two changes on it, and shows how they ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from changewindow.cli import process_group, standalone
from changewindow.cli.airflow_api import Client, wait_for
from changewindow.cli.start_up import wait_until_healthy, why_ended
from changewindow.errors import ChangeError, PlatformError
from demo.scenario import ACTS, Played, play

FOLDER = standalone.ROOT / ".demo"
POLICY = Path(__file__).with_name("policy")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
USERS = {"alice": "user", "bob": "user", "admin": "admin"}


def main() -> int:
    """Run the demo; return 0 only if every outcome is the expected one."""
    console = Console()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with running(console) as (place, airflow):
            played = play_all(console, place)
            console.print(outcomes(played))
            console.print(how_to_log_in(place))
            good = len(played) == len(ACTS) and all(ending.is_as_expected for ending in played)
            if not os.environ.get("ONCE"):
                _stay_up(console, place, airflow)
    except KeyboardInterrupt:
        console.print("\ninterrupted; all processes of the demo have been stopped")
        return 130
    except ChangeError as error:
        console.print(f"[red]{error}")
        return 1
    console.print("stopped; all processes of the demo have ended")
    return 0 if good else 1


@contextmanager
def running(console: Console) -> Iterator[tuple[standalone.Place, "subprocess.Popen[bytes]"]]:
    """Start the service under load and Airflow in an empty folder; end both, whatever happens."""
    standalone.stop_leftover(FOLDER / "airflow")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    port = int(os.environ.get("DEMO_PORT") or standalone.free_port())
    place = standalone.Place(FOLDER / "airflow", port, USERS)
    with console.status("starting the orders service, its database and its clients"), world(FOLDER / "world") as reach:
        airflow = None
        try:
            starting = f"starting Airflow on {place.url}"
            with console.status(starting) as status:
                airflow = standalone.start(place, {**reach, "CHANGEWINDOW_POLICY": str(POLICY)})
                wait_until_healthy(place, airflow, lambda text: status.update(f"{starting}: {text}"))
            console.print(f"Airflow is up: {place.url}")
            yield place, airflow
        finally:
            if airflow is not None:
                process_group.stop(airflow)


@contextmanager
def world(folder: Path) -> Iterator[dict[str, str]]:
    """Run the service that is changed; yield the Airflow Connections to it, as environment variables."""
    process = subprocess.Popen([sys.executable, "-m", "demo.world", "--folder", str(folder)], start_new_session=True)
    try:
        ready = folder / "world.json"
        wait_for(lambda: ready.exists() or process.poll() is not None, "the service of the demo", 300)
        yield connections(json.loads(ready.read_text()))
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def connections(ready: dict[str, Any]) -> dict[str, str]:
    """Return the Airflow Connections of a running world, as environment variables."""
    orders = {"conn_type": "http", "host": ready["service_url"]}
    repository = {"conn_type": "git", "host": ready["repository"]}
    return {"AIRFLOW_CONN_ORDERS": json.dumps(orders), "AIRFLOW_CONN_ORDERS_CONFIG": json.dumps(repository)}


def play_all(console: Console, place: standalone.Place) -> list[Played]:
    """Play every act, with its progress on the terminal."""
    alice, bob = (Client(place.url, user, place.password(user)).log_in() for user in ("alice", "bob"))
    wait_for(lambda: _has_form(alice), "the DAG request_change", 300)
    rows: dict[str, tuple[str, str]] = {act.ticket: ("", "waiting") for act in ACTS}
    with Live(_progress(rows), console=console, refresh_per_second=4) as live:

        def report(ticket: str, change: str, doing: str) -> None:
            rows[ticket] = (change, doing)
            live.update(_progress(rows))
            if not console.is_terminal:
                console.print(f"{ticket:10} {change:10} {doing}")

        return [play(act, alice, bob, report) for act in ACTS]


def outcomes(played: list[Played]) -> Table:
    """Return the table of outcomes, with a link to each run."""
    table = Table(title="How the changes ended", show_lines=True)
    for heading in ("change", "outcome", "run", "reason and page"):
        table.add_column(heading, overflow="fold")
    for ending in played:
        colour = "green" if ending.is_as_expected else "red"
        outcome = ending.outcome if ending.is_as_expected else f"{ending.outcome}, expected {ending.act.outcome}"
        why = f"{escape(ending.reason)}\n[link={ending.page}]{ending.page}[/link]"
        table.add_row(f"{ending.change}\n{ending.act.ticket}", f"[{colour}]{outcome}", ending.state, why)
    return table


def how_to_log_in(place: standalone.Place) -> str:
    """Return the address and the users, one per line."""
    users = "".join(f"\n  {name:6} {place.password(name)}   ({role})" for name, role in USERS.items())
    return f"\nAirflow: {place.url}\nLog in as:{users}\nAirflow's logs: {place.home}/*.log"


def _progress(rows: dict[str, tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for ticket, (change, doing) in rows.items():
        table.add_row(ticket, change, doing)
    return table


def _stay_up(console: Console, place: standalone.Place, airflow: "subprocess.Popen[bytes]") -> None:
    """Keep everything running until Ctrl-C, and say which component was started again.

    Raises:
        PlatformError: one of them died again and again.
    """
    console.print("\nEverything keeps running until you press Ctrl-C.")
    with suppress(KeyboardInterrupt), (place.home / "standalone.log").open() as log:
        log.seek(0, os.SEEK_END)
        while airflow.poll() is None:
            for line in log:
                console.print(line.rstrip(), markup=False)
            time.sleep(1)
        raise PlatformError(why_ended(place.home))


def _has_form(client: Client) -> bool:
    with suppress(ChangeError):
        return bool(client.get("/dags/request_change"))
    return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Begin to clean up, which further signals do not interrupt."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

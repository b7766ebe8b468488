"""What the owner is shown who confirms a checklist."""

from changewindow.changes.confirming import body
from changewindow.ticket.reader import build_ticket
from support.tickets import banner

PAGE = "https://airflow.example.com/dags/CHG-1042/runs/manual__1"


def test_the_items_stand_in_the_body_with_values_plan_and_link() -> None:
    """What is ticked can be read before it is ticked; nothing of a ticket is Markdown."""
    data = banner(
        preflight={"confirmed": ["Backup *done*", "Support is told"]},
        parameters={"count": {"type": "integer", "default": 2, "allowed": [2, 3]}, "colour": {"default": "red"}},
        details="{{ params.count }} of {{ params.colour }}",
    )
    shown = body("CHG-1042", build_ticket(data, {"count": 3}), data, {"count": 3}, page=PAGE)
    parts = shown.split("\n\n")
    assert parts[1] == "Tick every item that is true. What is not ticked stops the change:"
    assert parts[2] == "- Backup \\*done\\*\n- Support is told"
    assert parts[4] == "- count = 3 (chosen for this run)\n- colour = 'red'"
    assert parts[5] == f"[Open the run]({PAGE})"
    assert "- **apply\\_1** Switch it on" in shown
    assert "3 of red" in shown
    assert "With other values" not in shown, "they are chosen"


def test_a_change_without_parameters_says_nothing_of_values() -> None:
    """There is nothing to choose."""
    data = banner(preflight={"confirmed": ["Backup done"]})
    assert "With these values" not in body("CHG-1042", build_ticket(data), data, {}, page=PAGE)

"""The rooms of the local Slack, and what stands in them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Posted:
    """A message as it stands there."""

    ts: str
    room: str
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    thread_ts: str = ""
    is_broadcast: bool = False
    by: str = "B0TEST0001"
    is_deleted: bool = False
    versions: list[str] = field(default_factory=list)
    """Every text that stood there, the newest last."""

    @property
    def key(self) -> str:
        """Return what names it in its metadata."""
        return str(self.metadata.get("event_payload", {}).get("key", ""))

    def say(self, fields: dict[str, Any]) -> None:
        """Let it say what is sent; a text without blocks removes those that were there, metadata stay."""
        self.text = fields.get("text") or ("" if fields.get("blocks") else self.text)
        blocks = fields.get("blocks") or []
        self.blocks = [{"block_id": f"b{number}", **block} for number, block in enumerate(blocks)]
        self.metadata = fields["metadata"] if fields.get("metadata") is not None else self.metadata
        self.versions.append(self.text)

    def button(self, action: str) -> dict[str, Any]:
        """Return a button of it, which can be pressed when it is no longer there."""
        for block in self.blocks:
            for element in [*block.get("elements", ()), block.get("accessory", {})]:
                if element.get("action_id") == action:
                    return {**element, "block_id": block["block_id"]}
        raise KeyError(action)

    @property
    def buttons(self) -> list[str]:
        """Return what can be pressed there."""
        elements = [each for block in self.blocks for each in [*block.get("elements", ()), block.get("accessory", {})]]
        return [each["action_id"] for each in elements if each.get("type") == "button"]

    def shown(self, with_metadata: bool) -> dict[str, Any]:  # noqa: FBT001
        """Return it as the Web API does."""
        known = {"type": "message", "ts": self.ts, "text": self.text, "blocks": self.blocks, "bot_id": self.by}
        known |= {"thread_ts": self.thread_ts} if self.thread_ts else {}
        known |= {"subtype": "thread_broadcast"} if self.is_broadcast else {}
        return known | ({"metadata": self.metadata} if with_metadata and self.metadata else {})


@dataclass
class Room:
    """A channel."""

    id: str
    name: str
    is_private: bool = False
    is_member: bool = True
    """Whether the bot was invited."""
    is_archived: bool = False
    messages: list[Posted] = field(default_factory=list)
    posts: list[float] = field(default_factory=list)
    """When somebody posted there."""

    @property
    def sort(self) -> str:
        """Return what conversations.list calls it."""
        return "private_channel" if self.is_private else "public_channel"

    @property
    def standing(self) -> list[Posted]:
        """Return what was not deleted, the oldest first."""
        return [message for message in self.messages if not message.is_deleted]

    @property
    def top(self) -> list[Posted]:
        """Return what stands in the room itself, without replies in threads."""
        return [message for message in self.standing if not message.thread_ts]

    def message(self, ts: str) -> Posted | None:
        """Return the message of a time stamp."""
        return next((message for message in self.standing if message.ts == ts), None)

    def thread(self, ts: str) -> list[Posted] | None:
        """Return a message and its replies; nothing where neither is left."""
        found = [each for each in self.standing if ts in {each.ts, each.thread_ts}]
        return found or None

    def replies(self, above: Posted) -> list[Posted]:
        """Return the replies below a message, the oldest first."""
        return [each for each in self.standing if each.thread_ts == above.ts]

    def described(self) -> dict[str, Any]:
        """Return it as the Web API does."""
        kind = {"is_private": self.is_private, "is_member": self.is_member, "is_archived": self.is_archived}
        return {"id": self.id, "name": self.name, **kind}

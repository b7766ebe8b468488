"""Text that comes from elsewhere is shown as it is, and acts on nothing."""

import pytest

from changewindow.documents.text import escaped, in_words, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ümläut, 日本 and 🚀", "plain, ümläut, 日本 and 🚀"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", r"\u001b]0;title\u0007"),
        ("\x9b2J", r"\u009b2J"),
        ("safe\revil", r"safe\u000devil"),
        ("line\r\nline\r", "line\nline"),
        ("a\u202egpj.exe\u2066", r"a\u202egpj.exe\u2066"),
        ("\U000e0041\u200b", r"\udb40\udc41\u200b"),
        ("\x00\x7f\udc80", r"\u0000\u007f\udc80"),
    ],
)
def test_nothing_in_a_text_is_unseen_or_acts(text: str, shown: str) -> None:
    """A sign that acts on a terminal, or turns what is read around, is shown by its number."""
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("[pay](https://evil) ![](https://evil/x.png)", r"\[pay\](https://evil) !\[\](https://evil/x.png)"),
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("- item\n1. item\n=====\n# head", "\\- item\n1\\. item\n\\=====\n\\# head"),
        ("`code` *loud* ~gone~ |", r"\`code\` \*loud\* \~gone\~ \|"),
        ("\x1b[2J", r"\\u001b\[2J"),
    ],
)
def test_markdown_shows_the_text(text: str, markdown: str) -> None:
    """No link, image, page or list comes of what somebody wrote."""
    assert escaped(text) == markdown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("main", "main"),
        (None, "nothing"),
        (True, "true"),
        (0.5, "0.5"),
        ({"commit": "9f9f", "into": "main"}, "commit 9f9f, into main"),
        ({"was_scaled": False, "before": None}, "was scaled false, before nothing"),
        ({"objects": [{"kind": "Job", "name": "a"}, "b"], "ttl": 60}, "objects (kind Job, name a; b), ttl 60"),
        ({"values": []}, "values none"),
        ("two\nlines", "two lines"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_a_value_is_said_in_words(value: object, text: str) -> None:
    """As people read it, not as programs do."""
    assert in_words(value) == text

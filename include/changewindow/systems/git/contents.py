"""Makes new contents of files, in the encoding and with the line ends in which their repository stores them."""

from changewindow.errors import StepFailed
from changewindow.systems.git.attributes import Attributes
from changewindow.systems.git.clone import Clone
from changewindow.systems.git.trees import File, present

BY_MERGE = "Commit it on a branch, and use `merge`."


def overwritten(clone: Clone, name: str, text: str) -> File:
    """Return a file with a text as its whole content: in UTF-8, or as the present file's first bytes tell.

    Raises:
        StepFailed: it cannot be told how such a file is stored.
    """
    file, attributes = present(clone, name), Attributes.of(clone, name)
    _require_text(clone, name, attributes)
    if attributes.is_encoded:  # what is stored is UTF-8; a checkout has the other encoding
        return File(file.mode, attributes.normalized(text.removeprefix("\ufeff"), file.content or b"").encode())
    _require_encoding(clone, name, file, text)
    normalized = attributes.normalized(text, file.content or b"")
    return File(file.mode, file.mark + normalized.removeprefix("\ufeff" if file.mark else "").encode(file.encoding))


def replaced(clone: Clone, name: str, old: str, new: str) -> File:
    """Return a file with one text replaced, and each other byte as it was.

    Raises:
        StepFailed: the text is not there once, or it cannot be told how such a file is stored.
    """
    file = present(clone, name)
    if file.content is None:
        raise StepFailed(f"There is no file {name} on {clone.branch} of {clone.connection}. Correct its path.")
    _require_text(clone, name, Attributes.of(clone, name))
    _require_encoding(clone, name, file, new)
    # What is no text in that encoding stays as it is, and so matches nothing.
    content = file.content.removeprefix(file.mark).decode(file.encoding, errors="surrogateescape")
    if (times := content.count(old)) != 1:
        problem = f"{name} on {clone.branch} has {old!r} {times} times, once was expected."
        hint = " Its lines end with \\r\\n." if "\r\n" in content and "\n" in old else ""
        raise StepFailed(f"{problem} Correct `old`, with as much around it as makes it unique.{hint}")
    edited = content.replace(old, new).encode(file.encoding, errors="surrogateescape")
    return File(file.mode, file.mark + edited)


def _require_text(clone: Clone, name: str, attributes: Attributes) -> None:
    """Refuse a file whose stored content is made by a program: a pointer of Git LFS, or something encrypted."""
    if attributes.has_filter:
        problem = f"{name} on {clone.branch} goes through the filter {attributes.filter} of .gitattributes"
        raise StepFailed(f"{problem}, which does not run here. {BY_MERGE}")


def _require_encoding(clone: Clone, name: str, file: File, text: str) -> None:
    """Refuse to mix encodings in a file, or to replace one that nothing tells."""
    content, problem = file.content or b"", f"{name} on {clone.branch}"
    if not file.mark and b"\0" in content:
        raise StepFailed(f"{problem} is no text in UTF-8: it is binary, or UTF-16 without a mark. {BY_MERGE}")
    try:
        content.removeprefix(file.mark).decode(file.encoding)
    except UnicodeError as error:
        if file.mark or not text.isascii():
            encoding = file.encoding.upper()
            raise StepFailed(f"{problem} is not in {encoding}, and the new text would be. {BY_MERGE}") from error

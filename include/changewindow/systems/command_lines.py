r"""Takes secrets out of command lines that somebody else has typed, by what usually stands before them.

Nobody has told us these secrets. What looks like one is hidden, also where it is none.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from changewindow.systems.secrecy import HIDDEN
from changewindow.systems.secret_options import VALUE, without_known

LONGEST = 20_000
"""Characters that are looked at; what comes after them is cut off."""
NAME = (
    r"[\w.-]{0,40}(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|cookie|authorization"
    r"|(?:api|private|access|auth|account|encryption|master|signing|fernet|ssh|deploy|shared|license)[_-]?key)[\w.-]{0,20}"
)
QUOTED = rf"(?i)((?<!\S)'-{{0,2}}{NAME}=)[^']{{0,9999}}"
ASSIGNED = rf"(?i)(?<![\w/])({NAME}\\?[\"']?\s?(?:=|:\s?)\s?(?:(?:basic|bearer|token)\s+)?){VALUE}"
OPTION = rf"(?i)((?<!\S)--?{NAME}\s+){VALUE}"
OF_SECRET = rf"(--from-literal[= ][\"']?[\w.-]{{1,200}}=){VALUE}"
SETTING = (
    r"(?i)((?<![\w-])(?:--)?(?:set|setx|put|config|configure|connect|define|variables)\s(?!image\s)[^|;&]{0,200}?(?<![^\s/:])"
    rf"{NAME}\s+(?:=\s*)?){VALUE}"
)
PROSE = rf"(?i)(\b(?:password|passphrase|passwd|token|secret)\s+(?:is|was|to)\s+){VALUE}"
WHOLE = (
    r"(?i)((?<![\w/-])(?:\w{1,40}_auth|(?-i:AUTH)|(?:\w{0,40}_)?(?:pw|pin|otp|pat|fernet|sig|signature|x-amz-signature))=)"
    rf"{VALUE}"
)
IN_EXPRESSION = rf"(?i)(/{NAME}=)[^\s/]{{1,2000}}"
PGPASS_LINE = r"(?m:^)((?:[\w.-]+|\*):(?:[0-9]{1,5}|\*):[^\s:]+:[^\s:]+:)\S+(?m:$)"
SQL = (
    r"(?i)(\b(?:identified\s+(?:with\s+\S{1,60}\s+)?(?:by|as)\s+|password(?:\s+for\s+\S{1,200}\s*=|\s*=)\s*(?:password\s*\(\s*)?"
    r"""|password\s*\(\s*|password\s+))(?:'[^']{0,9999}'|"[^"]{0,9999}")"""
)
HERE_STRING = rf"(<<<\s?){VALUE}"
ADDRESS = r"(://[^\s/:@]{0,200}:)[^\s/]{1,1000}(?=@)"
USER = r"(\bhttps?://)[^\s/:@]{1,1000}(?=@)"
"""Who is named alone before an address of HTTP may be a token."""
PIPED = (
    r"(\b(?:echo|printf)\s)[^|]{1,2000}(?=\|\s*(?:(?:sudo\s+)?(?:\S*/)?(?:ch)?passwd\b|sudo\s+(?:-\w+\s+)?-\w*S"
    r"|[^|;&]{1,500}--password-stdin\b|cryptsetup\b|openssl\b|base64\b|gh\s+auth\b|vault\b))"
)
WRITTEN = rf"(?i)(\b(?:echo|printf)\s)[^|>]{{1,2000}}(?=>>?\s*[^\s|;&]{{0,200}}{NAME})"
BEARER = rf"(?i)(\bbearer\s+){VALUE}"
OPENSSL = r"(\bpass:)\S+"
SHAPE = (
    r"()(?:\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}"
    r"|\bhv[sb]\.[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*|\bsk-[\w-]{20,}|\b[sr]k_live_\w{16,}"
    r"|\bAIza[\w-]{35}|\bnpm_\w{36}|\bSG\.[\w-]{20,}\.[\w-]{20,}|(?<=hooks\.slack\.com/services/)[\w/]{20,}"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*)"
)
ALONE = rf"(?i)--?{NAME}"
ASSIGNING = rf"(?i)(-{{0,2}}{NAME}=)"
OPTION_ALONE, ASSIGNMENT = re.compile(ALONE), re.compile(ASSIGNING)
PATTERNS = (
    re.compile(PIPED),
    re.compile(WRITTEN),
    re.compile(HERE_STRING),
    re.compile(QUOTED),
    re.compile(SQL),
    re.compile(ASSIGNED),
    re.compile(OPTION),
    re.compile(OF_SECRET),
    re.compile(PROSE),
    re.compile(SETTING),
    re.compile(WHOLE),
    re.compile(IN_EXPRESSION),
    re.compile(PGPASS_LINE),
    re.compile(ADDRESS),
    re.compile(USER),
    re.compile(BEARER),
    re.compile(OPENSSL),
    re.compile(SHAPE),
)


def shown_command(arguments: Sequence[str]) -> str:
    """Return a command line of arguments in which what looks like a secret is hidden, whatever signs are in it."""
    shown = []
    for before, argument in pairwise(["", *arguments]):
        match = ASSIGNMENT.match(argument)
        text = HIDDEN if OPTION_ALONE.fullmatch(before) else f"{match[1]}{HIDDEN}" if match else argument
        shown.append(f"'{text}'" if " " in text else text)
    return without_secrets(" ".join(shown))


def holds_secret(name: str, value: str) -> bool:
    """Return whether a value looks like a secret, by its name or by what is in it, such as a password in an address."""
    line = f"{name}={value}"[:LONGEST]  # of what comes later, nothing is shown
    return without_secrets(line) != line


def without_secrets(line: str) -> str:
    """Return a command line in which what looks like a secret is hidden."""
    text = line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
    text = without_known(text)
    for pattern in PATTERNS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text

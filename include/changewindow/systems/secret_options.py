"""Takes secrets out of the options and arguments of programs that are known to have them there."""

import re

from changewindow.systems.secrecy import HIDDEN

VALUE = (
    r"""(?:"(?:\\.|[^"\\]){0,9999}"[\w.!@#$%^*+-]{0,200}|'[^']{0,9999}'[\w.!@#$%^*+-]{0,200}|[$<]\([^()]{0,999}\)|`[^`]{0,999}`"""
    r"""|(?:\\.|[^\s\\"';|&])+(?:"[^"\s]{0,200}"|'[^'\s]{0,200}')?)"""
)
"""A word for a shell, as far as it can be told."""
GAP = r"\s{1,9}"
"""What stands between an option and its value; a line may be continued there."""
SEGMENT = r"""(?:"(?:\\.|[^"\\])*+"|'[^']*+'|\\.|[^|;&"'\\]|["'\\])*+"""
"""The rest of one command of a line: what separates commands does not, within quotes."""
OPTIONS: tuple[tuple[str, str], ...] = (
    (r"curl", r"-(?:[0-9#BfGgIijkLlMNnOpqRSsvZ]{0,12}[uUb]|-user|-proxy-user|-cookie|-oauth2-bearer)(?:=|{GAP})?"),
    (r"curl", r"(?:-E|--cert)[ =]?[^\s:]{1,200}:"),
    (r"sshpass|mysql\w*|mariadb\S*|mongo\w*|usermod|useradd|docker|podman|oc|helm|az|cqlsh|7z\w*", r"-p(?:=|{GAP})?"),
    (r"airflow\s+users", r"-p(?:=|{GAP})?"),
    (r"redis-cli", r"-a(?:=|{GAP})?|(?i:auth|requirepass)\s+"),
    (r"ldap\w+", r"-w(?:=|{GAP})?"),
    (r"ldappasswd", r"-[sa](?:=|{GAP})?"),
    (r"smbclient", r"-U(?:=|{GAP})?"),
    (r"lftp", r"-u(?:=|{GAP})?"),
    (r"https?", r"(?:-a|--auth)(?:=|{GAP})?"),
    (r"zip\w*|unzip|ipmitool|sqlcmd|bcp|isql|osql", r"-P(?:=|{GAP})?"),
    (r"snmp\w+", r"-[cAX](?:=|{GAP})?"),
    (r"openssl", r"-[kK](?:=|{GAP})"),
    (r"etcdctl", r"--user(?:=|{GAP})\w{1,100}:"),
    (r"xfreerdp\w*|mstsc", r"/p:"),
    (r"(?:kubectl|oc)(?=\s[^|;&]{0,500}\bsecrets?\b)", r"(?:-p|--patch)(?:=|{GAP})?"),
    (
        r"(?:az|aws|gcloud|gh)(?=\s[^|;&]{0,200}(?:secret|keyvault|put-parameter))",
        r"(?:-b|--(?:value|body|data|data-file))(?:=|{GAP})",
    ),
    (r"expect", r"(?:-c\s+')?send\s+(?:--\s+)?"),
)
"""Programs, and what stands there before a secret."""
ARGUMENTS = (
    rf"(vault\s+(?:operator\s+)?(?:login|unseal)\s+(?:-\S{{1,200}}\s+){{0,9}}){VALUE}",
    r"(vault\s(?:kv\s)?(?:put|patch|write)\s(?:-\S{1,200}\s){0,9}\S{1,500}\s)[^|;&]{1,2000}",
    r"(\w{1,40}\s+secrets?\s+(?:set|add|put)\s+\S{1,200}?[\s=])[^|;&]{1,2000}",
    rf"(rabbitmqctl\s+(?:add_user|change_password)\s+\S+\s+){VALUE}",
    rf"(mysqladmin\s[^|;&]{{0,2000}}?password\s+){VALUE}",
    rf"(htpasswd\s+-\w*n\w*b\w*\s+\S+\s+|htpasswd\s+-\w*bn\w*\s+\S+\s+|htpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+){VALUE}",
    rf"(wpa_passphrase\s+\S+\s+|net\s+user\s+\S+\s+|ConvertTo-SecureString\s+(?:-String\s+)?){VALUE}",
    r"((?:sqlplus|sqlldr|impdp|expdp|imp|exp|rman\s+target)\s+(?:-\S{1,20}\s+){0,9}[\w$#]{1,60}/)[^\s@/]+",
)
"""Arguments that are secrets, or are kept as such, with what stands before them."""


def _program(names: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{names})\s{SEGMENT}")


def _option(before: str) -> re.Pattern[str]:
    before = before.replace("{GAP}", GAP)
    return re.compile(rf"(?<!\S)((?:{before})){VALUE}")


TOOLS = tuple((_program(program), _option(before)) for program, before in OPTIONS)
PROGRAMS = re.compile(
    r"(?<![\w-])(?:curl|sshpass|mysql|mariadb|mongo|user(?:mod|add)|docker|podman|oc|helm|az|aws|gcloud|gh|kubectl|cqlsh|7z|airflow"
    r"|redis-cli|ldap|smbclient|lftp|https?|zip|unzip|ipmitool|sqlcmd|bcp|isql|osql|snmp|openssl|etcdctl|xfreerdp|mstsc|expect|vault"
    r"|rabbitmqctl|htpasswd|wpa_passphrase|net|ConvertTo-SecureString|sqlplus|sqlldr|impdp|expdp|imp|exp|rman)|\ssecrets?\s"
)
"""Most lines have none of them, and are done with at once."""
KNOWN = tuple(re.compile(rf"(?<![\w-]){argument}") for argument in ARGUMENTS)


def without_known(line: str) -> str:
    """Return a command line without the secrets that known programs take."""
    if not PROGRAMS.search(line):
        return line
    for program, option in TOOLS:
        line = program.sub(lambda match, option=option: option.sub(rf"\g<1>{HIDDEN}", match[0]), line)  # type: ignore[misc]
    for argument in KNOWN:
        line = argument.sub(rf"\g<1>{HIDDEN}", line)
    return line

"""Says whether a command that was given by hand names an object that a collector has seen."""

import re
from posixpath import dirname, normpath

from changewindow.changes.announced import SEPARATORS, places, words

PARTS = re.compile(r"[\s:/\[\]()]+")
"""What stands between the parts of an object's name: `web-3:nginx`, `Package[nginx]`, `shop.example.com:443`."""
SHORTEST_NAME = 3
OF_A_CLUSTER = re.compile(r"(?P<kind>[A-Z][A-Za-z]+) (?P<namespace>[^\s/]*)/(?P<name>\S+)")
FILE = re.compile(r"[^/]*?[:\[](?P<path>/[^\]]*)\]?")
"""A file of a host: `web-3:/etc/hosts`, `web-3:File[/etc/hosts]`."""
FOR_A_CLUSTER = re.compile(r"(?<![\w-])(?:kubectl|oc|k)\s|^(?:create|update|patch|delete|deletecollection)\s")
"""How commands for a cluster begin, and the lines that are read of its audit log."""
NAMESPACE = re.compile(r"(?<!\S)(?:-n|--namespace)[\s=]*([\w.-]+)")
SHORT = {
    "deploy": "deployment",
    "sts": "statefulset",
    "ds": "daemonset",
    "rs": "replicaset",
    "po": "pod",
    "cj": "cronjob",
    "cm": "configmap",
    "svc": "service",
    "ing": "ingress",
    "sa": "serviceaccount",
    "hpa": "horizontalpodautoscaler",
    "pvc": "persistentvolumeclaim",
    "pv": "persistentvolume",
    "netpol": "networkpolicy",
    "pdb": "poddisruptionbudget",
    "ns": "namespace",
    "no": "node",
    "crd": "customresourcedefinition",
    "ep": "endpoints",
    "quota": "resourcequota",
}
"""The short names of kinds that kubectl knows."""
KINDS = {*SHORT.values(), "secret", "job", "role", "rolebinding", "clusterrole", "clusterrolebinding", "limitrange"}


def is_named(seen: str, line: str, folders: frozenset[str]) -> bool:
    """Return whether a command names an object.

    An object of a cluster is named by its name, unless the command is for another kind or namespace; a file by its
    path, or by the end of that from a folder on that the record names; anything else by the last part of its name,
    and where that is a port or the like, the part before it too.
    """
    if match := OF_A_CLUSTER.fullmatch(seen):
        return _is_in_cluster(match["kind"].casefold(), match["namespace"], match["name"].casefold(), line)
    if match := FILE.fullmatch(seen):
        return _is_file(match["path"].casefold(), line, folders)
    *above, last = [part for part in PARTS.split(seen.casefold()) if part] or [""]
    given = places(words(line))
    is_short = len(last) < SHORTEST_NAME or last.isdecimal()
    return last in given and (not is_short or not above or above[-1] in given)


def folders_in(lines: tuple[str, ...]) -> frozenset[str]:
    """Return the folders that commands name, as anything that looks like a path may be one."""
    return frozenset(normpath(path) for line in lines for path in _paths(line) if path.startswith("/"))


def _is_in_cluster(kind: str, namespace: str, name: str, line: str) -> bool:
    if name not in places(words(line)):
        return False
    if not FOR_A_CLUSTER.search(line):
        return True
    given = NAMESPACE.search(line)
    kinds = _kinds(line)
    return (not given or not namespace or given[1] == namespace) and (not kinds or kind in kinds)


def _kinds(line: str) -> frozenset[str]:
    """Return the kinds of a cluster that a command names, each by its full name."""
    named = (part.partition(".")[0] for word in words(line.casefold()) for part in word.split("/")[:1])
    full = (SHORT.get(word, word) for word in named)
    singular = {form for word in full for form in (word, word.removesuffix("s"), f"{word.removesuffix('ies')}y")}
    return frozenset(KINDS & {*singular, *(word.removesuffix("es") for word in singular)})


def _is_file(path: str, line: str, folders: frozenset[str]) -> bool:
    for given in _paths(line):
        if given.startswith("/"):
            if normpath(given) == path:
                return True
        elif path.endswith(f"/{given}") and ("/" in given or dirname(path) in folders):
            return True
    return False


def _paths(line: str) -> list[str]:
    """Return the words of a line without a host before them, and without what only says where they begin."""
    named = (word.rpartition(":")[2] for word in SEPARATORS.split(line.casefold()) if word)
    return [word.removeprefix("~/").removeprefix("./") for word in named if word]

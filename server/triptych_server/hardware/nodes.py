"""Device nodes: whether they are there, and whether this process may open them."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from triptych_server.hardware.tree import Tree


@dataclass(frozen=True, slots=True)
class Node:
    """A device node. `problem` is why it cannot be opened, empty when it can; `group` is the id of its group, and None when
    that group has no access either."""

    path: str
    problem: str
    group: int | None


def device_nodes(tree: Tree, pattern: str) -> tuple[Node, ...]:
    """The nodes that match, such as `dev/dri/renderD*`."""
    return tuple(_node(tree, path) for path in tree.glob(pattern))


def _node(tree: Tree, path: Path) -> Node:
    try:
        status = (tree.root / path).stat()
    except OSError as error:
        return Node(f"/{path}", error.strerror or str(error), None)
    group = status.st_gid if status.st_mode & 0o060 == 0o060 else None
    return Node(f"/{path}", _problem(tree, path, status), group)


def _problem(tree: Tree, path: Path, status: os.stat_result) -> str:
    """On the live machine opening tells, as a container's device rules deny what the mode bits allow."""
    if not tree.live:
        return "" if status.st_mode & 0o006 == 0o006 else "Permission denied"
    if not stat.S_ISCHR(status.st_mode):
        return "not a device node"
    try:
        os.close(os.open(tree.root / path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""

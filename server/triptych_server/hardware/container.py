"""Whether this runs in a container, which decides what advice helps."""

import re
from dataclasses import dataclass

from triptych_server.hardware.tree import Tree


@dataclass(frozen=True, slots=True)
class Container:
    """`kind` is docker, podman, kubernetes, lxc or container; empty on a host."""

    kind: str

    def advice(self, *, host: str, container: str) -> str:
        """What mends a thing, there or here."""
        return container if self.kind else host


def probe_container(tree: Tree) -> Container:
    """The container, by the marks that the container engines leave."""
    told = dict(word.partition("=")[::2] for word in tree.words("proc/1/environ")).get("container", "")
    groups = re.search(r"kubepods|docker|libpod|lxc|containerd", tree.text("proc/1/cgroup"))
    if tree.exists("var/run/secrets/kubernetes.io") or (groups and groups[0] == "kubepods"):
        return Container("kubernetes")
    if tree.exists("run/.containerenv"):
        return Container("podman")
    if tree.exists(".dockerenv"):
        return Container("docker")
    named = tree.text("run/systemd/container") or told or (groups[0] if groups else "")
    known = {"libpod": "podman", "lxc-libvirt": "lxc", "containerd": "container"}
    return Container(known.get(named, named) if re.fullmatch(r"[a-z][a-z0-9-]{0,30}", named) and named != "wsl" else "")

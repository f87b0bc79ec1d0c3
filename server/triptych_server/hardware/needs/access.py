"""Whether this process may open the nodes of a device, and what gives it that."""

from triptych_server.hardware.finding import Finding, missing, ok
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.nodes import Node

WHAT = "device access"
REFUSED = "Permission denied"  # by the mode bits; a container's device rules say "Operation not permitted"


def access(machine: Machine, nodes: tuple[Node, ...], path: str, group: str, host_mend: str) -> Finding:
    """Of nodes any one of which is enough. `path` is what a container needs passed in, `group` who owns it on most systems,
    `host_mend` what makes the nodes appear on a host."""
    pass_in = f'compose: devices: ["{path}:{path}"]; docker run: --device {path}'
    usable = [node for node in nodes if not node.problem]
    if usable:
        return ok(WHAT, ", ".join(node.path for node in usable))
    if not nodes:
        return missing(WHAT, f"no {path}", path, machine.container.advice(host=host_mend, container=pass_in))
    node = nodes[0]
    found, expected = f"{node.path}: {node.problem}", f"read and write access to {node.path}"
    if node.problem != REFUSED:
        return missing(WHAT, found, expected, machine.container.advice(host=host_mend, container=pass_in))
    if node.group is None:
        name = node.path.rpartition("/")[2]
        rule = f"""'KERNEL=="{name}", GROUP="{group}", MODE="0660"'"""
        rule = f"echo {rule} | sudo tee /etc/udev/rules.d/99-{name}.rules && sudo udevadm trigger"
        return missing(WHAT, found, expected, machine.container.advice(host=rule, container=f"on the host: {rule}"))
    mend = machine.container.advice(
        host=f"sudo usermod -aG {group} $USER, then log in again",
        container=f'compose: group_add: ["{node.group}"]; docker run: --group-add {node.group}',
    )
    return missing(WHAT, found, expected, mend)

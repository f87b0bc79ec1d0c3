"""The device tree: what an Arm board says it is. Docker hides it, as it lies below /sys/firmware."""

from triptych_server.hardware.tree import Tree

ROOTS = ("proc/device-tree", "sys/firmware/devicetree/base")


def device_tree_words(tree: Tree, pattern: str) -> tuple[str, ...]:
    """The strings of the properties that match."""
    for root in ROOTS:
        found = tuple(word for path in tree.glob(f"{root}/{pattern}") for word in tree.words(path))
        if found:
            return found
    return ()


def board_name(tree: Tree) -> str:
    """What the maker calls the machine: the device tree's model, else the board's name in DMI."""
    if words := device_tree_words(tree, "model"):
        return words[0]
    names = (tree.text(f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    return " ".join(name for name in names if name)

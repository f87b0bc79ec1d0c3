"""The files of other runtimes that a hub's repositories hold beside the ONNX ones, and that nobody may fetch for an ONNX runtime."""

from tests.support.hub import Files, noise


def other_runtimes(*networks: str) -> Files:
    """What Immich's repositories hold for Arm NN and Rockchip."""
    names = ("model.armnn", "rknpu/rk3566/model.rknn", "rknpu/rk3588/model.rknn")
    return {f"{network}/{name}": noise(seed, 400) for network in networks for seed, name in enumerate(names)}

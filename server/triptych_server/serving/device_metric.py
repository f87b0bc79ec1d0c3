"""`triptych_device_info`: asked and got device of every instance, where Prometheus and `triptych status` can see it."""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

from typing import TypeAlias

import triton_python_backend_utils as pb_utils

from triptych_server.serving.instance import Instance
from triptych_server.serving.metric_labels import metric_labels
from triptych_server.sessions.protocol import Device

NAME = "triptych_device_info"
DeviceMetric: TypeAlias = "tuple[pb_utils.Metric, pb_utils.MetricFamily]"

HELP = "Device asked for and device in use, per model instance; the value is 1, or 0 where the model runs elsewhere than asked"


def publish_device(instance: Instance, device: Device) -> DeviceMetric:
    """Register the gauge of this instance. The caller keeps the pair, for the metric goes when it is freed, and frees it in `finalize`."""
    family = pb_utils.MetricFamily(NAME, HELP, pb_utils.MetricFamily.GAUGE)
    labels = {"requested": device.requested, "actual": device.actual, "precision": device.precision}
    metric = family.Metric({**metric_labels(instance), "profile": instance.profile, **labels})
    metric.set(0.0 if device.fallback else 1.0)
    return metric, family  # freed in this order

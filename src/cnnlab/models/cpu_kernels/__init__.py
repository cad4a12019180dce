"""Modules of torch that come to the same result in less time on a processor, some by kernels of our own in C."""

from cnnlab.models.cpu_kernels import self_check as self_check
from cnnlab.models.cpu_kernels.modules import Conv2d, Sequential, adopt
from cnnlab.models.cpu_kernels.native import build_record, native_kernels, why_not

__all__ = ["Conv2d", "Sequential", "adopt", "build_record", "native_kernels", "why_not"]

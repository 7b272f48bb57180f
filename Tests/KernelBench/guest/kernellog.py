"""What the kernel says the devices did: mtty's debug messages, independent of anything ferryd says."""

import os
import re
from typing import NamedTuple

from devices import write
from harness import Failed

STATES = ["ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P"]
MAY_ACT = {"RUNNING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P"}
_ARC = re.compile(r"([0-9a-f-]{36}): mtty_step_state: (\d) -> (\d)$")


class Arc(NamedTuple):
    """One step of a device that its driver began; `at` is in microseconds since the boot."""
    at: int
    device: str
    start: str
    end: str


class KernelLog:
    """The steps of all mttys from the moment of construction on."""

    def __init__(self):
        write("/sys/kernel/debug/dynamic_debug/control", "module mtty +p")
        self._messages = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._messages, 0, os.SEEK_END)
        self._arcs = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._messages)

    def arcs(self, device=None):
        self._read()
        return [arc for arc in self._arcs if device in (None, arc.device)]

    def path(self, device):
        """The states the device went through, the first one included."""
        arcs = self.arcs(device)
        return [arcs[0].start, *(arc.end for arc in arcs)] if arcs else []

    def _read(self):
        while True:
            try:
                record = os.read(self._messages, 8192)  # each read gives one record
            except BlockingIOError:
                return
            except BrokenPipeError as lost:
                raise Failed("the kernel overwrote messages before they were read") from lost
            prefix, _, text = record.decode("utf-8", "replace").partition(";")
            if found := _ARC.search(text.splitlines()[0]):
                name, start, end = found.groups()
                self._arcs.append(Arc(int(prefix.split(",")[2]), f"mdev-{name}", STATES[int(start)], STATES[int(end)]))

"""What the kernel says the devices did: mtty's debug messages, independent of anything ferryd says."""

import os
import re
from typing import NamedTuple

from devices import write
from harness import Failed, path

STATES = ["ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P"]
MAY_ACT = {"RUNNING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P"}
_ARC = re.compile(r"([0-9a-f-]{36}): mtty_step_state: (\d) -> (\d)$")
_RESET = re.compile(r"([0-9a-f-]{36}): mtty_reset_content: RUNNING$")


def speak():
    """Makes mtty say what it does, from now on."""
    write("/sys/kernel/debug/dynamic_debug/control", "module mtty +p")


def kernel_state(device):
    """The migration state, without opening the device and without asking ferryd: by debugfs, or by the kernel's log
    where the stock kernel has no debugfs for VFIO."""
    name = device.split("-", 1)[1]
    if path() == "group":
        return _logged_state(name)
    with open(f"/sys/kernel/debug/vfio/{name}/migration/state", encoding="ascii") as file:
        return file.read().strip()


def _logged_state(name):
    """Where the last message about the device leaves it. A step is logged when it begins: ask between steps."""
    state = None
    with open("/dev/kmsg", "rb", buffering=0, opener=_without_waiting) as log:
        for _, text in _records(log.fileno(), lost_is_fine=True):
            if (reset := _RESET.search(text)) and reset[1] == name:
                state = "RUNNING"
            elif (arc := _ARC.search(text)) and arc[1] == name:
                state = STATES[int(arc[3])]
    if state is None:
        raise Failed(f"the kernel's log says nothing of {name}")
    return state


def _without_waiting(name, flags):
    return os.open(name, flags | os.O_NONBLOCK)


def _records(log, lost_is_fine=False):
    """The messages from the reader's place in the log up to now, with their microseconds since the boot."""
    while True:
        try:
            record = os.read(log, 8192)  # each read gives one record
        except BlockingIOError:
            return
        except BrokenPipeError as lost:
            if lost_is_fine:
                continue  # the next read goes on behind the lost ones
            raise Failed("the kernel overwrote messages before they were read") from lost
        prefix, _, text = record.decode("utf-8", "replace").partition(";")
        yield int(prefix.split(",")[2]), text.splitlines()[0]


class Arc(NamedTuple):
    """One step of a device that its driver began; `at` is in microseconds since the boot."""
    at: int
    device: str
    start: str
    end: str


class KernelLog:
    """The steps of all mttys from the moment of construction on."""

    def __init__(self):
        speak()
        self._messages = _without_waiting("/dev/kmsg", os.O_RDONLY)
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
        for at, text in _records(self._messages):
            if found := _ARC.search(text):
                name, start, end = found.groups()
                self._arcs.append(Arc(at, f"mdev-{name}", STATES[int(start)], STATES[int(end)]))

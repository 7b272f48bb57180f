"""The page of memory by which the tests steer shim.c, and what it saw."""

import collections
import mmap
import os
import struct

COUNT, KILL_BEFORE, KILL_AFTER, FAIL, SHORT = range(5)
WRITE, SYNC, RESIZE, NAME = 1, 2, 4, 8
EVERY_CLASS = WRITE | SYNC | RESIZE | NAME
FOR_EVER = 2**64 - 1

_MAGIC = 0x46524C54
_HEADER = struct.Struct("<IIIiQQQQQqqQQQQQ")
_ENTRY = struct.Struct("<Ii16s40s")
_TRACE_LENGTH = 16384
_OFFSET = {name: offset for name, offset in zip(
    ("magic", "mode", "classes", "error", "first", "last", "seen", "hits", "jump_at", "jump", "offset",
     "clock_reads", "calls"),
    (0, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 72, 80))}
_FORMAT = {"magic": "<I", "mode": "<I", "classes": "<I", "error": "<i", "jump": "<q", "offset": "<q"}

Call = collections.namedtuple("Call", "kind failed call name")


class Page:
    """Outlives the process that it steers: a file of its own, mapped by both."""

    def __init__(self, path):
        self.path = path
        size = _HEADER.size + _TRACE_LENGTH * _ENTRY.size
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._set("magic", _MAGIC)
        self._set("classes", EVERY_CLASS)

    def close(self):
        self._map.close()

    def _set(self, name, value):
        struct.pack_into(_FORMAT.get(name, "<Q"), self._map, _OFFSET[name], value)

    def _get(self, name):
        return struct.unpack_from(_FORMAT.get(name, "<Q"), self._map, _OFFSET[name])[0]

    @property
    def seen(self):
        """Calls of the armed classes since `arm`."""
        return self._get("seen")

    @property
    def calls(self):
        """Calls of every class since `forget`."""
        return self._get("calls")

    @property
    def hits(self):
        """How often the fault struck."""
        return self._get("hits")

    @property
    def clock_reads(self):
        return self._get("clock_reads")

    def arm(self, mode, first, last=None, error=0, classes=EVERY_CLASS):
        """From the call numbered `first` on, counted from now, to `last`; `first` alone without it."""
        self.disarm()
        self._set("seen", 0)
        self._set("hits", 0)
        self._set("classes", classes)
        self._set("error", error)
        self._set("first", first)
        self._set("last", first if last is None else last)
        self._set("mode", mode)

    def disarm(self):
        self._set("mode", COUNT)

    def forget(self):
        """Empties the trace."""
        end = _HEADER.size + min(self.calls, _TRACE_LENGTH) * _ENTRY.size
        self._map[_HEADER.size:end] = bytes(end - _HEADER.size)
        self._set("calls", 0)

    def turn_clock(self, seconds):
        """The wall clock is off by this from now on."""
        self._set("offset", int(seconds * 1_000_000_000))

    def turn_clock_at(self, call, seconds):
        """The wall clock jumps at that call since `forget`, of whatever class."""
        self._set("jump", int(seconds * 1_000_000_000))
        self._set("jump_at", call)

    def trace(self):
        """The calls since `forget`, in order."""
        calls = []
        for number in range(min(self.calls, _TRACE_LENGTH)):
            kind, failed, call, name = _ENTRY.unpack_from(self._map, _HEADER.size + number * _ENTRY.size)
            calls.append(Call(kind, failed, call.split(b"\0")[0].decode(), name.split(b"\0")[0].decode()))
        return calls

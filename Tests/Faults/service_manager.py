"""A small service manager: of systemd what a service with FileDescriptorStoreMax= and Restart=always meets.

sd_notify(3) and sd_listen_fds(3) say what a manager does with each message and what it hands to the next
process. As there: a stored descriptor goes when its other end hangs up, unless FDPOLL=0 came with it; a
descriptor that is stored already is not stored twice; FDSTOREREMOVE=1 needs a name and takes every
descriptor of it; BARRIER=1 stands alone and brings exactly one descriptor, closed when everything before
it is done; only the main process is listened to.
"""

import array
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

_MESSAGE_MAX = 4096
_DESCRIPTORS_MAX = 768
_FIRST = 3
_CREDENTIALS = struct.Struct("3i")


class Stored:
    def __init__(self, name, descriptor, polled):
        self.name = name
        self.descriptor = descriptor
        self.polled = polled


class ServiceManager:
    """Starts one service after another, and keeps for the next what the last one stored."""

    def __init__(self, path, store_max=512, abstract=False):
        self._store_max = store_max
        self._address = f"@{path}" if abstract else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{path}" if abstract else path)
        # Guards what follows; the thread below changes it.
        self._lock = threading.Lock()
        self._stored = []
        self._main = None
        self.warnings = []
        self.ready = False
        self.stopping = False
        self.status = None
        self.barriers = 0
        self._poll = select.epoll()
        self._poll.register(self._socket, select.EPOLLIN)
        self._wake, self._waker = os.pipe()
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        os.close(self._waker)
        self._thread.join()
        self._socket.close()
        self._poll.close()
        os.close(self._wake)
        with self._lock:
            for stored in self._stored:
                os.close(stored.descriptor)
            self._stored = []

    # ---- The service

    def launch(self, arguments, environment, log):
        """Starts the service with what is stored; for ferry.Ferryd."""
        self.drain()
        with self._lock:
            self.ready = self.stopping = False
            # The newest first, as systemd keeps them.
            handed = [(s.name, os.dup(s.descriptor)) for s in reversed(self._stored)]
        environment = dict(environment, NOTIFY_SOCKET=self._address)
        for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "FDSTORE"):
            environment.pop(name, None)
        environment["FDSTORE"] = str(self._store_max)
        if handed:
            environment["LISTEN_FDS"] = str(len(handed))
            environment["LISTEN_FDNAMES"] = ":".join(name for name, _ in handed)
        output, child_output = os.pipe()
        try:
            process = _Process(arguments, environment, log, child_output, [d for _, d in handed], output,
                               self._did_fork)
        finally:
            os.close(child_output)
            for _, descriptor in handed:
                os.close(descriptor)
        return process

    def _did_fork(self, pid):
        with self._lock:
            self._main = pid

    @property
    def names(self):
        """Of the descriptors in the store, in the order they came."""
        self.drain()
        with self._lock:
            return [s.name for s in self._stored]

    def drain(self):
        """Returns when every message that was sent before has been dealt with: a barrier of our own."""
        end, other = os.pipe()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(self._socket.getsockname())
            sender.sendmsg([b"X_DRAIN=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [other]))])
        os.close(other)
        select.select([end], [], [], 30)
        os.close(end)

    # ---- Messages

    def _serve(self):
        while True:
            for descriptor, events in self._poll.poll():
                if descriptor == self._wake:
                    return
                if descriptor == self._socket.fileno():
                    self._receive()
                elif events & (select.EPOLLHUP | select.EPOLLERR):
                    self._hung_up(descriptor)

    def _receive(self):
        room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * _DESCRIPTORS_MAX)
        message, control, flags, _ = self._socket.recvmsg(_MESSAGE_MAX, room, socket.MSG_CMSG_CLOEXEC)
        descriptors, pid = [], None
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found = array.array("i")
                found.frombytes(data[:len(data) - len(data) % 4])
                descriptors += found.tolist()
            elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                pid = _CREDENTIALS.unpack(data[:_CREDENTIALS.size])[0]
        with self._lock:
            left = self._take(message, flags, descriptors, pid)
        for descriptor in left:
            os.close(descriptor)

    def _take(self, message, flags, descriptors, pid):
        """Does what a message says; returns the descriptors that nobody keeps."""
        tags = message.decode(errors="replace").split("\n")
        if "X_DRAIN=1" in tags and pid == os.getpid():
            return descriptors
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            return self._warn("a message was cut off", descriptors)
        if pid != self._main:
            return self._warn(f"a message came from process {pid}, not from the service {self._main}", descriptors)
        tags = [tag for tag in tags if tag]
        if "BARRIER=1" in tags:
            if len(tags) != 1 or len(descriptors) != 1:
                return self._warn(f"BARRIER=1 with {tags} and {len(descriptors)} descriptors", descriptors)
            self.barriers += 1
            return descriptors
        values = dict(tag.split("=", 1) for tag in tags if "=" in tag)
        if values.get("READY") == "1":
            self.ready = True
        if values.get("STOPPING") == "1":
            self.stopping = True
        self.status = values.get("STATUS", self.status)
        name = self._name(values)
        if values.get("FDSTOREREMOVE") == "1":
            if name is None:
                return self._warn("FDSTOREREMOVE=1 without FDNAME=", descriptors)
            self._remove(name)
            return descriptors
        if values.get("FDSTORE") == "1":
            return self._store(name or "stored", descriptors, values.get("FDPOLL") != "0")
        return descriptors

    def _name(self, values):
        name = values.get("FDNAME")
        if name is None:
            return None
        if not name or len(name) > 255 or any(not " " <= c < "\x7f" or c == ":" for c in name):
            self._warn(f"FDNAME={name!r} is no name", [])
            return None
        return name

    def _warn(self, text, descriptors):
        self.warnings.append(text)
        return descriptors

    def _store(self, name, descriptors, polled):
        left = []
        for descriptor in descriptors:
            if len(self._stored) >= self._store_max:
                left += self._warn(f"the store is full, and {name} is not kept", [descriptor])
            elif any(_same(s.descriptor, descriptor) for s in self._stored):
                left.append(descriptor)
            else:
                if polled:
                    try:
                        self._poll.register(descriptor, 0)
                    except PermissionError:  # a file that cannot be polled never hangs up
                        polled = False
                self._stored.append(Stored(name, descriptor, polled))
        return left

    def _remove(self, name):
        gone = [s for s in self._stored if s.name == name]
        self._stored = [s for s in self._stored if s.name != name]
        for stored in gone:
            if stored.polled:
                self._poll.unregister(stored.descriptor)
            os.close(stored.descriptor)

    def _hung_up(self, descriptor):
        with self._lock:
            for stored in [s for s in self._stored if s.descriptor == descriptor and s.polled]:
                self._poll.unregister(descriptor)
                self._stored.remove(stored)
                os.close(descriptor)


def _same(one, other):
    """Whether two descriptors are one open file: kcmp, or by what they are where the kernel has none."""
    result = _kcmp(one, other)
    if result is not None:
        return result == 0
    a, b = os.fstat(one), os.fstat(other)
    return (a.st_dev, a.st_ino, a.st_mode) == (b.st_dev, b.st_ino, b.st_mode)


def _kcmp(one, other):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine)
    if number is None:
        return None
    pid = os.getpid()
    result = libc.syscall(ctypes.c_long(number), ctypes.c_long(pid), ctypes.c_long(pid), ctypes.c_long(0),
                          ctypes.c_ulong(one), ctypes.c_ulong(other))
    return None if result < 0 else result


class _Process:
    """The part of subprocess.Popen that ferry.Ferryd uses; subprocess knows no LISTEN_PID."""

    def __init__(self, arguments, environment, log, child_output, descriptors, output, did_fork):
        # The child waits until the manager knows whose messages to take.
        go, going = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _become(arguments, environment, log.fileno(), child_output, descriptors, go, going)
            finally:
                os._exit(127)
        os.close(go)
        did_fork(self.pid)
        os.close(going)
        self.returncode = None
        self.stdout = os.fdopen(output, "rb", buffering=0)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("ferryd", timeout)
            time.sleep(0.002)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def _become(arguments, environment, log, output, descriptors, go, going):
    """The child, from fork to exec: the descriptors to 3 and up, LISTEN_PID to itself."""
    os.close(going)
    os.read(go, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(log, 2)
    # Out of the way first, so that none is overwritten before it is moved.
    import fcntl
    high = [fcntl.fcntl(d, fcntl.F_DUPFD, _FIRST + len(descriptors)) for d in descriptors]
    for number, descriptor in enumerate(high):
        os.dup2(descriptor, _FIRST + number)
    os.closerange(_FIRST + len(high), 4096)
    if high:
        environment["LISTEN_PID"] = str(os.getpid())
    os.execve(arguments[0], arguments, environment)

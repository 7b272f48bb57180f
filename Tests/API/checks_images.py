"""An image goes from one daemon to another by curl, as a person would send it."""

import hashlib
import json
import os
import subprocess
import tarfile

from harness import Skip, wait_until
from wire import Wire, problem_faults, request

STATE_MIB = 48
DEVICES = [f"mlx5:count=2,state={STATE_MIB}MiB,dirty=0"]
NAME = "travels"
MEMORY_LIMIT_MIB = 48


class Curl:
    """What one call of curl said and did."""

    def __init__(self, *arguments):
        form = json.dumps({"status": "%{http_code}", "sent": "%{size_upload}", "got": "%{size_download}"})
        done = subprocess.run(["curl", "-sS", "-w", f"\n{form}", *arguments], capture_output=True, check=False,
                              timeout=120)
        self.body, _, facts = done.stdout.rpartition(b"\n")
        facts = json.loads(facts)
        self.code, self.errors = done.returncode, done.stderr.decode()
        self.status, self.sent, self.got = int(facts["status"]), int(facts["sent"]), int(facts["got"])

    def __repr__(self):
        return f"{self.status}, {self.sent} bytes sent, {self.got} got: {self.body[:400]!r} {self.errors}"

    def faults(self, status, code=None):
        if self.status != status or self.code:
            yield f"wanted {status} {code or ''}, got {self!r}"
        elif code and json.loads(self.body)["code"] != code:
            yield f"wanted {code}, got {self.body[:400]!r}"


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Walk:
    """Two daemons, and the archive on its way between them."""

    def __init__(self, report, start):
        self.report = report
        self.here, self.there = start(DEVICES), start(DEVICES)
        self.file = f"{self.here.directory}/image.tar"

    def content(self, daemon, name=NAME):
        return f"{daemon.url}/v1/images/{name}/content"

    def save(self):
        for name in (NAME, "doomed"):
            job = self.here.call("POST", "/v1/jobs", {
                "kind": "save", "devices": [{"source": "sim-0"}], "id": name}).require(202)
            if (job := self.here.finish(job))["state"] != "succeeded":
                yield f"{job['state']}: {job.get('error')}"
        self.saved = self.here.get("/v1/devices/sim-0")["simulated"]["stopped_content_digest"]

    # ---- Down

    def download(self):
        """The whole of it, twice the same, as a tar that tools read."""
        before = self.here.memory_kib()
        for path in (self.file, f"{self.file}.again"):
            yield from Curl("-o", path, self.content(self.here)).faults(200)
        if digest(self.file) != digest(f"{self.file}.again"):
            yield "two downloads differ"
        head = self.here.call("HEAD", f"/v1/images/{NAME}/content")
        if int(head.headers["content-length"]) != os.path.getsize(self.file):
            yield f"HEAD says {head.headers['content-length']}, the file has {os.path.getsize(self.file)}"
        record = self.here.get(f"/v1/images/{NAME}")
        with tarfile.open(self.file) as archive:
            names = archive.getnames()
            content = archive.extractfile(names[1]).read()
        if names[0] != "manifest.json" or len(names) != 2:
            yield f"the archive has {names}"
        if hashlib.sha256(content).hexdigest() != record["members"][0]["sha256"]:
            yield "the content in the archive has another digest than the record"
        grown = (self.here.memory_kib() - before) >> 10
        if grown > MEMORY_LIMIT_MIB:
            yield f"memory grew by {grown} MiB"

    def resume_download(self):
        part = f"{self.file}.part"
        for cut in (0, 1, 511, 512, 700, 1_000_003, os.path.getsize(self.file) - 1):
            with open(self.file, "rb") as whole, open(part, "wb") as file:
                file.write(whole.read(cut))
            for fault in Curl("-C", "-", "-o", part, self.content(self.here)).faults(206 if cut else 200):
                yield f"from {cut}: {fault}"
            if digest(part) != digest(self.file):
                yield f"from {cut}: another file came of it"

    def ranges(self):
        size = os.path.getsize(self.file)
        tag = self.here.call("HEAD", f"/v1/images/{NAME}/content").headers["etag"]
        cases = [("bytes=0-0", None, 206, 1), ("bytes=-5", None, 206, 5), (f"bytes={size - 1}-", None, 206, 1),
                 (f"bytes=5-{size * 2}", None, 206, size - 5), (f"bytes={size}-", None, 416, None),
                 ("bytes=-0", None, 416, None), ("bytes=5-2", None, 200, size), ("lines=1-2", None, 200, size),
                 ("bytes=0-1,5-6", None, 200, size), ("bytes=x-y", None, 200, size),
                 ("bytes=0-9", tag, 206, 10),
                 ("bytes=0-9", '"other"', 200, size), ("bytes=0-9", f"W/{tag}", 200, size)]
        for wanted, if_range, status, count in cases:
            headers = {"Range": wanted} | ({"If-Range": if_range} if if_range else {})
            answer = self.here.call("GET", f"/v1/images/{NAME}/content", headers=headers)
            if answer.status != status or (count is not None and len(answer.body) != count):
                yield f"{headers}: {answer.status} with {len(answer.body)} bytes, wanted {status} with {count}"

    def deleted_meanwhile(self):
        """A download goes to its end although its image goes."""
        with Wire(self.here.port) as wire:
            wire.send(request("GET", "/v1/images/doomed/content"))
            status, headers = wire.head()
            size = int(headers["content-length"])
            first = wire.read_body(100_000)
            self.here.call("DELETE", "/v1/images/doomed").require(204)
            if self.here.call("GET", "/v1/images/doomed").status != 404:
                yield "the image is still there"
            rest = wire.read_body(size - len(first))
        if status != 200 or len(first + rest) != size or not (first + rest).endswith(bytes(1024)):
            yield f"{status}, {len(first + rest)} of {size} bytes"

    def left_downloads(self):
        """Clients that go in the middle leave nothing open."""
        before = self.here.descriptors()
        for _ in range(50):
            wire = Wire(self.here.port)
            wire.send(request("GET", f"/v1/images/{NAME}/content"))
            wire.head()
            wire.reset()
        if not wait_until(lambda: self.here.descriptors() <= before, 20):
            yield f"{self.here.descriptors()} descriptors, {before} before"

    # ---- Up

    def upload(self):
        before = self.there.memory_kib()
        curl = Curl("-T", self.file, self.content(self.there))
        yield from curl.faults(201)
        image = json.loads(curl.body)
        origin = self.here.get(f"/v1/images/{NAME}")
        if image["members"] != origin["members"] or not image["source_resumed"]:
            yield f"{image}"
        grown = (self.there.memory_kib() - before) >> 10
        if grown > MEMORY_LIMIT_MIB:
            yield f"memory grew by {grown} MiB"

    def upload_again(self):
        """Refused before a byte of it is sent."""
        curl = Curl("-T", self.file, "-H", "Expect: 100-continue", "--expect100-timeout", "30",
                    self.content(self.there))
        yield from curl.faults(409, "image-exists")
        if curl.sent > 0:
            yield f"{curl.sent} bytes were sent"

    def restore(self):
        call = {"kind": "restore", "image": NAME, "devices": [{"target": "sim-1"}], "discard_target_content": True}
        refused = self.there.call("POST", "/v1/jobs", call)
        if refused.status != 409 or refused.json["code"] != "copy-not-accepted":
            yield f"a copy nobody accepted: {refused.status} {refused.body[:300]}"
        job = self.there.finish(self.there.call("POST", "/v1/jobs", call | {"accept_copy": True}).require(202))
        if job["state"] != "succeeded":
            yield f"{job['state']}: {job.get('error')}"
        loaded = self.there.get("/v1/devices/sim-1")["simulated"]["stopped_content_digest"]
        if loaded != self.saved:
            yield f"saved {self.saved} here, loaded {loaded} there"

    def upload_in_parts(self):
        """It breaks off, the daemon is started anew, and it goes on where it was."""
        self.there.call("DELETE", f"/v1/images/{NAME}").require(204)
        size = os.path.getsize(self.file)
        with open(self.file, "rb") as file:
            whole = file.read()
        wire = Wire(self.there.port)
        wire.send(f"PUT /v1/images/{NAME}/content HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-tar\r\n"
                  f"Content-Length: {size}\r\n\r\n".encode() + whole[:size // 3])
        wire.half_close()
        wire.__exit__()
        there = wait_until(lambda: self._received() and self._received(), 40)
        if not there or not 0 < there <= size // 3:
            yield f"{there} bytes of {size // 3} are there"
            return
        if self.there.terminate(20) != 0:
            yield f"the daemon did not stop: {self.there.log()[-400:]}"
        self.there.__exit__()
        self.there.__enter__()
        there = self._received()
        wrong = Curl("-C", str(there + 512), "-T", self.file, self.content(self.there))
        yield from wrong.faults(409, "upload-offset")
        yield from Curl("-C", str(there), "-T", self.file, self.content(self.there)).faults(201)
        again = f"{self.file}.back"
        yield from Curl("-o", again, self.content(self.there)).faults(200)
        if digest(again) != digest(self.file):
            yield "what was uploaded in parts is another archive"
        self.report.note(f"{there} of {size} bytes were there when it went on")

    def _received(self):
        answer = self.there.call("GET", f"/v1/images/{NAME}")
        return answer.json.get("received_bytes") if answer.status == 409 else None

    def damaged(self):
        """Wrong content is refused, and nothing is left of it."""
        self.there.call("DELETE", f"/v1/images/{NAME}").require(204)
        with open(self.file, "rb") as file:
            whole = file.read()
        cases = [("a bit of the content", lambda t: t[:2_000_000] + bytes([t[2_000_000] ^ 1]) + t[2_000_001:]),
                 ("bytes behind the end", lambda t: t + b"x"), ("a block less", lambda t: t[:-512]),
                 ("another archive's name", lambda t: t.replace(b"manifest.json", b"manifesto.jso", 1)),
                 ("nothing but zeros", lambda t: bytes(len(t))), ("nothing", lambda _: b"")]
        for name, damage in cases:
            path = f"{self.file}.damaged"
            with open(path, "wb") as file:
                file.write(damage(whole))
            curl = Curl("-T", path, self.content(self.there))
            if curl.status not in (400, 422):
                yield f"{name}: {curl!r}"
            left = self.there.call("GET", f"/v1/images/{NAME}")
            # What ends early may go on; what is wrong may not.
            if left.status == 409:
                self.there.call("DELETE", f"/v1/images/{NAME}")
            elif left.status != 404:
                yield f"{name}: it is there: {left.body[:300]}"
        yield from Curl("-T", self.file, self.content(self.there, "renamed")).faults(422)
        if self.there.get("/v1/images")["items"]:
            yield "an image is left"

    def verify(self):
        answer = self.here.call("POST", f"/v1/images/{NAME}/verify", {})
        answer.require(200)
        content = f"{self.here.directory}/state/images/{NAME}/content"
        with open(content, "r+b") as file:
            file.seek(1_000_000)
            byte = file.read(1)
            file.seek(1_000_000)
            file.write(bytes([byte[0] ^ 1]))
        answer = self.here.call("POST", f"/v1/images/{NAME}/verify", {})
        if answer.status != 422 or answer.json["code"] != "image-corrupt":
            yield f"a flipped bit on the disk: {answer.status} {answer.body[:300]}"

    def hostile(self):
        """Heads of an upload that must be refused before its body."""
        target = f"/v1/images/{NAME}2/content"
        huge = 1 << 62
        for name, headers, statuses in (
                ("a range that ends before it begins", ["Content-Range: bytes 9-5/100", "Content-Length: 5"], {400}),
                ("a range of another length", ["Content-Range: bytes 0-9/10", "Content-Length: 5"], {400, 422}),
                ("a range of lines", ["Content-Range: lines 0-4/5", "Content-Length: 5"], {400}),
                ("a range without a whole", ["Content-Range: bytes 0-4/*", "Content-Length: 5"], {400}),
                ("a range of nothing that is there", ["Content-Range: bytes 5-9/10", "Content-Length: 5"], {409}),
                ("4 EiB", [f"Content-Length: {huge}"], {413}),
                ("another media type", ["Content-Type: text/plain", "Content-Length: 5"], {415})):
            with Wire(self.here.port) as wire:
                wire.send(request("PUT", target, headers=headers))
                for fault in problem_faults(wire.answer(), statuses):
                    yield f"{name}: {fault}"


def run(report, start):
    walk = Walk(report, start)
    if "/v1/images/{id}/content" not in walk.here.get("/openapi.json")["paths"]:
        def absent():
            raise Skip("this ferryd serves no content of images")
        report.check("images travel", absent)
        return
    for sentence, function in (
            (f"an image of {STATE_MIB} MiB is saved", walk.save),
            ("it is downloaded, twice the same, as a tar", walk.download),
            ("a download that broke off goes on", walk.resume_download),
            ("ranges are what RFC 9110 says", walk.ranges),
            ("a download outlives its image", walk.deleted_meanwhile),
            ("50 clients leave a download", walk.left_downloads),
            ("it is uploaded to another daemon", walk.upload),
            ("a second upload is refused before its body", walk.upload_again),
            ("it is restored there, as a copy, and the content is the same", walk.restore),
            ("an upload that broke off goes on, over a restart", walk.upload_in_parts),
            ("damaged archives are refused, and leave nothing", walk.damaged),
            ("heads of uploads that lie are refused", walk.hostile),
            ("verifying tells a flipped bit", walk.verify)):
        report.check(sentence, function)

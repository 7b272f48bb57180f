"""Images damaged on disk: refused before a byte of them reaches a device, by whatever path it was opened."""

import os
import secrets

from devices import mttys, new_nonce
from ferry import Ferryd, restore, save
from harness import check, expect, expect_equal
from kernellog import KernelLog


def truncate(path):
    os.truncate(path, os.path.getsize(path) - 1)


def flip_a_bit(path):
    with open(path, "r+b") as file:
        at = secrets.randbelow(os.path.getsize(path))
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << secrets.randbelow(8)]))


def expect_refused_when(damage):
    with mttys(2) as (source, target), Ferryd() as ferry, KernelLog() as log:
        nonce = new_nonce()
        ferry.adopt(source, nonce)
        image = ferry.succeed(save(source))["image"]
        session = ferry.open(target)

        content = f"{ferry.state}/images/{image}/content"
        with open(content, "rb") as file:
            intact = file.read()
        damage(content)
        job = ferry.finish(ferry.submit(restore(image, target)))
        expect_equal(job["state"], "failed", "state of the restore")
        expect_equal(job["error"]["code"], "image-corrupt", "code of its error")
        expect_equal(ferry.content(session), "empty", "content of the target")
        expect_equal(log.path(target), [], "steps of the target by the kernel")
        expect('"resuming"' not in ferry.call("GET", f"/v1/jobs/{job['id']}/journal?limit=1000").text,
               "the journal shows a step to RESUMING")

        # The same image, whole again, is restored: the damage alone was the reason.
        with open(content, "wb") as file:
            file.write(intact)
        ferry.succeed(restore(image, target))
        expect_equal(ferry.collect(session), nonce, "nonce after the repair")


@check("An image cut short by one byte is refused before the target is touched", only="cdev")
def _():
    expect_refused_when(truncate)


@check("An image with one bit flipped is refused before the target is touched", only="cdev")
def _():
    expect_refused_when(flip_a_bit)

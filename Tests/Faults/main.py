"""The fault tests' whole: run.sh calls it with what it built."""

import argparse
import os
import shutil
import sys
import tempfile

import case as cases
import checks_crash
import checks_disk
import ferry
import harness
from case import Settings


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--shim", required=True)
    arguments = parser.parse_args()
    Settings.ferryd = f"{arguments.bin_dir}/ferryd"
    Settings.simd = f"{arguments.bin_dir}/ferry-simd"
    Settings.shim = arguments.shim
    place = os.environ.get("FAULTS_DIR") or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    Settings.scratch = tempfile.mkdtemp(prefix="ff", dir=place)
    try:
        return run(set(os.environ.get("FAULTS_ONLY", "").split()))
    finally:
        shutil.rmtree(Settings.scratch, ignore_errors=True)


def run(only):
    report = harness.Report()
    measure()
    print(f"sets: a job of this ferryd moves {Settings.pairs} devices at once")
    if not only or "crash" in only:
        checks_crash.run(report, 0.5)
    if not only or "disk" in only:
        checks_disk.run(report, 0.25)
    return report.end()


def measure():
    """Looks at a daemon at rest: what its devices hold, and how many of them a job can have."""
    with cases.Case(with_shim=False) as case:
        case.ferry.start()
        for device in case.ferry.items("/v1/devices"):
            if device["backend"] == "simulated":
                Settings.digests[device["id"]] = device["simulated"]["content_digest"]
        pairs = list(zip(cases.SOURCES, cases.TARGETS))
        answer = case.ferry.post("/v1/jobs", ferry.migrate(pairs))
        Settings.pairs = len(pairs) if answer.status == 202 else 1


sys.exit(main())

"""The fault tests' whole: run.sh calls it with what it built."""

import argparse
import os
import shutil
import sys
import tempfile

import case as cases
import checks_clock
import checks_crash
import checks_devices
import checks_disk
import checks_kept
import checks_space
import checks_store
import control
import ferry
import harness
import scenarios
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
    point = os.environ.get("FAULTS_POINT")
    if point:
        return again(*point.split("|"))
    print(f"sets: a job of this ferryd moves {Settings.pairs} devices at once")
    # The shares of the budget; the crash points come first, the others use the phases they found.
    for scenario in scenarios.ALL:
        scenario.template()
    for name, group, share in (("crash", checks_crash, 0.25), ("kept", checks_kept, 0.25), ("disk", checks_disk, 0.2), ("devices", checks_devices, 0.1),
                               ("space", checks_space, 0.05), ("store", checks_store, 0.1),
                               ("clock", checks_clock, 0.05)):
        if not only or name in only:
            group.run(report, share)
    return report.end()


def again(group, name, number, when):
    """One crash point alone, with what ferryd said."""
    groups = {"crash": checks_crash, "kept": checks_kept}
    mode = {"before": control.KILL_BEFORE, "after": control.KILL_AFTER}[when]
    cases.Case.shows_log = True
    result = groups[group].crash(name, int(number), mode)
    if result is None:
        print("the run ended before that call")
        return 1
    phase, violations = result
    print(f"killed {when} call {number} of {name}, in {phase}:")
    print("".join(f"  {v}\n" for v in violations) or "  no violation")
    return 1 if violations else 0


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

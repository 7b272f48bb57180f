"""The API's tests as a whole: run.sh calls it with where ferryd is."""

import argparse
import contextlib
import os
import resource
import shutil
import sys
import tempfile

import checks_client
import checks_contract
import checks_flood
import checks_fuzz
import checks_http
import checks_images
import checks_json
import checks_metrics
import checks_stop
from daemon import Ferryd
from harness import Report

# Two devices to move, and two to move to.
DEVICES = ["mlx5:count=4,state=4MiB,dirty=1MiB"]

# One daemon bears all of these, in this order.
HOSTILE = {"http": checks_http, "json": checks_json, "flood": checks_flood, "stop": checks_stop}
OTHERS = {"contract": checks_contract, "client": checks_client, "images": checks_images, "metrics": checks_metrics,
          "fuzz": checks_fuzz}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", required=True)
    binary = f"{parser.parse_args().bin_dir}/ferryd"
    chosen = set(os.environ.get("API_ONLY", "").split())
    known = set(HOSTILE) | set(OTHERS)
    if chosen - known:
        sys.exit(f"no such group: {' '.join(chosen - known)}; there are: {' '.join(sorted(known))}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = Report()
    scratch = tempfile.mkdtemp(prefix="ferry-api-")
    try:
        for name, group in OTHERS.items():
            if not chosen or name in chosen:
                report.group(name)
                with contextlib.ExitStack() as stack:
                    start = _starter(stack, binary, f"{scratch}/{name}")
                    group.run(report, start)
        hostile = [name for name in HOSTILE if not chosen or name in chosen]
        if hostile:
            with contextlib.ExitStack() as stack:
                daemon = _starter(stack, binary, f"{scratch}/hostile")(DEVICES)
                for name in hostile:
                    report.group(name)
                    HOSTILE[name].run(report, daemon)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return report.end()


def _starter(stack, binary, place):
    """Starts daemons that end with the stack, each in a directory of its own."""
    count = 0

    def start(simulate=DEVICES):
        nonlocal count
        count += 1
        directory = f"{place}-{count}"
        os.makedirs(directory)
        return stack.enter_context(Ferryd(binary, directory, simulate))

    return start


sys.exit(main())

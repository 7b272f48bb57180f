"""ferryd's own kernel backend against the rules of its port, on a real mtty: a row for each line of the program."""

import re
import subprocess

from devices import mttys
from harness import check, expect, settings


@check("Conformance")
def _():
    with mttys(2) as devices:
        done = subprocess.run([f"{settings()['bin_dir']}/ferry-conformance", *devices],
                              capture_output=True, text=True, timeout=300, check=False)
    rows = re.findall(r"^(ok|not ok) (.+?)(?:: (.*))?$", done.stdout, re.MULTILINE)
    for word, name, why in rows:
        yield f"the kernel backend on mtty: {name}", None if word == "ok" else why or "no reason given"
    said_so = any(word == "not ok" for word, _, _ in rows)
    expect(rows and (done.returncode == 0 or said_so),
           f"ferry-conformance ended with {done.returncode}:\n{done.stdout}{done.stderr}")

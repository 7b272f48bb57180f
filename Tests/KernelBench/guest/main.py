"""The guest's half of the kernel bench: runs the checks and leaves the results in the share."""

import harness
import kernellog

# Each module registers its checks; this is the order of the table.
import checks_kernel  # noqa: F401
import checks_inventory  # noqa: F401
import checks_moving  # noqa: F401
import checks_sets  # noqa: F401
import checks_images  # noqa: F401
import checks_refusals  # noqa: F401
import checks_binding  # noqa: F401
import checks_crash  # noqa: F401
import checks_kept  # noqa: F401
import checks_conformance  # noqa: F401

kernellog.speak()
table = harness.Table()
harness.run(table, harness.settings()["only"].split())
table.end()

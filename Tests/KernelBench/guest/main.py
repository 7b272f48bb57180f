"""The guest's half of the kernel bench: runs the checks and leaves the results in the share."""

import harness
import checks_kernel  # noqa: F401  (each module registers its checks)

table = harness.Table()
settings = harness.settings()
only = settings["only"].split()
harness.run(table, only)
table.end()

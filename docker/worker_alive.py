"""Whether this container's worker is at work: it has reported itself to the catalog within the last 15 seconds.

The health check of the worker's image. Exit code 1 with a sentence where it has not, or where the catalog is away: nothing
can be done then.
"""

import os
import socket
import sys

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.open import open_database
from rushes.settings import load_settings

try:
    workers = Catalog(Store(open_database(load_settings(os.environ).database))).workers()
except DatabaseUnavailable as error:
    sys.exit(str(error))
own = [worker.id for worker in workers if worker.id.startswith(f"{socket.gethostname()}-")]
if not own:
    sys.exit("The catalog has not heard of this worker in the last 15 seconds.")
sys.stdout.write(f"{own[0]} is at work.\n")

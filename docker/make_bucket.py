"""Make the bucket that RUSHES_STORAGE_URL names, unless it is there. Run once, before the fleet; waits for the store."""

import os
import sys

from botocore.exceptions import BotoCoreError, ClientError

from rushes.clock import SystemClock, pause
from rushes.storage.bucket import Bucket

PATIENCE = 60.0
THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")
bucket = Bucket.parse(os.environ["RUSHES_STORAGE_URL"])
deadline = SystemClock().monotonic() + PATIENCE
while True:
    try:
        bucket.client.create_bucket(Bucket=bucket.name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in THERE:
            sys.exit(f"The bucket {bucket.name} cannot be made: {error}")
    except BotoCoreError as error:
        if SystemClock().monotonic() > deadline:
            sys.exit(f"The store does not answer: {error}")
        pause(1.0)
        continue
    break

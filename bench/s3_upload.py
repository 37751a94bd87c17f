"""The floor of uploads into S3: boto3's own multipart upload, with its defaults. `python -m bench.s3_upload ENDPOINT BUCKET FILE`.

Prints one line of JSON: the seconds that it took, and the CPU seconds of this process.
"""

from __future__ import annotations

import json
import sys
import time

import boto3

if __name__ == "__main__":
    endpoint, bucket, file = sys.argv[1:]
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.list_objects_v2(Bucket=bucket)  # the first request pays for the connection
    start, cpu = time.perf_counter(), time.process_time()
    client.upload_file(file, bucket, "floor")
    print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}))

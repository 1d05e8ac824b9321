"""A bucket of S3, or of what speaks its language, as a folder of objects."""

from collections.abc import Iterator
from typing import Any

from vocabulary.errors import TargetError, UsageError


class Bucket:
    """The objects of a bucket under a prefix; credentials come from the environment, as AWS has it.

    Args:
        url: `s3://bucket/prefix/`.
        region: empty for the environment's.
        endpoint: URL of another service that speaks S3; empty for AWS.
        suffix: what does not end so is left alone.

    Raises:
        UsageError: when boto3 is not installed.
    """

    def __init__(self, url: str, region: str = "", endpoint: str = "", suffix: str = "") -> None:
        try:
            import boto3  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise UsageError("buckets need boto3", remedy="install keywatch[aws]") from error
        self._bucket, _, self._prefix = url.removeprefix("s3://").partition("/")
        self.name = f"objects:s3://{self._bucket}/{self._prefix}".rstrip("/")
        self._suffix = suffix
        self._client: Any = boto3.client(
            "s3", region_name=region or None, endpoint_url=endpoint or None
        )

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """Yield the names of all objects below the prefix, without it, in their order.

        Raises:
            TargetError: when the bucket cannot be listed.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (an extra)

        asked = {"Bucket": self._bucket, "Prefix": f"{self._prefix}{prefix}"}
        if after:
            asked["StartAfter"] = f"{self._prefix}{after}"
        pages = self._client.get_paginator("list_objects_v2")
        last = ""
        try:
            for page in pages.paginate(**asked):
                for one in page.get("Contents", ()):
                    whole = one["Key"]
                    if whole < last:
                        raise self._unordered()
                    last, key = whole, whole.removeprefix(self._prefix)
                    if after and key <= after:
                        continue  # not everything that speaks S3 heeds StartAfter
                    if whole.endswith(self._suffix) and not whole.endswith("/"):
                        yield key
        except (BotoCoreError, ClientError) as error:
            raise self._refused(error) from error

    def read(self, key: str, longest: int) -> bytes:
        """Return an object."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (an extra)

        try:
            found = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}{key}")
            body: bytes = found["Body"].read(longest + 1)
        except (BotoCoreError, ClientError) as error:
            raise self._refused(error) from error
        return body

    def _unordered(self) -> TargetError:
        return TargetError(
            "it lists objects in no order, as directory buckets do",
            where=self.name,
            remedy="deliver the logs to a general purpose bucket",
        )

    def _refused(self, error: Exception) -> TargetError:
        return TargetError(
            type(error).__name__,
            where=self.name,
            remedy="check the bucket, the region and s3:ListBucket, s3:GetObject",
        )

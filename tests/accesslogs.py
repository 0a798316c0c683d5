"""Records of server access logs, field by field as the Amazon S3 User Guide says, for what a test has of them."""

from dataclasses import dataclass, fields

# The example of "Amazon S3 server access log format" in the Amazon S3 User Guide
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html), two of its five records.
OF_THE_GUIDE = (
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be amzn-s3-demo-bucket1 "
    "[06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be "
    '3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1" 200 - 113 - 7 - "-" '
    '"S3Console/0.4" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 '
    "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 "
    "arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP Yes us-east-1",
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be amzn-s3-demo-bucket1 "
    "[06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be "
    '891CE47D2EXAMPLE REST.GET.LOGGING_STATUS - "GET /amzn-s3-demo-bucket1?logging HTTP/1.1" 200 - 242 - 11 - "-" '
    '"S3Console/0.4" - 9vKBE6vMhrNiWHZmb2L0mXOcqPGzQOI5XLnCtZNPxev+Hf+7tpT6sxDwDty4LHBUOZJG96N1234= SigV4 '
    "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 - - us-east-1",
)


@dataclass(frozen=True)
class Record:
    """One record: its fields in their order, those in brackets and between quotation marks as they stand there."""

    bucket_owner: str = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
    bucket: str = "archive"
    time: str = "[01/Mar/2026:12:00:01 +0000]"
    remote_ip: str = "198.51.100.7"
    requester: str = "arn:aws:iam::111122223333:user/gateway"
    request_id: str = "3E57427F3EXAMPLE"
    operation: str = "REST.GET.OBJECT"
    key: str = "cogs/H%25C3%25B6he.tif"
    request_uri: str = '"GET /archive/cogs/a.tif HTTP/1.1"'
    status: str = "200"
    error_code: str = "-"
    bytes_sent: str = "100"
    object_size: str = "100"
    total_time: str = "70"
    turn_around_time: str = "10"
    referrer: str = '"-"'
    user_agent: str = '"aria2/1.36.0"'
    version_id: str = "-"
    host_id: str = "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234="
    signature_version: str = "SigV4"
    cipher_suite: str = "ECDHE-RSA-AES128-GCM-SHA256"
    authentication_type: str = "QueryString"
    host_header: str = "archive.s3.eu-central-1.amazonaws.com"
    tls_version: str = "TLSv1.2"
    access_point: str = "-"
    acl_required: str = "-"
    source_region: str = "eu-central-1"

    @property
    def line(self) -> str:
        return " ".join(str(getattr(self, field.name)) for field in fields(self))


def of_url(request_id: str, more: str = "") -> str:
    """Return the field Request-URI of a GET by a presigned URL with the id of a redirect."""
    signed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
    return f'"GET /archive/cogs/a.tif?{more}x-cog-gateway-request-id={request_id}&{signed} HTTP/1.1"'

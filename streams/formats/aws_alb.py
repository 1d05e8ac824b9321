"""AWS Application Load Balancer.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

from streams.parsed import Format
from streams.readers import RFC3339_TIME
from streams.textformat import Field, TextFormat

_FIELDS = (
    Field("type", r"[a-z0-9]{2,5}"),
    Field("time", r" (\S{20,40}+)", "time"),
    Field("elb", r" \S++"),
    Field("client:port", r" (\S++)", "ip"),
    Field("target:port", r" \S++"),
    Field("processing_times", r"(?: -?[0-9.]{1,20}+){3}"),
    Field("elb_status_code", r" ([0-9]{1,3}|-)", "status"),
    Field("target_status_code", r" (?:[0-9]{1,3}|-)"),
    Field("received_bytes", r" [0-9-]++"),
    Field("sent_bytes", r" ([0-9]++|-)", "size"),
    # A client's own quotes stand as they came: each field ends where the next one begins.
    Field("request", r' "(.*?)"(?= ")', "request"),
    Field("user_agent", r' "(.*?)"(?= |\r?$)', "agent"),
    Field("more", r"(?: .*)?"),
)

FORMAT = Format(
    name="aws-alb",
    about="AWS Application Load Balancer",
    log_the_key="""
The load balancer logs no header. Have the targets log the key's id, or put an API Gateway or
CloudFront before it; keys in the query string are recognised, hashed and reported as exposed.""",
    samples=(
        (
            b"https 2025-11-03T09:12:44.186641Z app/shop/50dc6c495c0c9188 198.51.100.23:2817 "
            b"10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "
            b'"GET https://shop.example:443/v1/invoices?page=2 HTTP/2.0" "invoicer "4.2"" '
            b"ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 "
            b"arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/shop/73e2d6bc24 "
            b'"Root=1-58337262-36d228ad5d99923122bbe354" "shop.example" "-" 0 '
            b'2025-11-03T09:12:44.100000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1'
        ),
        (
            b"http 2025-11-03T09:12:44.186641Z app/shop/50dc6c495c0c9188 198.51.100.23:2817 - "
            b'-1 -1 -1 400 - 0 272 "- http://shop.example:80- -" "-" - - -'
        ),
    ),
    parse=TextFormat(_FIELDS, RFC3339_TIME),
)

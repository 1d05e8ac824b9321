"""What a judge asks that not every gateway has: shared limits, tokens, certificates.

Each is made from the options, and imports what it needs only where it is configured.
"""

from typing import TYPE_CHECKING

from gateway.options import Options
from gateway.validate import Validator

if TYPE_CHECKING:
    from gateway.papers import Desk
    from gateway.recall import Recall
    from gateway.shared import SharedBuckets


def shared_of(options: Options) -> "SharedBuckets | None":
    """Return the limits that several gateways share, where there is a Redis."""
    if not options.redis:
        return None
    from gateway.shared import SharedBuckets  # noqa: PLC0415  (needs the extra `redis`)

    return SharedBuckets(options.redis)


def desk_of(validator: Validator, options: Options) -> "Desk | None":
    """Return who looks at tokens and certificates, where any are taken."""
    if not (options.issuers or options.certificate_header):
        return None
    from gateway.papers import Desk  # noqa: PLC0415  (needs the extra `tokens`)
    from gateway.tokens import Tokens  # noqa: PLC0415  (likewise)

    tokens = Tokens(options.issuers) if options.issuers else None
    return Desk(
        validator,
        tokens,
        certificate_header=options.certificate_header,
        hash_suffices=options.certificate_hash_suffices,
        max_life_s=options.certificate_max_life_s,
        unregistered=options.unregistered,
        recall=_recall_of(options),
    )


def _recall_of(options: Options) -> "Recall":
    """Return how certificates are checked that their CA may have taken back."""
    from gateway.authorities import authorities_in  # noqa: PLC0415  (needs the extra `tokens`)
    from gateway.crl import RevocationLists  # noqa: PLC0415
    from gateway.ocsp import Responders  # noqa: PLC0415
    from gateway.recall import Recall  # noqa: PLC0415

    lists, ocsp = options.revocation_lists, options.ocsp
    authorities = authorities_in(options.certificate_authorities)
    return Recall(
        RevocationLists(lists, authorities) if lists else None,
        Responders(ocsp, authorities) if ocsp else None,
    )

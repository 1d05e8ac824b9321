"""Something that happened to a repository and calls for a scan."""

import msgspec


class RepoEvent(msgspec.Struct, frozen=True):
    """A push, as a webhook or a topic told it.

    Attributes:
        delivery: identity of the delivery; the same one is handled once.
        forge: github, gitlab, kafka, ….
        repository: clone address or local path, without credentials.
        ref: the branch or tag that moved.
        before, after: object ids; all zeros for created and deleted refs.
        private: False when the world can read the repository.
        received_at: epoch seconds.
    """

    delivery: str
    forge: str
    repository: str
    ref: str
    before: str
    after: str
    private: bool
    received_at: float

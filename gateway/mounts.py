"""Several ASGI applications on one server, told apart by path."""

from collections.abc import Mapping

from gateway.app import App, Receive, Scope, Send


def mounts(
    default: App, by_path: Mapping[str, App], exactly: Mapping[str, App] | None = None
) -> App:
    """Return an application that hands each request to the one mounted on its path.

    A path is taken exactly as it is written; what begins with it followed by `/` is taken, too,
    where it is not mounted exactly. Lifespan goes to `default`, which thereby starts and stops what
    needs it.

    Args:
        default: whatever no path is mounted for.
        by_path: path such as `/hooks/github` → application.
        exactly: likewise, of paths below which nothing is.
    """
    exact = exactly or {}
    longest_first = sorted(by_path.items(), key=lambda item: -len(item[0]))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = default
        if scope["type"] != "lifespan":
            path = scope["path"]
            chosen = exact.get(path, default)
            for place, mounted in longest_first:
                if path == place or path.startswith(place + "/"):
                    chosen = mounted
                    break
        await chosen(scope, receive, send)

    return app

"""What services answer that do not speak HTTP as they should: an error, as any other."""

import socket
import threading
from contextlib import suppress

import pytest

from keywatch.fetching import fetched
from vocabulary.errors import ServiceError

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GARBLED = {
    "no HTTP": b"hello\r\n\r\n",
    "a status that is none": b"HTTP/1.1 99999 OK\r\n\r\n",
    "a long line": b"HTTP/1.1 200 " + b"x" * 99_999 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
    "cut off within a chunk": CHUNKED + b"5\r\nab",
    "no chunk": CHUNKED + b"zz\r\n",
}


@pytest.mark.parametrize("answer", GARBLED.values(), ids=GARBLED)
def test_a_garbled_answer_is_an_error_of_the_service(answer):
    def talk(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer, suppress(OSError):  # of a long line nobody reads the rest
            peer.recv(65_536)
            peer.sendall(answer)
            peer.shutdown(socket.SHUT_WR)
            peer.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, args=(listener,))
        thread.start()
        with pytest.raises(ServiceError, match="does not answer"):
            fetched(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()

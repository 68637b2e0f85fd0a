"""Where the journal ends, as far as this process knows: followers wait here for it to grow."""

import threading


class Growth:
    """The highest event number this process has written or seen. Safe from any thread."""

    def __init__(self) -> None:
        self._grown = threading.Condition()
        self.seen = 0

    def notify(self, seq: int) -> None:
        """Let followers know of an event with this number."""
        with self._grown:
            if seq > self.seen:
                self.seen = seq
                self._grown.notify_all()

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until an event with a number > `after` is known; False when `timeout_s` passed without one."""
        with self._grown:
            return self._grown.wait_for(lambda: self.seen > after, timeout=timeout_s)

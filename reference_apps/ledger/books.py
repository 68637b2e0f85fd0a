"""The state of the ledger in memory, in layers: a draft sees through to the books below it, and is kept or dropped as a whole."""

from typing import Generic, TypeVar

from reference_apps.ledger.loan import Loan
from reference_apps.ledger.model import Account, Transfer
from reference_apps.ledger.reply import Reply

Key = TypeVar("Key")
Value = TypeVar("Value")


class Layer(Generic[Key, Value]):
    """A mapping over another one: writes stay in `own` until `sink`; the lowest layer's `own` is everything."""

    __slots__ = ("_below", "own")

    def __init__(self, below: "Layer[Key, Value] | None" = None) -> None:
        self._below = below
        self.own: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        layer: Layer[Key, Value] | None = self
        while layer is not None:
            found = layer.own.get(key)
            if found is not None:
                return found
            layer = layer._below
        return None

    def put(self, key: Key, value: Value) -> None:
        self.own[key] = value

    def sink(self) -> None:
        """Move everything written here into the layer below."""
        if self._below is not None:
            self._below.own.update(self.own)


class Books:
    """Accounts, transfers, burnt ids, loans and stored replies; `last_ns` and `last_loan` are the newest timestamp and loan number given out."""

    def __init__(self, below: "Books | None" = None) -> None:
        self._below = below
        self.accounts: Layer[int, Account] = Layer(below.accounts if below else None)
        self.transfers: Layer[int, Transfer] = Layer(below.transfers if below else None)
        self.burnt: Layer[int, bool] = Layer(below.burnt if below else None)
        self.loans: Layer[str, Loan] = Layer(below.loans if below else None)
        self.replies: Layer[str, Reply] = Layer(below.replies if below else None)
        self.last_ns: int = below.last_ns if below else 0
        self.last_loan: int = below.last_loan if below else 0

    def draft(self) -> "Books":
        """Return empty books over these: what is written there is not seen here until `keep`."""
        return Books(self)

    def keep(self) -> None:
        """Make this draft part of the books below it."""
        for layer in (self.accounts, self.transfers, self.burnt, self.loans, self.replies):
            layer.sink()
        if self._below is not None:
            self._below.last_ns = max(self._below.last_ns, self.last_ns)
            self._below.last_loan = max(self._below.last_loan, self.last_loan)

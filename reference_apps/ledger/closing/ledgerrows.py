"""The transfers that touch an account, picked out of all of them, each with the number of the chain it was booked in. Pure reading."""

from collections.abc import Iterable, Iterator

from reference_apps.ledger.algebra.model import LINKED, Transfer
from reference_apps.ledger.books import Books


def touching(books: Books, account_id: int) -> list[tuple[int, Transfer]]:
    """Return chain and transfer, the oldest first, of the committed books; transfers that were not linked are chains of one."""
    return list(_touching(list(books.committed.transfers.own.values()), account_id))


def _touching(transfers: Iterable[Transfer], account_id: int) -> Iterator[tuple[int, Transfer]]:
    chain = 0
    for transfer in transfers:
        if account_id in (transfer.debit_account_id, transfer.credit_account_id):
            yield chain, transfer
        if not transfer.flags & LINKED:
            chain += 1

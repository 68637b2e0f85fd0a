"""What each kind of happening does to a loan's life. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import assert_never

from reference_apps.ledger.loans import allocation, duedate, recut, running
from reference_apps.ledger.loans.allocation import Allocation, Component, Debt, Style
from reference_apps.ledger.loans.chart import RECEIVABLE, Business, Control, Movement
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.life import Life
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.posted import Posted
from reference_apps.ledger.loans.product import RECUTTING, Prepayment
from reference_apps.ledger.loans.running import Running
from reference_apps.ledger.loans.splitting import split

PRINCIPAL, INTEREST, FEE, PENALTY = Component.PRINCIPAL, Component.INTEREST, Component.FEE, Component.PENALTY
PAYS = {Kind.PAID: Business.REPAY, Kind.SETTLED: Business.SETTLE, Kind.REFUNDED: Business.REFUND}


def fold(loan: Loan, on: date) -> Life:
    """Return the loan's life through the day `on`, what happened that day included."""
    life = Life(loan)
    if loan.happenings:
        for happening in loan.in_force():
            if happening.on > on:
                break
            life.pass_to(happening.on.toordinal())
            apply(life, happening)
    life.pass_to(on.toordinal())
    return life


def apply(life: Life, happening: Happening) -> None:
    """Apply one happening on its day."""
    match happening.kind:
        case Kind.PAID | Kind.REFUNDED:
            _pay(life, happening)
        case Kind.SETTLED:
            _settle(life, happening)
        case Kind.PAID_BACK:
            life.overpay(-happening.amount_fen)
            life.move(happening.number, Movement("paid back", Business.PAY_BACK, Control.OVERPAYMENT, Control.BANK, happening.amount_fen))
        case Kind.CHARGED_OFF:
            _charge_off(life, happening)
        case Kind.CHARGED_BACK:
            _charge_back(life, happening)
        case Kind.RE_AGED:
            _re_age(life, happening)
        case Kind.RE_AMORTISED:
            _re_amortise(life)
        case Kind.FEE_CHARGED:
            _current(life).fee += happening.amount_fen
            life.fees += happening.amount_fen
            _use_overpaid(life, happening.number)
        case Kind.WAIVED:
            _waive(life, happening)
        case Kind.REVERSED:
            pass  # what is reversed is not in force, and was left out
        case _:
            assert_never(happening.kind)


def _pay(life: Life, happening: Happening) -> None:
    """Pay what is past due, what is due today, then in advance by the product's rule; the rest is overpayment."""
    whole, business = happening.amount_fen, PAYS[happening.kind]
    ahead = [] if life.charged_off else life.ahead()
    due = life.lines[: len(life.lines) - len(ahead)]
    past = [line for line in due if line.due < life.day]
    buckets = (past, due[len(past) :])
    style = Style.HORIZONTAL if life.charged_off else life.product.style
    paid = allocation.over_buckets([life.unpaid(bucket) for bucket in buckets], whole, life.product.order, style)
    if paid.rest_fen and ahead:
        paid = paid.then(_in_advance(life, ahead, paid.rest_fen))
    before = running.principal_left(ahead) if life.product.prepayment in RECUTTING else 0
    life.take(happening.number, paid, business, Control.BANK)
    if before and running.principal_left(ahead) < before:
        recut.recut(ahead, life.day, life.product, life.loan.terms.annual_rate, before)
    if paid.rest_fen:
        life.move(happening.number, Movement("rest", business, Control.BANK, Control.OVERPAYMENT, paid.rest_fen))
        life.overpay(paid.rest_fen)
    life.allocations[happening.number] = paid


def _in_advance(life: Life, ahead: Sequence[Running], fen: int) -> Allocation:
    """Pay instalments to come, whole; or interest to the day, then principal, which the first of them takes."""
    match life.product.prepayment:
        case Prepayment.NEXT_INSTALMENT:
            return allocation.horizontal(life.unpaid(ahead), fen, life.product.order)
        case Prepayment.LAST_INSTALMENT:
            return allocation.horizontal(life.unpaid(reversed(ahead)), fen, life.product.order)
        case Prepayment.RE_AMORTISE | Prepayment.SHORTEN:
            run = [Debt(line.number, {INTEREST: max(0, life.run(line))}) for line in ahead]
            left = Debt(ahead[0].number, {PRINCIPAL: running.principal_left(ahead)})
            charges = [Debt(debt.number, {FEE: debt.owed[FEE], PENALTY: debt.owed[PENALTY]}) for debt in life.debts(ahead)]
            return allocation.horizontal([*run, left, *charges], fen, life.product.order)


def _settle(life: Life, happening: Happening) -> None:
    """End the interest today and pay everything. Money that does not settle, because an earlier payment turned out otherwise, is a payment."""
    if happening.amount_fen >= life.payoff():
        _stop_interest(life, happening.number)
        split_up = allocation.horizontal(life.debts(life.lines), happening.amount_fen, life.product.order)
        life.take(happening.number, split_up, Business.SETTLE, Control.BANK)
        life.move(happening.number, Movement("rest", Business.SETTLE, Control.BANK, Control.OVERPAYMENT, split_up.rest_fen))
        life.overpay(split_up.rest_fen)
        life.allocations[happening.number] = split_up
    else:
        _pay(life, happening)


def _stop_interest(life: Life, number: int) -> None:
    """Charge no interest after today; what was paid of it in advance pays principal, then the rest."""
    beyond = 0
    for line in life.ahead():
        accrued = line.accrued(life.day, life.product.rounding)
        beyond += line.stop(max(accrued, line.paid_interest - line.again) if life.charged_off else accrued)
    debts = [Debt(debt.number, {PRINCIPAL: debt.owed[PRINCIPAL]}) for debt in life.debts(life.lines)]
    used = allocation.horizontal(debts, beyond)
    life.paid[INTEREST] -= beyond
    life.move(number, Movement("credit/rest", Business.REALLOCATE, Control.INTEREST_RECEIVABLE, Control.OVERPAYMENT, used.rest_fen))
    life.overpay(used.rest_fen)
    for part in used.parts:
        life.line(part.number).pay(PRINCIPAL, part.amount_fen)
    life.paid[PRINCIPAL] += used.of(PRINCIPAL)
    life.move(number, Movement("credit/principal", Business.REALLOCATE, Control.INTEREST_RECEIVABLE, Control.PRINCIPAL, used.of(PRINCIPAL)))
    _use_overpaid(life, number)


def _charge_off(life: Life, happening: Happening) -> None:
    """Write the principal off, take back what was earned and not paid; the claim stays, and grows on only if the product says so."""
    if life.charged_off:
        return
    if not life.product.accrues_after_charge_off:
        for line in life.ahead():
            line.stop(max(line.accrued(life.day, life.product.rounding), line.paid_interest - line.again))
        life.stopped = True
    lost = life.principal()
    life.frozen = Posted(interest_fen=life.paid[INTEREST], fee_fen=life.paid[FEE], penalty_fen=life.paid[PENALTY], through=life.day)
    life.charged_off = happening.on
    life.written_off += lost
    life.move(happening.number, Movement("write-off", Business.WRITE_OFF, Control.WRITE_OFF, Control.PRINCIPAL, lost))


def _charge_back(life: Life, happening: Happening) -> None:
    """Ask again, in the current instalment, for what a payment had paid, the last part of it first; the customer has the money back."""
    paid = life.allocations.get(happening.of)
    if paid is None:
        return
    skipped, left = life.backed.get(happening.of, 0), happening.amount_fen
    life.backed[happening.of] = skipped + left
    recovery = any(movement.business is Business.RECOVER for movement in life.movements.get(happening.of, ()))
    back: dict[Component | None, int] = {}
    for component, fen in ((None, paid.rest_fen), *((part.component, part.amount_fen) for part in reversed(paid.parts))):
        passed = min(fen, skipped)
        taken = min(fen - passed, left)
        skipped, left = skipped - passed, left - taken
        back[component] = back.get(component, 0) + taken
    for component, fen in back.items():
        _ask_again(life, happening.number, component, fen, recovery)
    _use_overpaid(life, happening.number)


def _ask_again(life: Life, number: int, component: Component | None, fen: int, recovery: bool) -> None:
    """Ask for one component again; after a charge-off what goes out is lost, or is a recovery less."""
    if component is None:
        life.overpay(-fen)
        life.move(number, Movement("rest", Business.CHARGE_BACK, Control.OVERPAYMENT, Control.BANK, fen))
        return
    _current(life).ask(component, fen)
    debit = RECEIVABLE[component]
    if recovery:
        life.recovered -= fen
        debit = Control.RECOVERY_INCOME
    elif life.charged_off:
        debit = Control.WRITE_OFF
        if component is PRINCIPAL:
            life.paid[PRINCIPAL] -= fen
            life.written_off += fen
    else:
        life.paid[component] -= fen
    life.move(number, Movement(str(component), Business.CHARGE_BACK, debit, Control.BANK, fen))


def _use_overpaid(life: Life, number: int) -> None:
    """Let what the customer has with us pay what is newly owed."""
    if life.overpaid > 0:
        used = allocation.horizontal(life.debts(life.lines), life.overpaid, life.product.order)
        before = len(life.movements.get(number, ()))
        life.take(number, used, Business.REALLOCATE, Control.OVERPAYMENT)
        life.overpay(used.rest_fen - life.overpaid)
        moved = life.movements.get(number, [])
        moved[before:] = [movement._replace(label=f"overpaid/{movement.label}") for movement in moved[before:]]


def _re_age(life: Life, happening: Happening) -> None:
    """Move all that is unpaid into new instalments: principal by the product's method with interest from today, the rest in equal parts."""
    if happening.start_on is None or not any(sum(debt.owed.values()) for debt in life.debts(life.lines)):
        return
    if not life.charged_off:
        _stop_interest(life, happening.number)
    else:
        for line in life.ahead():
            line.stop(max(line.accrued(life.day, life.product.rounding), line.paid_interest - line.again))
    given = [line.hand_over(life.cost(line)) for line in life.lines]
    dues = [duedate.months_after(happening.start_on, months) for months in range(happening.periods)]
    rate = life.loan.terms.annual_rate * (0 if life.stopped else 1)
    owed = sum(debt.owed[PRINCIPAL] for debt in given)
    new = recut.fresh(max(line.number for line in life.lines) + 1, dues, life.day, life.product, (rate, owed))
    _spread(given, new, (PENALTY, FEE, INTEREST))
    life.lines = sorted([*life.lines, *new], key=lambda line: (line.due, line.number))


def _re_amortise(life: Life) -> None:
    """Spread what is past due over the instalments that are left; without any, nothing changes."""
    over = [line for line in life.lines if line.due < life.day]
    left = [line for line in life.lines if line.due >= life.day]
    if left:
        _spread([line.hand_over(life.cost(line)) for line in over], left, (PENALTY, FEE, INTEREST, PRINCIPAL))


def _spread(given: Sequence[Debt], over: Sequence[Running], components: Sequence[Component]) -> None:
    shares = {component: split(sum(debt.owed[component] for debt in given), [1] * len(over)) for component in components}
    for place, line in enumerate(over):
        line.take_over({component: shares[component][place] if component in shares else 0 for component in Component})


def _waive(life: Life, happening: Happening) -> None:
    """Give up fees or penalties, the oldest first, as far as they are owed."""
    component, left = happening.component or FEE, happening.amount_fen
    for line, debt in zip(life.lines, life.debts(life.lines), strict=True):
        given_up = min(left, debt.owed[component])
        left -= given_up
        if component is FEE:
            line.fee -= given_up
            life.fees -= given_up
        elif component is PENALTY:
            line.penalty -= given_up
            life.waived += given_up


def _current(life: Life) -> Running:
    """Return the first instalment that is due today or later; the last one when all are past."""
    return next((line for line in life.lines if line.due >= life.day), life.lines[-1])

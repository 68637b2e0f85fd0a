"""What risk may be asked, checked at the door, and turned into frozen facts."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from reference_apps.risk.model import Fact

Fen = Annotated[StrictInt, Field(ge=0, le=10**13)]


class Body(BaseModel):
    """What every body has in common: a field we do not know is a mistake, not something to ignore."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shopping(Body):
    """What a shop knows of the customer, over twelve months."""

    orders_12m: Annotated[StrictInt, Field(ge=0, le=100_000)]
    spend_12m_fen: Fen


class DecisionBody(Body):
    """The question: who asks for what, and what is known; None means unknown."""

    application_id: str = Field(min_length=1, max_length=128)
    tenant: str = Field(default="default", pattern="^[a-z0-9_]{1,32}$")
    customer_id: str = Field(min_length=1, max_length=128)
    age: Annotated[StrictInt, Field(ge=0, le=130)]
    zhima_score: Annotated[StrictInt, Field(ge=350, le=950)] | None = None
    pboc_record: Literal["good", "ordinary", "none", "bad"] | None = None
    taobao: Shopping | None = None
    jd: Shopping | None = None
    other_debt_fen: Fen = 0
    amount_fen: Annotated[StrictInt, Field(gt=0, le=10**13)] | None = None
    periods: Annotated[StrictInt, Field(ge=1, le=60)] = 12

    def to_facts(self) -> dict[str, Fact]:
        """Return the facts by name; shopping spend is what the shops that answered say together."""
        spends = [shop.spend_12m_fen for shop in (self.taobao, self.jd) if shop is not None]
        return {
            "customer_id": self.customer_id,
            "age": self.age,
            "zhima_score": self.zhima_score,
            "pboc_record": self.pboc_record,
            "shopping_spend_12m_fen": sum(spends) if spends else None,
            "taobao": None if self.taobao is None else self.taobao.spend_12m_fen,
            "jd": None if self.jd is None else self.jd.spend_12m_fen,
            "other_debt_fen": self.other_debt_fen,
            "amount_fen": self.amount_fen,
            "periods": self.periods,
        }

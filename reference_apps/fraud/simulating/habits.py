"""What an honest person's application, login or payment looks like: every field of the event, with the noise that life has. All chance is in the dice given."""

from random import Random
from typing import Any

from reference_apps.fraud.simulating.town import DAY_MS, HOUR_MS, Agent, Merchant, Person

Fields = dict[str, Any]
HOURS = (2, 1, 1, 1, 1, 2, 5, 9, 12, 14, 15, 15, 18, 14, 12, 13, 14, 15, 18, 24, 28, 26, 18, 7)
"""How busy each hour of the day is; midday and the evening are when people shop."""
WEEKDAYS = (0.9, 0.9, 0.95, 1.0, 1.15, 1.35, 1.25)
LONG_AGO_HOURS = 24 * 900.0


def when(luck: Random, day_ms: int, night_share: float = 0.0) -> int:
    """Return a moment of a day, by the rhythm of the hours and by how much of a night owl somebody is."""
    hour = luck.choice((0, 1, 2, 3, 23)) if luck.random() < night_share else luck.choices(range(24), HOURS)[0]
    return day_ms + hour * HOUR_MS + luck.randrange(HOUR_MS)


def session(luck: Random, person: Person, at_ms: int) -> Fields:
    """Return who, from which device, network and hand."""
    is_away = person.is_away(at_ms)
    device = person.device_at(at_ms)
    return {
        "account": person.account,
        "phone": person.phone,
        "device": device,
        "network": f"10.230.{person.number % 40}.0/24" if is_away else person.network,
        "proxy": person.has_vpn or luck.random() < 0.01,
        "hosting_network": person.has_vpn and luck.random() < 0.3,
        "emulator": luck.random() < 0.001,
        "rooted": luck.random() < 0.015,
        "timezone_mismatch": (is_away and luck.random() < 0.3) or luck.random() < 0.01,
        "blacklist_hits": 1 if luck.random() < 0.01 else 0,
        "domain_age_days": luck.randrange(300, 9_000) if luck.random() < 0.98 else luck.randrange(60),
        "night_share": person.night_share,
        "device_age_days": _device_days(luck, person, at_ms),
        "fingerprint_entropy": share(luck, 14, 4),
        "factory_reset": luck.random() < 0.01,
        "retries": luck.choices((0, 1, 2, 4), (80, 14, 5, 1))[0],
        "captcha_fails": luck.choices((0, 1, 2), (92, 6, 2))[0],
        "requests_per_minute": round(luck.uniform(2, 28), 1),
        "path_rarity": share(luck, 2, 6),
    } | _hand(luck)


def _hand(luck: Random) -> Fields:
    """Return how the form was filled in; password managers paste and are quick."""
    has_manager = luck.random() < 0.06
    return {
        "dwell_ms": int(luck.lognormvariate(8.4 if has_manager else 10.1, 0.5)),
        "touch_entropy": share(luck, 12, 4),
        "key_entropy": share(luck, 3, 3) if has_manager else share(luck, 12, 4),
        "paste_ratio": share(luck, 5, 3) if has_manager else share(luck, 1, 9),
    }


def _device_days(luck: Random, person: Person, at_ms: int) -> int:
    if person.phone_from_ms and at_ms >= person.phone_from_ms:
        return (at_ms - person.phone_from_ms) // DAY_MS
    return 20 + luck.randrange(900)


def keys_held(luck: Random, person: Person, at_ms: int) -> Fields:
    """Return what is known about who holds the account's keys."""
    begins_trip = person.is_away(at_ms) and at_ms - person.trip[0] < DAY_MS
    changed_hours = (at_ms - person.password_ms) / HOUR_MS
    is_new = bool(person.phone_from_ms) and 0 <= at_ms - person.phone_from_ms < 2 * DAY_MS
    return {
        "new_device": is_new,
        "credential_changed_hours": round(changed_hours if changed_hours >= 0 else LONG_AGO_HOURS, 1),
        "sim_swap_days": person.sim_days,
        "geo_speed_kmh": round(luck.uniform(300, 850) if begins_trip else luck.expovariate(1 / 18), 1),
        "session_reused": luck.random() < 0.004,
    }


def login(luck: Random, person: Person, at_ms: int) -> Fields:
    return session(luck, person, at_ms) | keys_held(luck, person, at_ms)


def payment(luck: Random, person: Person, at_ms: int, shop: Merchant) -> Fields:
    """Return a purchase; the delivery goes home, to work, or now and then to family far away."""
    limit = person.limit_fen
    amount = min(limit, max(500, int(luck.lognormvariate(9.6, 1.1))))
    amount = max(shop.round_fen, amount // shop.round_fen * shop.round_fen)
    return (
        login(luck, person, at_ms)
        | spending(luck, person)
        | {
            "merchant": shop.name,
            "merchant_category": shop.category,
            "merchant_age_days": shop.age_days,
            "amount_fen": min(amount, limit),
            "limit_fen": limit,
            "activated_days": person.active_days,
            "refunds_24h": luck.choices((0, 1, 2), (94, 5, 1))[0],
            "payee_added_hours": round(luck.uniform(0, 12), 1) if luck.random() < 0.04 else round(luck.uniform(100, 9_000), 1),
            "address": person.address,
            "geocode_precision_m": round(luck.lognormvariate(3.6, 0.8), 1),
            "home_delivery_km": round(luck.uniform(200, 1_500) if luck.random() < 0.02 else luck.expovariate(0.2), 1),
        }
    )


def spending(luck: Random, person: Person) -> Fields:
    """Return how somebody lives with money."""
    return {
        "monthly_income_fen": person.income_fen,
        "utilisation_jump": share(luck, 1.2, 9) if luck.random() > 0.03 else share(luck, 4, 4),
        "payment_channel_changed": luck.random() < 0.03,
        "shopping_drop": share(luck, 1.5, 7),
        "peer_delinquency": share(luck, 1.5, 50),
    }


def application(luck: Random, person: Person, at_ms: int, agent: Agent | None) -> Fields:
    """Return an application, at home or in an agent's shop."""
    fields = login(luck, person, at_ms) | spending(luck, person) | papers(luck, person) | dwelling(luck, person, at_ms)
    fields |= {
        "amount_fen": max(50_000, int(person.income_fen * luck.uniform(0.3, 2.5)) // 10_000 * 10_000),
        "contacts": person.contacts,
        "contact_reciprocity": share(luck, 4, 6),
        "bureau_queries_30d": luck.choices((0, 1, 2, 3, 6), (45, 30, 14, 8, 3))[0],
    }
    return fields if agent is None else fields | brought_by(luck, agent)


def brought_by(luck: Random, agent: Agent) -> Fields:
    return {
        "merchant": agent.shop,
        "network": agent.network,
        "agent_approval_rate": agent.approval_rate,
        "agent_default_rate": agent.default_rate,
        "same_gps_submissions": luck.randrange(1, 7),
        "serial_reuse": 1 if luck.random() < 0.01 else 0,
        "closing_time_burst": share(luck, 2, 12),
    }


def papers(luck: Random, person: Person) -> Fields:
    """Return how well the papers fit; a worn card, bad light or a new hairstyle costs some of it."""
    has_bad_light = luck.random() < 0.04
    return {
        "name_match": 1.0 if luck.random() < 0.97 else share(luck, 18, 2),
        "id_phone_match": 1.0 if luck.random() < 0.94 else share(luck, 3, 3),
        "card_match": 1.0 if luck.random() < 0.96 else share(luck, 5, 2),
        "face_score": share(luck, 9, 4) if has_bad_light else share(luck, 40, 2),
        "liveness_score": share(luck, 12, 3) if has_bad_light else share(luck, 45, 2),
        "ocr_match": share(luck, 8, 3) if luck.random() < 0.03 else share(luck, 60, 1),
        "applicant_age": person.age,
        "id_region_match": luck.random() < 0.9,
        "phone_tenure_days": person.tenure_days,
    }


def dwelling(luck: Random, person: Person, at_ms: int) -> Fields:
    """Return what is known of the address; new villages are on no map yet."""
    far = luck.uniform(300, 1_800) if person.is_away(at_ms) else luck.expovariate(0.3)
    return {
        "address": person.address,
        "geocode_precision_m": round(luck.uniform(500, 3_000) if luck.random() < 0.03 else luck.lognormvariate(3.6, 0.8), 1),
        "home_work_km": round(luck.expovariate(1 / 12), 1),
        "home_ip_km": round(far + luck.expovariate(1 / 20), 1),
        "home_gps_km": round(far, 1),
        "bad_address_similarity": share(luck, 2, 8),
        "address_edits": luck.choices((0, 1, 2, 3), (75, 17, 6, 2))[0],
        "forwarder": luck.random() < 0.004,
    }


def share(luck: Random, alpha: float, beta: float) -> float:
    """Return a share in thousandths, from a beta distribution."""
    return round(luck.betavariate(alpha, beta), 3)

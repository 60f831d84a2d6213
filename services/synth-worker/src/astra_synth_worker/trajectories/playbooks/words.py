"""Names and things for the offline teacher's users to talk about."""

from random import Random

FIRST = (
    "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Keiko", "Luca", "Mina",
    "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Sven", "Tala", "Umar", "Vera", "Wanda", "Xenia", "Yusuf", "Zoe",
)  # fmt: skip
LAST = (
    "Almeida", "Bergstrom", "Castellano", "Dubois", "Eriksen", "Fontaine", "Ghosh", "Haddad", "Ivanova", "Jensen",
    "Kowalski", "Lindqvist", "Moreau", "Nakamura", "Okafor", "Petrov", "Quispe", "Rossi", "Sato", "Tanaka", "Ueda",
    "Vargas", "Weber", "Yilmaz", "Zielinski",
)  # fmt: skip
COMPANIES = (
    "Northwind Traders", "Blue Heron Labs", "Cedar & Finch", "Delta Orchard", "Eastgate Mills", "Fjord Analytics",
    "Granite Peak Tools", "Harbor Lane Books", "Iris Optics", "Juniper Freight", "Kestrel Robotics", "Lumen Bakery",
)  # fmt: skip
CITIES = ("Lyon", "Porto", "Gdansk", "Nagoya", "Valparaiso", "Bergen", "Izmir", "Accra", "Tampere", "Adelaide")
ITEMS = (
    "lamp", "chair", "desk", "kettle", "backpack", "bicycle", "blanket", "notebook", "headset", "camera", "tripod",
    "teapot", "mirror", "ladder", "guitar", "tent",
)  # fmt: skip
TABLES = ("orders", "sales", "inventory", "purchases", "shipments", "rentals", "bookings", "stock")
TOPICS = ("invoice", "schedule", "contract", "delivery", "budget", "workshop", "renewal", "inspection")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def person(rng: Random) -> tuple[str, str]:
    """A full name and an address for it."""
    first, last = rng.choice(FIRST), rng.choice(LAST)
    return f"{first} {last}", f"{first}.{last}{rng.randint(1, 99)}@example.org".lower()


def money(cents: int) -> str:
    """Cents as a user writes them: ``$25.00``."""
    return f"${cents / 100:,.2f}"

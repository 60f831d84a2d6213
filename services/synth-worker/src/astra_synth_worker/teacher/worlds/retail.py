"""A shop chain: orders, goods, suppliers, stores, prices."""

from astra_synth_worker.teacher.world import Kind, Shape, Thing, Words, World

WORLD = World(
    name="retail",
    openings=("I answer customers of a shop.", "I buy for our stores.", "This is for the shop's records."),
    things={
        "order": Thing("order", "order {}", code="A-0000"),
        "item": Thing("item", "the item {}", names="goods"),
        "supplier": Thing("supplier", "supplier {}", names="firms"),
        "store": Thing("store", "the {} store", names="places"),
        "price": Thing("price", "a price of {}", numbers=(110, 990)),
        "count": Thing("count", "{} pieces", numbers=(2, 40)),
        "total": Thing("total", numbers=(1000, 99_999)),
        "phone": Thing("phone number", code="000-0000"),
    },
    kinds=(
        Kind(
            "item_of_order",
            Shape.LOOKUP,
            ("order",),
            "item",
            Words(
                "Item that an order is for.",
                ("What is {order} for?", "Which item is in {order}?", "What was bought with {order}?"),
                ("the item of {order}", "the item in {order}", "the item bought with {order}"),
            ),
        ),
        Kind(
            "supplier_of_item",
            Shape.LOOKUP,
            ("item",),
            "supplier",
            Words(
                "Supplier of an item.",
                ("Who supplies {item}?", "Which supplier delivers {item}?", "From which supplier comes {item}?"),
                ("the supplier of {item}", "the supplier that delivers {item}", "the supplier for {item}"),
            ),
        ),
        Kind(
            "best_item",
            Shape.BEST,
            ("supplier",),
            "item",
            Words(
                "Best-rated item of a supplier.",
                (
                    "What is the best-rated item of {supplier}?",
                    "Which item of {supplier} is rated best?",
                    "What does {supplier} make best?",
                ),
                ("the best-rated item of {supplier}", "the best item of {supplier}", "the top item by {supplier}"),
            ),
            rank="rating",
        ),
        Kind(
            "phone_of_store",
            Shape.LOOKUP,
            ("store",),
            "phone",
            Words(
                "Phone number of a store.",
                ("What is the phone number of {store}?", "How can I call {store}?", "Which number reaches {store}?"),
                ("the phone number of {store}", "the phone of {store}", "the number that reaches {store}"),
            ),
        ),
        Kind(
            "store_of_item",
            Shape.LOOKUP,
            ("item",),
            "store",
            Words(
                "Store that has an item in stock.",
                ("Which store has {item}?", "Where is {item} in stock?", "At which store can I get {item}?"),
                ("the store that has {item}", "the store with {item}", "the store that sells {item}"),
            ),
        ),
        Kind(
            "price_of_item",
            Shape.LOOKUP,
            ("item",),
            "price",
            Words(
                "Price of one item.",
                ("What does {item} cost?", "What is the price of {item}?", "How much is {item}?"),
                ("the price of {item}", "the cost of {item}", "what {item} costs"),
            ),
        ),
        Kind(
            "order_total",
            Shape.SCALE,
            ("count", "price"),
            "total",
            Words(
                "Total for a count and a price, fees included.",
                (
                    "What is the total for {count} at {price}?",
                    "How much are {count} with {price} each?",
                    "What do {count} at {price} come to?",
                ),
                (
                    "the total for {count} at {price}",
                    "the sum for {count} at {price}",
                    "the bill for {count} at {price}",
                ),
            ),
        ),
    ),
)

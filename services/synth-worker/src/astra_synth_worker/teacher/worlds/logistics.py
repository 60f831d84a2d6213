"""A haulier: parcels, depots, drivers, trucks, freight."""

from astra_synth_worker.teacher.world import Kind, Shape, Thing, Words, World

WORLD = World(
    name="logistics",
    openings=("I plan freight tours.", "I am in dispatch today.", "This concerns our parcel service."),
    things={
        "parcel": Thing("parcel", "parcel {}", code="PA000"),
        "depot": Thing("depot", "the {} depot", names="places"),
        "day": Thing("day", "{}", names="days"),
        "driver": Thing("driver", "driver {}", names="people"),
        "truck": Thing("truck", "truck {}", names="firms"),
        "weight": Thing("weight", "a weight of {} kg", numbers=(110, 990)),
        "rate": Thing("rate", "a rate of {} cents", numbers=(101, 499)),
        "freight": Thing("freight", numbers=(1000, 999_999)),
    },
    kinds=(
        Kind(
            "depot_of_parcel",
            Shape.LOOKUP,
            ("parcel",),
            "depot",
            Words(
                "Depot where a parcel lies.",
                ("Which depot has {parcel}?", "Where does {parcel} lie?", "At which depot is {parcel}?"),
                ("the depot that has {parcel}", "the depot where {parcel} lies", "the depot of {parcel}"),
            ),
        ),
        Kind(
            "next_depot",
            Shape.LOOKUP,
            ("depot",),
            "depot",
            Words(
                "Depot that comes next on the tour.",
                (
                    "Which depot comes after {depot}?",
                    "Where does the tour go from {depot}?",
                    "What is the next depot after {depot}?",
                ),
                ("the depot after {depot}", "the next depot after {depot}", "the depot that follows {depot}"),
            ),
        ),
        Kind(
            "driver_on_duty",
            Shape.SEARCH,
            ("depot", "day"),
            "driver",
            Words(
                "Driver on duty at a depot on a day.",
                (
                    "Who drives from {depot} on {day}?",
                    "Which driver is at {depot} on {day}?",
                    "Who is on duty at {depot} on {day}?",
                ),
                (
                    "the driver at {depot} on {day}",
                    "the {day} driver of {depot}",
                    "the driver on duty at {depot} on {day}",
                ),
            ),
        ),
        Kind(
            "truck_of_driver",
            Shape.LOOKUP,
            ("driver",),
            "truck",
            Words(
                "Truck that a driver uses.",
                (
                    "Which truck does {driver} use?",
                    "What truck is assigned to {driver}?",
                    "Which truck belongs to {driver}?",
                ),
                ("the truck of {driver}", "the truck that {driver} uses", "the truck assigned to {driver}"),
            ),
        ),
        Kind(
            "weight_of_parcel",
            Shape.LOOKUP,
            ("parcel",),
            "weight",
            Words(
                "Weight of a parcel in kg.",
                ("How heavy is {parcel}?", "What is the weight of {parcel}?", "How many kg has {parcel}?"),
                ("the weight of {parcel}", "the kg of {parcel}", "the weight in kg of {parcel}"),
            ),
        ),
        Kind(
            "rate_of_depot",
            Shape.LOOKUP,
            ("depot",),
            "rate",
            Words(
                "Rate per kg at a depot, in cents.",
                (
                    "What rate does {depot} charge?",
                    "What is the rate per kg at {depot}?",
                    "How much is a kg at {depot}?",
                ),
                ("the rate of {depot}", "the rate per kg at {depot}", "the rate that {depot} charges"),
            ),
        ),
        Kind(
            "freight_cost",
            Shape.SCALE,
            ("weight", "rate"),
            "freight",
            Words(
                "Freight for a weight and a rate, surcharge included.",
                (
                    "What is the freight for {weight} at {rate}?",
                    "How much freight is due for {weight} and {rate}?",
                    "Compute the freight for {weight} with {rate}.",
                ),
                (
                    "the freight for {weight} at {rate}",
                    "the freight due for {weight} and {rate}",
                    "the cost of {weight} at {rate}",
                ),
            ),
        ),
    ),
)

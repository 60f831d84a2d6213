"""A city's library: titles, branches, clerks, shelves, fines."""

from astra_synth_worker.teacher.world import Kind, Shape, Thing, Words, World

WORLD = World(
    name="library",
    openings=("I am at the library desk.", "I work for the city library.", "This is about our library."),
    things={
        "title": Thing("title", "'{}'", names="titles"),
        "branch": Thing("branch", "the {} branch", names="places"),
        "clerk": Thing("clerk", "clerk {}", names="people"),
        "shelf": Thing("shelf code", code="AA-000"),
        "stock": Thing("stock", numbers=(120, 980)),
        "days": Thing("number of days", "{} days", numbers=(2, 29)),
        "fine": Thing("fine", numbers=(100, 9999)),
    },
    kinds=(
        Kind(
            "branch_of_title",
            Shape.LOOKUP,
            ("title",),
            "branch",
            Words(
                "Branch that holds a title.",
                ("Which branch holds {title}?", "Where can I borrow {title}?", "At which branch is {title}?"),
                ("the branch that holds {title}", "the branch with {title}", "the branch that lends {title}"),
            ),
        ),
        Kind(
            "clerk_of_branch",
            Shape.LOOKUP,
            ("branch",),
            "clerk",
            Words(
                "Clerk in charge of a branch.",
                ("Who is the clerk at {branch}?", "Which clerk runs {branch}?", "Who works as the clerk of {branch}?"),
                ("the clerk of {branch}", "the clerk at {branch}", "the clerk who runs {branch}"),
            ),
        ),
        Kind(
            "pick_of_clerk",
            Shape.LOOKUP,
            ("clerk",),
            "title",
            Words(
                "Title that a clerk recommends.",
                (
                    "Which title does {clerk} recommend?",
                    "What title is the pick of {clerk}?",
                    "What should I read, going by {clerk}?",
                ),
                ("the title that {clerk} recommends", "the title picked by {clerk}", "the favourite title of {clerk}"),
            ),
        ),
        Kind(
            "shelf_of_title",
            Shape.LOOKUP,
            ("title",),
            "shelf",
            Words(
                "Shelf code of a title.",
                (
                    "On which shelf is {title}?",
                    "What is the shelf code of {title}?",
                    "Where on the shelves is {title}?",
                ),
                ("the shelf code of {title}", "the shelf of {title}", "the shelf where {title} stands"),
            ),
        ),
        Kind(
            "stock_of_branch",
            Shape.LOOKUP,
            ("branch",),
            "stock",
            Words(
                "Number of books at a branch.",
                (
                    "How many books does {branch} have?",
                    "What is the stock of {branch}?",
                    "How large is the stock at {branch}?",
                ),
                ("the stock of {branch}", "the number of books at {branch}", "the book count of {branch}"),
            ),
        ),
        Kind(
            "late_fine",
            Shape.TARIFF,
            ("branch", "days"),
            "fine",
            Words(
                "Fine for late return at a branch.",
                (
                    "What is the fine at {branch} after {days}?",
                    "How much is owed at {branch} for {days} late?",
                    "What does {branch} charge for {days} of delay?",
                ),
                (
                    "the fine at {branch} after {days}",
                    "the late fine of {branch} for {days}",
                    "the charge of {branch} for {days}",
                ),
            ),
        ),
    ),
)

"""A city's library: titles, branches, clerks, shelves, fines."""

from astra_synth_worker.teacher.world import Kind, Shape, Thing, Wording, Words, World

_ZH = Wording(
    openings=("我在图书馆服务台。", "我在市图书馆工作。", "这是图书馆的事。"),
    things={
        "title": ("书", "《{}》"),
        "branch": ("分馆", "{}分馆"),
        "clerk": ("馆员", "馆员{}"),
        "shelf": ("架号", "{}"),
        "stock": ("藏书量", "{}"),
        "days": ("天数", "{}天"),
        "fine": ("罚款", "{}"),
    },
    kinds={
        "branch_of_title": Words(
            "查询某书所在的分馆。",
            ("{title}在哪个分馆？", "哪个分馆有{title}？", "到哪个分馆能借到{title}？"),
            ("收藏{title}的分馆", "有{title}的分馆", "能借到{title}的分馆"),
        ),
        "clerk_of_branch": Words(
            "查询分馆的负责馆员。",
            ("{branch}的馆员是谁？", "谁负责{branch}？", "{branch}由哪位馆员管理？"),
            ("{branch}的馆员", "负责{branch}的馆员", "管理{branch}的馆员"),
        ),
        "pick_of_clerk": Words(
            "查询馆员推荐的书。",
            ("{clerk}推荐哪本书？", "{clerk}最推荐什么书？", "按{clerk}的推荐该读哪本书？"),
            ("{clerk}推荐的书", "{clerk}最推荐的书", "{clerk}选的那本书"),
        ),
        "shelf_of_title": Words(
            "查询某书的架号。",
            ("{title}的架号是多少？", "{title}放在哪个书架？", "到哪个架号找{title}？"),
            ("{title}的架号", "放{title}的架号", "{title}所在的架号"),
        ),
        "stock_of_branch": Words(
            "查询分馆的藏书量。",
            ("{branch}有多少册书？", "{branch}的藏书量是多少？", "{branch}藏书几册？"),
            ("{branch}的藏书量", "{branch}的册数", "{branch}的藏书册数"),
        ),
        "late_fine": Words(
            "计算在某分馆逾期的罚款。",
            ("在{branch}逾期{days}罚多少？", "{branch}对逾期{days}收多少罚款？", "逾期{days}要付{branch}多少罚款？"),
            ("在{branch}逾期{days}的罚款", "{branch}对逾期{days}的罚款", "逾期{days}在{branch}的罚款"),
        ),
    },
)

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
    translations={"zh": _ZH},
)

import pytest

from components.columns import ColumnsConfig
from components.formats import column_roles
from schema import features
from schema.errors import UserError

USER, ITEM = features.USER_ID, features.ITEM_ID


def resolve(names, **columns):
    return column_roles.resolve("own.csv, line 1", names.split(","), ColumnsConfig(**columns))


@pytest.mark.parametrize(
    "names",
    [
        "userId,movieId",
        "user_id,item_id",
        "User ID,Film-Id",
        "CUSTOMER,sku",
        "uid,iid",
        "user,track",
    ],
)
def test_user_and_item_are_found_by_their_names(names):
    assert list(resolve(names).values()) == names.split(",")


def test_all_four_are_found_in_any_order_among_others():
    found = resolve("when,stars,order,item,date,user")
    assert found == {
        USER: "user",
        ITEM: "item",
        features.RATING: "stars",
        features.TIMESTAMP: "date",
    }


def test_what_is_declared_is_taken_and_is_nothing_else_then():
    found = resolve("user,item,owner,time,date", user="owner", item="user", timestamp="time")
    assert found == {USER: "owner", ITEM: "user", features.TIMESTAMP: "time"}
    none = resolve("user,item,rating,date", rating=False, timestamp=False)
    assert none == {USER: "user", ITEM: "item"}


@pytest.mark.parametrize(
    ("names", "columns", "words"),
    [
        (
            "buyer,item",
            {},
            "no column for the user, found buyer, item; name it with data.columns.us",
        ),
        ("user,page", {}, "no column for the item, found user, page; name it with data.columns.it"),
        (
            "user,uid,item",
            {},
            "'user' and 'uid' could each be the user; name one with data.columns.u",
        ),
        (
            "user,item,date,ts",
            {},
            "'date' and 'ts' could each be the timestamp; name one with data.",
        ),
        ("user,item,user", {}, "more than one column 'user', expected one."),
        (
            "u,u,item",
            {"user": "u"},
            "more than one column 'u' (data.columns.user), found u, u, item.",
        ),
        (
            "customer,item",
            {"user": "custmer"},
            "no column 'custmer' (data.columns.user), found customer, item; did you mean 'cus",
        ),
        (
            "user,item",
            {"rating": "xyz"},
            "no column 'xyz' (data.columns.rating), found user, item.",
        ),
    ],
)
def test_a_column_that_is_missing_or_unclear_is_one_sentence(names, columns, words):
    with pytest.raises(UserError) as refused:
        resolve(names, **columns)
    assert str(refused.value).startswith(f"own.csv, line 1: {words}")


def test_what_is_missing_is_said():
    said = column_roles.describe(resolve("user,item"))
    assert said == (
        "user=user, item=item, no rating (every row is an interaction), "
        "no timestamp (the order of the rows is the order in time)"
    )


def test_items_need_their_id_only():
    where = "items.csv, line 1"
    assert column_roles.resolve_items(where, ["sku"]) == {ITEM: "sku"}
    found = column_roles.resolve_items(where, ["Genre", "name", "product_id", "price"])
    assert found == {ITEM: "product_id", features.TITLE: "name", features.GENRES: "Genre"}
    with pytest.raises(UserError, match=r"line 1: expected one column like item, found name\.$"):
        column_roles.resolve_items(where, ["name"])
    with pytest.raises(UserError, match="expected one column like title, found item, title, name"):
        column_roles.resolve_items(where, ["item", "title", "name"])

import pickle
from typing import NamedTuple as Librarys

import pytest

from lakekey._named_tuple import NamedTuple as Ours


class _Ours(Ours):
    name: str
    count: int = 3
    more: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return 2 * self.count


class _Librarys(Librarys):
    name: str
    count: int = 3
    more: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return 2 * self.count


BOTH = pytest.mark.parametrize("made", [_Ours, _Librarys])


@BOTH
def test_fields_are_read_by_name_and_by_place(made):
    one = made("a", more=("b",))
    assert (one.name, one.count, one.more, one.doubled) == ("a", 3, ("b",), 6)
    assert one == ("a", 3, ("b",)) and tuple(one) == (one[0], one[1], one[2]) and len({one, made("a", 3, ("b",))}) == 1


@BOTH
def test_a_changed_copy_and_the_fields_come_by_the_same_names(made):
    assert made("a")._replace(count=4) == ("a", 4, ())
    assert made("a")._asdict() == {"name": "a", "count": 3, "more": ()}
    assert (made._fields, made._field_defaults) == (("name", "count", "more"), {"count": 3, "more": ()})


@BOTH
def test_a_pickle_gives_the_same_value_of_the_same_class(made):
    again = pickle.loads(pickle.dumps(made("a", 4)))
    assert again == made("a", 4) and type(again) is made


@BOTH
def test_a_pattern_takes_it_apart(made):
    match made("a", 4):
        case made(name, count):
            assert (name, count) == ("a", 4)
        case _:
            pytest.fail("it was not matched")


@BOTH
@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a", 1, (), 4), {}), (("a",), {"name": "b"}), (("a",), {"other": 1})],
    ids=["too few", "too many", "twice", "unknown"],
)
def test_wrong_arguments_are_a_type_error(made, values, named):
    with pytest.raises(TypeError):
        made(*values, **named)


@BOTH
@pytest.mark.parametrize("change", [{"other": 1}, {"name": "b", "other": 1}])
def test_a_changed_copy_takes_no_other_names(made, change):
    with pytest.raises((TypeError, ValueError)):
        made("a")._replace(**change)


@BOTH
@pytest.mark.parametrize("name", ["name", "doubled", "other"])
def test_nothing_of_it_can_be_set(made, name):
    with pytest.raises(AttributeError):
        setattr(made("a"), name, "b")


@BOTH
def test_its_text_names_the_fields(made):
    assert repr(made("a")).endswith("(name='a', count=3, more=())")


@BOTH
def test_a_subclass_has_the_same_fields(made):
    class Sub(made):
        pass

    assert Sub("a").doubled == 6 and Sub._fields == made._fields


@pytest.mark.parametrize("base", [Ours, Librarys])
def test_class_has_the_fields_that_its_annotations_name(base):
    if base is Ours:

        class Made(Ours):
            left: int
            right: int = 2
    else:

        class Made(Librarys):
            left: int
            right: int = 2

    one = Made(1)
    assert (one.left, one.right) == (1, 2)
    assert (Made._fields, Made.__match_args__) == (("left", "right"), ("left", "right"))
    assert Made._field_defaults == {"right": 2}
    assert not hasattr(one, "__dict__")

"""`typing.NamedTuple` for what a warm start loads, with the same behaviour and a tenth of its cost.

The library's makes each class twice and compiles source text for it. Eleven of them cost a new process a twentieth of
all that it does until its first header, so these are made in one step. To a type checker they are the library's.
"""

from operator import itemgetter

__all__ = ["NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple, Self
else:

    class _Maker(type):
        """Makes a class of tuples from the annotations of its body, with getters in the place of defaults."""

        def __new__(cls, name: str, bases: "tuple[type, ...]", body: "dict[str, Any]") -> "Self":
            # From Python 3.14 on, the body holds a function in their place, which only a class can call (PEP 649).
            annotations = body.get("__annotations__") or type("", (), dict(body)).__annotations__
            made: dict[str, Any] = {"__slots__": (), **body}
            if annotations:
                fields = made["_fields"] = made["__match_args__"] = tuple(annotations)
                made["_field_defaults"] = {field: body[field] for field in fields if field in body}
                made.update({field: property(itemgetter(place)) for place, field in enumerate(fields)})
            return super().__new__(cls, name, bases, made)

    class NamedTuple(tuple, metaclass=_Maker):
        """A tuple with names for its fields; the class's annotations name them."""

        __slots__ = ()

        def __new__(cls, *values: "Any", **named: "Any") -> "Self":
            if named or len(values) != len(cls._fields):
                values = cls._complete(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _complete(cls, values: "tuple[Any, ...]", named: "dict[str, Any]") -> "tuple[Any, ...]":
            given = dict(zip(cls._fields, values, strict=False))
            if len(values) > len(cls._fields) or not named.keys() <= set(cls._fields) - given.keys():
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}, each of them once")
            given = {**cls._field_defaults, **given, **named}
            try:
                return tuple([given[field] for field in cls._fields])
            except KeyError as missing:
                raise TypeError(f"{cls.__name__} needs {missing}") from None

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def __getnewargs__(self) -> "tuple[Any, ...]":
            return tuple(self)

        def _asdict(self) -> "dict[str, Any]":
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **named: "Any") -> "Self":
            return type(self)(**{**self._asdict(), **named})

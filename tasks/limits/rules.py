"""Rules: the verbs of a limit's life. Nothing else writes one, but `declared.py` what code says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from tasks import kinds
from tasks.errors import FieldError, InvalidInput, LimitGone
from tasks.limit_values import Rate, checked_burst, checked_concurrent, checked_path
from tasks.models import Limit, Permit, Scope
from tasks.submission import QUEUE_NAME, QUEUE_RULE

REASON_LENGTH = 200
# Longer values are known by their digest, as in the function `tasks_limit_keys`.
VALUE_BYTES = 100
# Rules of one kind by a value of its input: the keys of a line must fit into an index.
RULES_BY_VALUE = 10
# Callbacks have limits of their own, for each receiver.
CALLBACKS = "callbacks"
# A rule without effect: it was created for its exceptions.
UNBOUNDED = Q(concurrent=None, rate=None, paused=False, declared__isnull=True)


class Changes(TypedDict, total=False):
    """What can be changed of a limit; None removes a number, or leaves it to the general rule."""

    concurrent: int | None
    rate: str | None
    burst: int | None
    paused: bool
    paused_reason: str


def create(
    *,
    scope: str,
    name: str = "",
    by: str | None = None,
    key: str | None = None,
    ordered: bool = False,
    operator: str = "",
    **changes: Unpack[Changes],
) -> Limit:
    """Create a limit; raise InvalidInput naming the fields.

    With the scope `key`, `by` is the place in the input and `key` one value of it, for which the
    rule is an exception; for owners `name` is the exception's owner, and without it all are meant.
    An `ordered` limit is for a kind or each key; its tasks run one at a time.
    """
    place = _place(scope, name=name, by=by, key=key)
    if ordered:
        _check_ordered(place)
        changes.setdefault("concurrent", 1)
    values = _checked(changes, ordered=ordered, operator=operator)
    if not (values.get("concurrent") or values.get("rate") or values.get("paused")):
        raise InvalidInput(
            [FieldError("concurrent", "A limit needs concurrent, rate, paused or ordered.")]
        )
    value = place.pop("value")
    unbounded = Limit.objects.filter(**place, parent=None).filter(UNBOUNDED).first()
    if value is None and unbounded and not ordered:
        return change(unbounded, operator=operator, **changes)
    try:
        with transaction.atomic():
            general = None if value is None else _general(place)
            if general and general.ordered:
                _checked(changes, ordered=True)
            limit = Limit(
                **place, parent=general, value=value or "", ordered=ordered, changed_at=Now(),
                **values,
            )  # fmt: skip
            if general:
                limit.applies_at = general.applies_at
            limit.save(force_insert=True)
            if general:
                _look(limit)
    except IntegrityError:
        raise InvalidInput([FieldError("name", "There is such a limit already.")]) from None
    limit.refresh_from_db()
    return limit


def change(limit: Limit, *, operator: str = "", **changes: Unpack[Changes]) -> Limit:
    """Change a limit's values; those that wait start at once where it allows more now.

    Where it allows less, tasks that have not begun wait again; running ones go on. Raises
    InvalidInput naming the fields, and LimitGone.
    """
    with transaction.atomic():
        stored = Limit.objects.select_for_update().filter(pk=limit.pk).first()
        if not stored:
            raise LimitGone
        ordered = (stored.parent or stored).ordered
        values = _checked(changes, stored=stored, ordered=ordered, operator=operator)
        for name, value in values.items():
            setattr(stored, name, value)
        stored.changed_at = Now()
        stored.save()
        _look(stored)
    stored.refresh_from_db()
    return stored


def delete(limit: Limit) -> None:
    """Delete a limit, a general one with its exceptions; its tasks then wait for it no more."""
    with transaction.atomic():
        if Limit.objects.filter(pk=limit.pk).delete()[0]:
            if limit.parent_id:
                # The general rule is in force for its tasks from now on. One that was created for
                # its exceptions alone is not needed without any.
                general = Limit.objects.filter(pk=limit.parent_id)
                general.update(changed_at=Now())
                general.filter(UNBOUNDED, exceptions=None).delete()
            _look(limit)


def _look(limit: Limit) -> None:
    """Have the lines that the limit blocks looked at after the commit."""
    Permit.objects.create(key=limit.key, is_rated=False, created_at=Now(), released_at=Now())


def _general(place: dict[str, str]) -> Limit:
    """Return the rule that has exceptions; it is created without numbers where there is none."""
    general, _ = Limit.objects.get_or_create(**place, parent=None, defaults={"changed_at": Now()})
    return general


def _place(scope: str, *, name: str, by: str | None, key: str | None) -> dict[str, Any]:
    """Return the columns that say for which tasks a limit is; raise InvalidInput."""
    place: dict[str, Any] = {"scope": scope, "name": name, "path": "", "value": None}
    errors: list[FieldError] = []

    def check(field: str, test: Callable[[], Any]) -> None:
        try:
            test()
        except ValueError as error:
            errors.append(FieldError(field, str(error)))

    if scope == Scope.QUEUE:
        check("name", lambda: _queue(name))
    elif scope == Scope.OWNER:
        place["name"] = ""
        if name:
            check("name", lambda: place.update(value=_owner(name)))
    elif scope in (Scope.KIND, Scope.KEY):
        check("name", lambda: _kind(name))
    else:
        errors.append(FieldError("scope", f"Use one of {', '.join(Scope.values)}."))
    if scope == Scope.KEY:
        check("by", lambda: place.update(path=checked_path(by or _declared_path(name))))
        if key is not None:
            place["value"] = _value(key)
    else:
        for field, given in (("by", by), ("key", key)):
            if given is not None:
                errors.append(FieldError(field, "Only a limit with the scope key has this."))
    if not errors and scope == Scope.KEY:
        same = Limit.objects.filter(scope=scope, name=name, parent=None).exclude(path=place["path"])
        if same.count() >= RULES_BY_VALUE:
            errors.append(FieldError("by", f"A kind has at most {RULES_BY_VALUE} such limits."))
    if errors:
        raise InvalidInput(errors)
    return place


def _check_ordered(place: dict[str, Any]) -> None:
    """Raise InvalidInput if there can be no ordered limit."""
    if place["scope"] not in (Scope.KIND, Scope.KEY) or place["value"] is not None:
        mistake = (
            "Only a limit of a kind, or of each key, can be ordered; an exception for one value is"
            " as the limit of all."
        )
    elif Limit.objects.filter(name=place["name"], ordered=True).exists():
        mistake = "The kind has an ordered limit already: tasks would wait for each other."
    else:
        return
    raise InvalidInput([FieldError("ordered", mistake)])


def _queue(name: str) -> None:
    if not QUEUE_NAME.fullmatch(name):
        raise ValueError(QUEUE_RULE)
    if name == CALLBACKS:
        raise ValueError("Callbacks have limits of their own, for each receiver.")


def _kind(name: str) -> None:
    if name not in kinds.all_kinds():
        raise ValueError("There is no such kind.")
    if name == "callback.deliver":
        raise ValueError("Callbacks have limits of their own, for each receiver.")


def _owner(name: str) -> str:
    owner = User.objects.filter(username=name).values_list("pk", flat=True).first()
    if owner is None:
        raise ValueError("There is no account with this name.")
    return str(owner)


def _declared_path(kind: str) -> str | None:
    """Return the place that the kind's own declaration names, if there is one."""
    registered = kinds.all_kinds().get(kind)
    paths = [limit.key for limit in registered.limits if limit.key] if registered else []
    return paths[0] if len(paths) == 1 else None


def _value(text: str) -> str:
    stored = text.encode()
    if len(stored) <= VALUE_BYTES:
        return text
    return "md5 " + hashlib.md5(stored, usedforsecurity=False).hexdigest()


def _checked(
    changes: Changes, *, stored: Limit | None = None, ordered: bool = False, operator: str = ""
) -> dict[str, Any]:
    """Return the columns for changes; raise InvalidInput."""
    columns: dict[str, Any] = {}
    errors: list[FieldError] = []
    if ordered:
        errors += _check_single(changes, is_general=not (stored and stored.parent_id))
    if (concurrent := changes.get("concurrent")) is not None:
        try:
            checked_concurrent(concurrent)
        except ValueError as error:
            errors.append(FieldError("concurrent", str(error)))
    if "concurrent" in changes:
        columns["concurrent"] = concurrent
    if "rate" in changes or "burst" in changes:
        errors += _check_rate(changes, stored, columns)
    if "paused" in changes or "paused_reason" in changes:
        columns |= _pause(changes, stored, operator)
        if changes.get("paused_reason") and not columns["paused"]:
            errors.append(FieldError("paused_reason", "Only a paused limit has a reason."))
    if errors:
        raise InvalidInput(errors)
    return columns


def _check_single(changes: Changes, *, is_general: bool) -> list[FieldError]:
    """Return what changes would make of an ordered limit but one task at a time."""
    errors = []
    if changes.get("concurrent", 1) not in ((1,) if is_general else (1, None)):
        mistake = "Tasks of an ordered limit run one at a time."
        errors.append(FieldError("concurrent", mistake))
    if changes.get("rate") is not None:
        mistake = "An ordered limit has no rate; another limit may have one."
        errors.append(FieldError("rate", mistake))
    return errors


def _check_rate(
    changes: Changes, stored: Limit | None, columns: dict[str, Any]
) -> list[FieldError]:
    """Add the columns of a rate; return the errors."""
    try:
        if "rate" in changes:
            given = changes["rate"]
            rate = None if given is None else Rate.parse(given)
        else:
            rate = stored.per_period if stored else None
    except ValueError as error:
        return [FieldError("rate", str(error))]
    burst = changes.get("burst")
    if burst is None and rate and "burst" not in changes and stored and stored.burst:
        burst = min(stored.burst, rate.number)
    try:
        if burst is not None:
            checked_burst(burst, rate)
    except ValueError as error:
        return [FieldError("burst", str(error))]
    columns["rate"], columns["period"] = rate or (None, None)
    columns["burst"] = (burst or 1) if rate else None
    return []


def _pause(changes: Changes, stored: Limit | None, operator: str) -> dict[str, Any]:
    was_paused = bool(stored and stored.paused)
    paused = changes.get("paused", was_paused)
    if not paused:
        return {"paused": False, "paused_reason": "", "paused_by": "", "paused_at": None}
    reason = changes.get("paused_reason", stored.paused_reason if stored else "")
    columns: dict[str, Any] = {"paused": True, "paused_reason": reason[:REASON_LENGTH]}
    if not was_paused:
        columns |= {"paused_by": operator, "paused_at": Now()}
    return columns

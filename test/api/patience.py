"""Clients that ask again, as the API says: on a busy machine a lock may be held for longer
than anybody waits for it.
"""

from api.lines import until
from harness.crowd import crowd

# What a key's owner is told before it is known what became of the request.
FOR_NOW = (409, 503)


def decided(call, *words):
    """The answer; whoever is told TRY_AGAIN asks again, for nothing was done."""
    return until(lambda: (a := call(*words)).json.get("error") != "TRY_AGAIN" and a)


def insist(call, *words):
    """The answer of a call with an Idempotency-Key that is more than "not now"."""
    return until(lambda: not _is_for_now(answer := call(*words)) and answer)


def _is_for_now(answer):
    return answer.status in FOR_NOW and "retry-after" in answer.headers


def refused_meanwhile(is_waiting, call, *words):
    """Repeats a request that waits for a lock until it is told that it is under way. When
    that one has just given up, this one waits in its place, and gives up, too."""

    def is_refused():
        if not is_waiting() or (answer := call(*words)).status == 503:
            return False
        assert (answer.status, answer.error) == (409, "REQUEST_IN_PROGRESS")
        assert int(answer.headers["retry-after"]) >= 1
        return True

    until(is_refused)


def decided_crowd(port, requests, connections):
    """The answers of a crowd. What has no key is asked again only if nothing was done."""
    answers = crowd(port, requests, connections)
    asked = set()  # again

    def all_decided():
        again = [
            n
            for n, request in enumerate(requests)
            if _is_undecided(request, answers[n][1], n in asked)
        ]
        asked.update(again)
        new = crowd(port, [requests[n] for n in again], connections)
        for n, answer in zip(again, new, strict=True):
            answers[n] = answer
        return not again

    until(all_decided)
    return answers


def _is_undecided(request, body, asked):
    """Who asks again may be told that the first time has not ended yet."""
    error = (body or {}).get("error")
    if b"\r\nIdempotency-Key:" not in request:
        return error == "TRY_AGAIN"
    return error in ("TRY_AGAIN", "OUTCOME_UNKNOWN") or (asked and error == "REQUEST_IN_PROGRESS")

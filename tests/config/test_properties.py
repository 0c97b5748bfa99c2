"""What holds for any config, found with Hypothesis."""

from __future__ import annotations

import copy
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.config import Config, Facts, Policy, Retry, parse_config
from llmgateway.config.conditions import QueryCompiler
from llmgateway.config.patterns import Patterns
from llmgateway.config.schema import Target, camel_case
from llmgateway.errors import InvalidConfig
from tests.config.interpreter import holds

# The machine that runs this may be busy with other tests.
several = settings(deadline=None, max_examples=200)

OPERATORS = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$regex", "$and", "$or"]
KEYS = [
    *Target.model_fields,
    *map(camel_case, Target.model_fields),
    *OPERATORS,
    *("mode", "conditions", "default", "query", "then", "attempts", "max_age", "params.a"),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["single", "loadbalance", "fallback", "conditional", "simple", "a", "b"])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=25,
)

codes = st.lists(st.integers(100, 599), max_size=3)
policy_keys: dict[str, st.SearchStrategy[Any]] = {
    "retry": st.fixed_dictionaries(
        {},
        optional={
            "attempts": st.integers(0, 10),
            "on_status_codes": codes,
            "use_retry_after_header": st.booleans(),
            "jitter": st.booleans(),
        },
    ),
    "request_timeout": st.integers(1, 10**9),
    "custom_host": st.sampled_from(["https://a.example.com", "http://[::1]:80/v1"]),
    "forward_headers": st.lists(st.sampled_from(["x-a", "X-B"]), max_size=2),
    "override_params": st.dictionaries(st.sampled_from(["a", "b", "c"]), scalars, max_size=3),
    "strict_open_ai_compliance": st.booleans(),
}
leaves = st.fixed_dictionaries(
    {"provider": st.sampled_from(["acme", "@bolt"])},
    optional={
        **policy_keys,
        "api_key": st.sampled_from(["k", ""]),
        "resource_name": st.sampled_from(["r", 5, True]),
    },
)
fields = st.sampled_from(["metadata.a", "params.a", "params.b", "url.pathname", "params.a.b", "a"])
values = st.sampled_from([None, True, False, 0, 1, 1.0, 5, "1", "5x", "a", "", "/", [1], {"a": 1}])
tests = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"], values),
        **dict.fromkeys(["$in", "$nin"], st.lists(values, max_size=3)),
        "$regex": st.sampled_from(["", "a", "^5", "^1$"]),
    },
)
plain_values = values.filter(lambda value: not isinstance(value, dict))


@st.composite
def _shuffled(draw: st.DrawFn, groups: dict[str, Any]) -> dict[str, Any]:
    """Mix fields among groups, since the order of keys has a meaning."""
    entries = [*groups.items(), *draw(st.dictionaries(fields, plain_values, max_size=2)).items()]
    return dict(draw(st.permutations(entries)))


queries = st.recursive(
    st.dictionaries(fields, plain_values | tests, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"$or": st.lists(inner, max_size=3), "$and": st.lists(inner, max_size=3)}
    ).flatmap(_shuffled),
    max_leaves=6,
)


@st.composite
def _branches(draw: st.DrawFn, inner: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    targets = [
        {**target, "name": f"t{index}", "weight": draw(st.floats(0.1, 10))}
        for index, target in enumerate(draw(st.lists(inner, min_size=1, max_size=3)))
    ]
    mode = draw(st.sampled_from(["single", "loadbalance", "fallback", "conditional"]))
    strategy: dict[str, Any] = {"mode": mode}
    if mode == "fallback":
        strategy["on_status_codes"] = draw(codes)
    if mode == "conditional":
        names = st.sampled_from([target["name"] for target in targets])
        condition = st.fixed_dictionaries({"query": queries, "then": names})
        strategy["conditions"] = draw(st.lists(condition, min_size=1, max_size=2))
        strategy["default"] = draw(names)
    own = draw(st.fixed_dictionaries({}, optional=policy_keys))
    return {"strategy": strategy, "targets": targets, **own}


trees = st.recursive(leaves, _branches, max_leaves=8)


def _camel(value: Any) -> Any:
    """Spell a config in camelCase by the rule of the contract."""
    opaque = {"override_params", "conditions"}
    if isinstance(value, dict):
        return {
            camel_case(key): item if key in opaque else _camel(item) for key, item in value.items()
        }
    return [_camel(item) for item in value] if isinstance(value, list) else value


def parsed_or_refused(raw: Any) -> Config | None:
    """Parse a config, and look at each way in which a refusal may be shown."""
    try:
        return parse_config(raw)
    except InvalidConfig as error:
        orjson.dumps(error.to_openai())
        return None


@several
@given(anything)
def test_any_json_is_parsed_or_refused(raw: Any) -> None:
    parsed_or_refused(orjson.dumps(raw))


@several
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_text_is_parsed_or_refused(raw: bytes | str) -> None:
    parsed_or_refused(raw)


@several
@given(trees, st.data())
def test_any_mutation_of_a_config_is_parsed_or_refused(tree: dict[str, Any], data: Any) -> None:
    raw = copy.deepcopy(tree)
    for _ in range(data.draw(st.integers(1, 3))):
        _mutate(raw, data.draw)

    parsed_or_refused(raw)


def _mutate(raw: dict[str, Any], draw: Any) -> None:
    """Replace, remove or add something at a random place of a config."""
    node: Any = raw
    while isinstance(node, dict | list) and node:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = draw(st.sampled_from(keys))
        child = node[key]
        if not isinstance(child, dict | list) or not child or draw(st.booleans()):
            break
        node = child
    match draw(st.sampled_from(["replace", "remove", "add"])) if node else "add":
        case "replace":
            node[key] = draw(anything)
        case "remove":
            del node[key]
        case "add" if isinstance(node, dict):
            node[draw(st.sampled_from(KEYS))] = draw(anything)


@several
@given(trees)
def test_a_valid_config_is_parsed_in_both_spellings(tree: dict[str, Any]) -> None:
    """Compared by repr and leaves, as compiled queries are never equal."""
    snake, camel = parse_config(tree), parse_config(orjson.dumps(_camel(tree)))

    assert list(snake.leaves()) == list(camel.leaves())
    assert snake.reads_params == camel.reads_params


@several
@given(trees)
def test_inheritance_is_that_of_a_simple_model(tree: dict[str, Any]) -> None:
    found = {leaf.path: leaf.policy for leaf in parse_config(tree).leaves()}

    assert _expected_policies([tree], "config") == found


def _expected_policies(way: list[dict[str, Any]], path: str) -> dict[str, Policy]:
    """Return the policies as the contract words them: the nearest object on the way has its say."""
    if "targets" in way[-1]:
        return {
            key: policy
            for index, target in enumerate(way[-1]["targets"])
            for key, policy in _expected_policies(
                [*way, target], f"{path}.targets[{index}]"
            ).items()
        }

    def nearest(key: str) -> Any:
        return next((node[key] for node in reversed(way) if key in node), None)

    params: dict[str, Any] = {}
    for node in way:
        params.update(node.get("override_params", {}))
    return {
        path: Policy(
            retry=_expected_retry(nearest("retry")),
            request_timeout_ms=nearest("request_timeout"),
            custom_host=nearest("custom_host"),
            forward_headers=tuple(h.lower() for h in nearest("forward_headers") or []),
            override_params=params,
            strict=nearest("strict_open_ai_compliance"),
        )
    }


def _expected_retry(retry: dict[str, Any] | None) -> Retry | None:
    if retry is None:
        return None
    return Retry(
        attempts=retry.get("attempts", 0),
        on_status_codes=frozenset(retry.get("on_status_codes", [429, 500, 502, 503, 504, 529])),
        use_retry_after=retry.get("use_retry_after_header", False),
        jitter=retry.get("jitter", False),
        retries_denials="on_status_codes" not in retry,
    )


@several
@given(queries, st.dictionaries(st.sampled_from(["a", "b"]), values), values)
def test_a_compiled_query_agrees_with_an_interpreter(
    query: dict[str, Any], params: dict[str, Any], metadata: Any
) -> None:
    """The interpreter is written after the contract, early returns and all."""
    compiler = QueryCompiler(Patterns())
    compiled = compiler.compile(query)
    facts = Facts({"a": metadata}, params, "/")

    assert [] == compiler.faults
    assert holds(query, facts) == compiled.matches(facts)

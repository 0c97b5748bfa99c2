"""What a caller of each door says to ask for a feature: members of the request, by door."""

from __future__ import annotations

from typing import Any, Final

JSON = dict[str, Any]

PIXEL: Final = "iVBORw0KGgo="
"""Stands for a picture; no provider looks at it here."""
PICTURE: Final = "https://example.com/cat.png"
PAPER: Final = "JVBERi0xLjQ="
SEARCH: Final = {"type": "web_search_20250305", "name": "web_search"}
SCHEMA: Final[JSON] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
PLACE: Final[JSON] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}

_LOOK = "Look at these."
_FUNCTIONS: Final[list[JSON]] = [
    {"name": "weather", "description": "The weather of a city.", "parameters": PLACE},
    {"name": "clock", "description": "The time of a city.", "parameters": PLACE},
]
_MESSAGES_TOOLS = [
    {"name": one["name"], "description": one["description"], "input_schema": PLACE}
    for one in _FUNCTIONS
]
_DECLARED = [
    {"name": one["name"], "description": one["description"], "parametersJsonSchema": PLACE}
    for one in _FUNCTIONS
]


def user(content: Any) -> list[JSON]:
    """Return a conversation of one turn, as three of the four doors have it."""
    return [{"role": "user", "content": content}]


BASE: Final[dict[str, JSON]] = {
    "messages": {"max_tokens": 4000, "messages": user("Hello")},
    "responses": {"max_output_tokens": 4000, "input": user("Hello")},
    "generate_content": {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "generationConfig": {"maxOutputTokens": 4000},
    },
    "chat": {"max_completion_tokens": 4000, "messages": user("Hello")},
}
"""The plain request; a feature's members are laid over it."""

ASKS: Final[dict[str, dict[str, JSON]]] = {
    "system": {
        "messages": {"system": "Be brief."},
        "responses": {"instructions": "Be brief."},
        "generate_content": {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
        "chat": {"messages": [{"role": "system", "content": "Be brief."}, *user("Hello")]},
    },
    "images": {
        "messages": {
            "messages": user(
                [
                    {"type": "text", "text": _LOOK},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                    },
                    {"type": "image", "source": {"type": "url", "url": PICTURE}},
                ]
            )
        },
        "responses": {
            "input": user(
                [
                    {"type": "input_text", "text": _LOOK},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
                    {"type": "input_image", "image_url": PICTURE},
                ]
            )
        },
        "generate_content": {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": _LOOK},
                        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                        {"fileData": {"mimeType": "image/png", "fileUri": PICTURE}},
                    ],
                }
            ]
        },
        "chat": {
            "messages": user(
                [
                    {"type": "text", "text": _LOOK},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    {"type": "image_url", "image_url": {"url": PICTURE}},
                ]
            )
        },
    },
    "document": {
        "messages": {
            "messages": user(
                [
                    {
                        "type": "document",
                        "source": {
                            "type": "base64",
                            "media_type": "application/pdf",
                            "data": PAPER,
                        },
                    },
                    {"type": "text", "text": "Sum it up."},
                ]
            )
        },
        "responses": {
            "input": user(
                [
                    {"type": "input_file", "file_data": f"data:application/pdf;base64,{PAPER}"},
                    {"type": "input_text", "text": "Sum it up."},
                ]
            )
        },
        "generate_content": {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"inlineData": {"mimeType": "application/pdf", "data": PAPER}},
                        {"text": "Sum it up."},
                    ],
                }
            ]
        },
        "chat": {
            "messages": user(
                [
                    {
                        "type": "file",
                        "file": {"file_data": f"data:application/pdf;base64,{PAPER}"},
                    },
                    {"type": "text", "text": "Sum it up."},
                ]
            )
        },
    },
    "tools": {
        "messages": {"tools": _MESSAGES_TOOLS, "tool_choice": {"type": "auto"}},
        "responses": {
            "tools": [{"type": "function", "strict": False, **one} for one in _FUNCTIONS],
            "tool_choice": "auto",
        },
        "generate_content": {
            "tools": [{"functionDeclarations": _DECLARED}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        },
        "chat": {
            "tools": [{"type": "function", "function": one} for one in _FUNCTIONS],
            "tool_choice": "auto",
        },
    },
    "forced": {
        "messages": {"tools": _MESSAGES_TOOLS, "tool_choice": {"type": "tool", "name": "clock"}},
        "responses": {
            "tools": [{"type": "function", "strict": False, **one} for one in _FUNCTIONS],
            "tool_choice": {"type": "function", "name": "clock"},
        },
        "generate_content": {
            "tools": [{"functionDeclarations": _DECLARED}],
            "toolConfig": {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}
            },
        },
        "chat": {
            "tools": [{"type": "function", "function": one} for one in _FUNCTIONS],
            "tool_choice": {"type": "function", "function": {"name": "clock"}},
        },
    },
    "thinking": {
        "messages": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "responses": {
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
        },
        "generate_content": {
            "generationConfig": {
                "maxOutputTokens": 4000,
                "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"},
            }
        },
        "chat": {"reasoning_effort": "low"},
    },
    "search": {
        "messages": {"tools": [SEARCH]},
        "responses": {"tools": [{"type": "web_search"}]},
        "generate_content": {"tools": [{"googleSearch": {}}]},
        "chat": {"web_search_options": {}},
    },
    "stop": {
        "messages": {"stop_sequences": ["END"]},
        # No member of the format; what we do not know is passed under its name.
        "responses": {"stop": ["END"]},
        "generate_content": {
            "generationConfig": {"maxOutputTokens": 4000, "stopSequences": ["END"]}
        },
        "chat": {"stop": ["END"]},
    },
    "structured": {
        "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "responses": {
            "text": {
                "format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "strict": True}
            }
        },
        "generate_content": {
            "generationConfig": {
                "maxOutputTokens": 4000,
                "responseMimeType": "application/json",
                "responseJsonSchema": SCHEMA,
            }
        },
        "chat": {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": SCHEMA, "strict": True},
            }
        },
    },
    "sampling": {
        "messages": {"temperature": 0.5},
        "responses": {"temperature": 0.5},
        "generate_content": {"generationConfig": {"maxOutputTokens": 4000, "temperature": 0.5}},
        "chat": {"temperature": 0.5},
    },
    "plain": dict.fromkeys(BASE, {}),
    "refusal": dict.fromkeys(BASE, {}),
    "cut": dict.fromkeys(BASE, {}),
    "usage": dict.fromkeys(BASE, {}),
}


def request(door: str, feature: str, model: str) -> JSON:
    """Return a whole request of a door that asks for a feature."""
    named = {} if door == "generate_content" else {"model": model}
    return {**named, **BASE[door], **ASKS[feature][door]}

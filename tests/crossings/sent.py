"""What each provider must be sent for a feature: members of its request, by provider."""

from __future__ import annotations

from typing import Any, Final

from tests.crossings.asks import PAPER, PICTURE, PIXEL, PLACE, SCHEMA, SEARCH

JSON = dict[str, Any]

_TEXT = [{"type": "text", "text": "Hello"}]
_FUNCTIONS: Final[list[JSON]] = [
    {"name": "weather", "description": "The weather of a city."},
    {"name": "clock", "description": "The time of a city."},
]
_ANTHROPIC_TOOLS = [{**one, "input_schema": PLACE} for one in _FUNCTIONS]
_GOOGLE_TOOLS = [
    {"functionDeclarations": [{**one, "parametersJsonSchema": PLACE} for one in _FUNCTIONS]}
]
_OPENAI_TOOLS = [
    {"type": "function", "function": {**one, "parameters": PLACE}} for one in _FUNCTIONS
]

SENT: Final[dict[str, dict[str, JSON]]] = {
    "plain": {
        "anthropic": {"max_tokens": 4000, "messages": [{"role": "user", "content": _TEXT}]},
        "google": {
            "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
            "generationConfig": {"maxOutputTokens": 4000},
        },
        "openai": {
            "messages": [{"role": "user", "content": "Hello"}],
            "max_completion_tokens": 4000,
        },
    },
    "system": {
        "anthropic": {
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [{"role": "user", "content": _TEXT}],
        },
        "google": {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user"}],
        },
        "openai": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user"}]},
    },
    "images": {
        "anthropic": {
            "messages": [
                {
                    "content": [
                        {"type": "text", "text": "Look at these."},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                        },
                        {"type": "image", "source": {"type": "url", "url": PICTURE}},
                    ]
                }
            ]
        },
        "google": {
            "contents": [
                {
                    "parts": [
                        {"text": "Look at these."},
                        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                        {"fileData": {"mimeType": "image/png", "fileUri": PICTURE}},
                    ]
                }
            ]
        },
        "openai": {
            "messages": [
                {
                    "content": [
                        {"type": "text", "text": "Look at these."},
                        {
                            "type": "image_url",
                            "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
                        },
                        {"type": "image_url", "image_url": {"url": PICTURE}},
                    ]
                }
            ]
        },
    },
    "document": {
        "anthropic": {
            "messages": [
                {
                    "content": [
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
                }
            ]
        },
        "google": {
            "contents": [
                {
                    "parts": [
                        {"inlineData": {"mimeType": "application/pdf", "data": PAPER}},
                        {"text": "Sum it up."},
                    ]
                }
            ]
        },
        "openai": {
            "messages": [
                {
                    "content": [
                        {
                            "type": "file",
                            "file": {"file_data": f"data:application/pdf;base64,{PAPER}"},
                        },
                        {"type": "text", "text": "Sum it up."},
                    ]
                }
            ]
        },
    },
    "tools": {
        "anthropic": {"tools": _ANTHROPIC_TOOLS, "tool_choice": {"type": "auto"}},
        "google": {
            "tools": _GOOGLE_TOOLS,
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        },
        "openai": {"tools": _OPENAI_TOOLS, "tool_choice": "auto"},
    },
    "forced": {
        "anthropic": {
            "tools": _ANTHROPIC_TOOLS,
            "tool_choice": {"type": "tool", "name": "clock"},
        },
        "google": {
            "tools": _GOOGLE_TOOLS,
            "toolConfig": {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}
            },
        },
        "openai": {
            "tools": _OPENAI_TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "clock"}},
        },
    },
    "thinking": {
        "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "google": {
            "generationConfig": {
                "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}
            }
        },
        "openai": {"reasoning_effort": "low"},
    },
    "search": {
        "anthropic": {"tools": [SEARCH]},
        "google": {"tools": [{"googleSearch": {}}]},
        "openai": {"web_search_options": {}},
    },
    "stop": {
        "anthropic": {"stop_sequences": ["END"]},
        "google": {"generationConfig": {"stopSequences": ["END"]}},
        "openai": {"stop": ["END"]},
    },
    "structured": {
        "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "google": {
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseJsonSchema": SCHEMA,
            }
        },
        "openai": {
            "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        },
    },
    "sampling": {
        "anthropic": {"temperature": 0.5},
        "google": {"generationConfig": {"temperature": 0.5}},
        "openai": {"temperature": 0.5},
    },
}
"""What is missing here asks for nothing that a request would show."""

RESULTS: Final[dict[str, Any]] = {
    "anthropic": [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_a", "content": "Rain."},
                {"type": "tool_result", "tool_use_id": "call_b", "content": "Noon."},
            ],
        }
    ],
    "google": [
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "call_a",
                        "name": "weather",
                        "response": {"output": "Rain."},
                    }
                },
                {
                    "functionResponse": {
                        "id": "call_b",
                        "name": "clock",
                        "response": {"output": "Noon."},
                    }
                },
            ],
        }
    ],
    "openai": [
        {"role": "tool", "tool_call_id": "call_a", "content": "Rain."},
        {"role": "tool", "tool_call_id": "call_b", "content": "Noon."},
    ],
}
"""The last turns of a request that brings two results."""

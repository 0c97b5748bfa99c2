"""The app's settings. A variable adds to them, or counts more: `FLASK_` and the name."""

SECRET_KEY = "change-me: it signs the sessions"
LLMGATEWAY = {
    "default_provider": "openai",
    "providers": {"openai": {"api_key": "env:OPENAI_API_KEY"}},
}

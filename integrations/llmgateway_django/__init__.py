"""llmgateway as a Django app.

INSTALLED_APPS += ["llmgateway"]
LLMGATEWAY = {"providers": {"openai": {"api_key": "env:OPENAI_API_KEY"}}}

urlpatterns += [path("llm/", include("llmgateway.urls"))]

Models can only be imported once all apps are known, so this package imports nothing by itself.
"""

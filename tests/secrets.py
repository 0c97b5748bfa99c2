"""Made-up secrets of every known shape: none of them has ever opened anything."""

from __future__ import annotations

_MIXED = "Zk3vQ9xT7bLm2Rw8Yc5NdJ1hGf6PsA4e"
"""32 letters and digits."""
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
_PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\nq1-not/a+key==\n"
    "-----END RSA PRIVATE KEY-----"
)

TOKENS: dict[str, list[str]] = {
    "openai-key": [f"sk-{_MIXED}", f"sk-proj-{_MIXED}_{_MIXED}-x", f"sk-or-v1-{'0f' * 32}"],
    "anthropic-key": [f"sk-ant-api03-{_MIXED}-{_MIXED}_AA", f"sk-ant-oat01-{_MIXED}"],
    "gateway-key": [f"lgw_{_MIXED}{_MIXED[:17]}"],
    "google-key": [f"AIza{_MIXED}x_-", f"ya29.{_MIXED}", f"GOCSPX-{_MIXED}", f"AQ.Ab8{_MIXED}"],
    "aws-key-id": ["AKIAIOSFODNN7EXAMPLE", "ASIAY34FZKBOKMUTVV7A"],
    "aws-key": [f"ABSK{_MIXED}{_MIXED}=="],
    "azure-key": [f"{_MIXED}{_MIXED[:20]}JQQJ99BCACYeBjFXJ3w3AAABACOGabcd"],
    "github-token": [f"ghp_{_MIXED}abcd", f"ghs_{_MIXED}abcd", f"github_pat_11AB_{_MIXED}"],
    "gitlab-token": ["glpat-x8Kq2_fTz9LmWv3RbYcN"],
    "slack-token": ["xoxb-123456789012-1234567890123-AbCdEfGh", "xapp-1-A01-123-0123456789abcdef"],
    "stripe-key": ["sk_live_4eC39HqLyjWDarjtT1zdp7dc", "rk_test_4eC39HqLyj", f"whsec_{_MIXED}"],
    "provider-key": [f"gsk_{_MIXED}{_MIXED}", f"hf_{_MIXED}ab", f"xai-{_MIXED}{_MIXED}"],
    "jwt": [_JWT, _JWT.rpartition(".")[0]],
    "private-key": [_PEM, _PEM.replace("RSA ", "")],
}
"""By the name of their mark. They need nothing around them to be known."""


IN_CONTEXT: list[tuple[str, str, str]] = [
    ("bearer", "Authorization: Bearer {}\r\n", f"opaque.{_MIXED}"),
    ("bearer", "curl -H 'authorization: bearer {}'", f"{_MIXED}/+=="),
    ("authorization", "Authorization: Basic {}", "dXNlcjpwYXNzd29yZA=="),
    ("authorization", "proxy-authorization: {}", "hunter2-hunter2"),
    ("url-parameter", "https://a.example/v1beta/models?alt=sse&key={}&x=1", _MIXED),
    ("url-parameter", "/v1/models?key={}", "abc123def"),
    ("url-parameter", "https://b.blob.core.windows.net/c?sv=2024&sig={}&se=1", "aZ%2Fq%2Bw9%3D"),
    ("url-parameter", "?X-Amz-Credential=x&X-Amz-Signature={}", "0f" * 32),
    ("url-parameter", "?access_token={}", "hunter2hunter2"),
    ("url-password", "postgres://shop:{}@db.example:5432/shop", "hunter2"),
    ("aws-secret-key", "aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("aws-secret-key", "for AWS: {}, please", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("aws-secret-key", "AKIAIOSFODNN7EXAMPLE {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("azure-key", "AccountName=shop;AccountKey={};", f"{_MIXED}{_MIXED}=="),
    ("slack-hook", "https://hooks.slack.com/{}", "services/T000/B000/abcdefghijklmnop"),
    ("member", '{{"api_key": "{}"}}', "x"),
    ("member", '{{"x-api-key":"{}"}}', "hunter2"),
    ("member", '{{"openaiApiKey" :\n "{}", "n": 1}}', "with \\\"quotes\\\" and \\\\"),
    ("member", '{{"clientSecret":"{}"}}', "hunter2"),
    ("member", '{{"DB_PASSWORD":"{}"}}', "hunter2"),
    ("member", '{{"refresh_token":"{}"}}', "hunter2"),
    ("member", '{{"Set-Cookie":"{}"}}', "sessionid=1"),
    ("member", '{{"authorization":"{}"}}', "Basic x"),
    ("member", '{{"password":"{}', "cut off"),
    ("member", '{{"arguments":"{{\\"password\\":\\"{}\\",\\"n\\":1}}"}}', "hunter2"),
    ("member", '{{"a":"{{\\"api_key\\": \\n \\"{}\\"}}"}}', 'with \\\\\\"quotes\\\\\\"'),
    ("member", '"{{\\\\\\"secret\\\\\\":\\\\\\"{}\\\\\\"}}"', "hunter2"),
]  # fmt: skip
"""Mark, text, secret: what is known by what stands around it."""

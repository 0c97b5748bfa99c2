"""The secrets of vendors as data: how the keys of each begin and go on.

The shapes that `llmgateway.redaction` takes out of logs are among them, here in RE2's syntax and
within bounds, since these are found in streams too. A row is found where a word begins with one of
its prefixes and what follows matches `rest`. Sources: the vendors' pages on keys and their
registrations with GitHub's secret scanning, read November 2026.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CONTEXTS", "EDGE", "VENDORS", "Context", "Vendor"]


class Vendor(NamedTuple):
    """One vendor's secrets that begin alike."""

    name: str
    prefixes: tuple[str, ...]
    rest: str = r"[\w-]{16,}"
    """What follows a prefix, in RE2's syntax; it may take no white space and no quote."""


class Context(NamedTuple):
    """Secrets that are known by what stands before them."""

    name: str
    hints: tuple[str, ...]
    """Of which each text with such a secret has one, its case aside."""
    pattern: str
    """With the secret as its only group."""


VENDORS: tuple[Vendor, ...] = (
    Vendor("anthropic", ("sk-ant-",)),
    Vendor("openrouter", ("sk-or-v1-",)),
    Vendor("langfuse", ("sk-lf-", "pk-lf-")),
    Vendor("openai", ("sk-", "sess-", "ek_")),
    Vendor("llmgateway", ("lgw_",)),
    Vendor("google", ("AIza", "AQ.Ab", "GOCSPX-", "ya29.")),
    Vendor("aws", ("AKIA", "ASIA"), "[A-Z0-9]{16}"),
    Vendor("aws-bedrock", ("ABSK", "bedrock-api-key-"), "[A-Za-z0-9+/=_-]{30,}"),
    Vendor("github", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
    Vendor("gitlab", ("glpat-", "gldt-", "glrt-", "glptt-")),
    Vendor("slack", ("xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "xapp-")),
    Vendor("stripe", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), "[A-Za-z0-9]{10,}"),
    Vendor("stripe", ("whsec_",), "[A-Za-z0-9+/=]{10,}"),
    Vendor("groq", ("gsk_",), r"\w{30,}"),
    Vendor("xai", ("xai-",), r"[\w-]{30,}"),
    Vendor("hugging-face", ("hf_",), "[A-Za-z0-9]{30,}"),
    Vendor("replicate", ("r8_",), r"\w{30,}"),
    Vendor("perplexity", ("pplx-",), r"[\w-]{30,}"),
    Vendor("nvidia", ("nvapi-",), r"[\w-]{30,}"),
    Vendor("together", ("tgp_v1_",), r"[\w-]{30,}"),
    Vendor("cerebras", ("csk-",), r"[\w-]{30,}"),
    Vendor("fireworks", ("fw_",), "[A-Za-z0-9]{20,}"),
    Vendor("elevenlabs", ("sk_",), "[0-9a-f]{48}"),
    Vendor("pinecone", ("pcsk_",), r"\w{30,}"),
    Vendor("langsmith", ("lsv2_pt_", "lsv2_sk_"), r"\w{30,}"),
    Vendor("tavily", ("tvly-",)),
    Vendor("sendgrid", ("SG.",), r"[\w-]{16,}\.[\w-]{16,}"),
    Vendor("twilio", ("SK", "AC"), "[0-9a-f]{32}"),
    Vendor("mailgun", ("key-",), "[0-9a-f]{32}"),
    Vendor("brevo", ("xkeysib-", "xsmtpsib-"), "[0-9A-Za-z-]{40,}"),
    Vendor("npm", ("npm_",), "[A-Za-z0-9]{36}"),
    Vendor("pypi", ("pypi-AgEI",), r"[\w-]{40,}"),
    Vendor("rubygems", ("rubygems_",), "[0-9a-f]{48}"),
    Vendor("crates-io", ("cio",), "[A-Za-z0-9]{32}"),
    Vendor("docker", ("dckr_pat_", "dckr_oat_")),
    Vendor("digitalocean", ("dop_v1_", "doo_v1_", "dor_v1_"), "[0-9a-f]{64}"),
    Vendor("linear", ("lin_api_", "lin_oauth_"), "[A-Za-z0-9]{32,}"),
    Vendor("notion", ("ntn_",), "[A-Za-z0-9]{40,}"),
    Vendor("airtable", ("pat",), r"[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    Vendor("shopify", ("shpat_", "shpca_", "shppa_", "shpss_"), "[0-9a-fA-F]{32}"),
    Vendor("square", ("sq0atp-", "sq0csp-"), r"[\w-]{22,}"),
    Vendor("razorpay", ("rzp_live_", "rzp_test_"), "[A-Za-z0-9]{14,}"),
    Vendor("plaid", ("access-sandbox-", "access-production-"), "[0-9a-f-]{36}"),
    Vendor("databricks", ("dapi",), "[0-9a-f]{32}(?:-[0-9])?"),
    Vendor("grafana", ("glc_", "glsa_"), r"[\w+/=]{32,}"),
    Vendor("hashicorp-vault", ("hvs.", "hvb.", "hvr."), r"[\w-]{24,}"),
    Vendor("postman", ("PMAK-",), "[0-9a-f]{24}-[0-9a-f]{34}"),
    Vendor("sentry", ("sntrys_", "sntryu_"), "[A-Za-z0-9+/=_]{32,}"),
    Vendor("new-relic", ("NRAK-",), "[A-Z0-9]{27}"),
    Vendor("planetscale", ("pscale_tkn_", "pscale_pw_", "pscale_oauth_"), r"[\w.=-]{32,}"),
    Vendor("supabase", ("sbp_", "sb_secret_"), r"\w{20,}"),
    Vendor("doppler", ("dp.pt.", "dp.st.", "dp.sa."), r"[\w.-]{40,}"),
    Vendor("figma", ("figd_",), r"[\w-]{30,}"),
    Vendor("atlassian", ("ATATT3", "ATCTT3"), r"[\w=-]{40,}"),
    Vendor("pulumi", ("pul-",), "[0-9a-f]{40}"),
    Vendor("dynatrace", ("dt0c01.",), r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    Vendor("age", ("AGE-SECRET-KEY-1",), "[A-Z0-9]{58}"),
    Vendor("fly-io", ("fo1_", "fm2_"), r"[\w+/=-]{40,}"),
    Vendor("heroku", ("HRKU-",), r"[\w-]{36,}"),
    Vendor("contentful", ("CFPAT-",), r"[\w-]{43}"),
    Vendor("easypost", ("EZAK", "EZTK"), "[A-Za-z0-9]{54}"),
    Vendor("telegram", ("bot",), r"[0-9]{8,10}:[\w-]{35}"),
    Vendor("azure", ("sv=20",), r"[\w%&=:.-]{10,}&sig=[\w%+/=-]{20,}"),
    Vendor("jwt", ("eyJ",), r"[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+){0,3}"),
)
"""The more special prefix before the more general."""

EDGE = "(?:^|[^A-Za-z0-9]|%[0-9A-Fa-f]{2})"
"""What stands before a secret: no letter and no digit, unless of an escape of URLs."""
_GAP = r"[\"'\x00]{0,2}[ \t]{0,4}(?:[:=]|=>)[ \t]{0,4}[\"'\x00]{0,2}"
"""What stands between a name and its value; \\x00 is a quote of JSON."""

CONTEXTS: tuple[Context, ...] = (
    Context("bearer", ("bearer",), r"(?i:bearer)(?:[ \t+]|%20){1,4}([A-Za-z0-9._~+/=:-]{16,})"),
    Context(
        "authorization",
        ("authorization",),
        rf"(?i:authorization){_GAP}((?i:basic|token|digest|apikey) [^\s\"',;\\{{\x00\x03\[]{{8,}})",
    ),
    Context("url-password", ("://",), r"://[^\s/:@\"'\\\x00\x03]*:([^\s/@\"'\\\x00\x03]+)@"),
    Context("slack-hook", ("hooks.slack.com/",), r"hooks\.slack\.com/([A-Za-z0-9/_-]{20,})"),
    Context(
        "aws",
        ("secret",),
        rf"(?i:secret[ _-]?(?:access[ _-]?)?key){_GAP}([A-Za-z0-9+/]{{40}})(?:[^A-Za-z0-9+/=_-]|$)",
    ),
    Context(
        "azure",
        ("accountkey=", "sharedaccesskey="),
        r"(?i:AccountKey|SharedAccessKey)=([A-Za-z0-9+/=]{20,})",
    ),
    Context("azure", ("jqqj99",), rf"{EDGE}([A-Za-z0-9]{{52}}JQQJ99[A-Za-z0-9]{{26}})"),
    Context("telegram", (":aa",), rf"{EDGE}([0-9]{{8,10}}:AA[\w-]{{33}})"),
    Context("mailchimp", ("-us",), rf"{EDGE}([0-9a-f]{{32}}-us[0-9]{{1,2}})\b"),
    Context("discord", (".",), rf"{EDGE}([MNO][\w-]{{23,27}}\.[\w-]{{6}}\.[\w-]{{27,38}})"),
    Context(
        "url-parameter",
        ("key=", "sig=", "token=", "secret=", "signature="),
        r"[?&](?:amp;)?(?i:key|sig|token|secret|api[_-]?key|client[_-]?secret|x-amz-signature"
        r"|(?:access|refresh|id|auth|api)[_-]?token)=([^&\s\"'<>\\#\x00\x03\[]{6,})",
    ),
)

"""The shapes of prompt injections, as data: a name, a weight and a pattern each.

Patterns are RE2's and run over what `injection.normalised` makes of a text: lower case, without
accents, invisible characters and look-alikes. A weight is how sure the shape alone makes us, from
0 to 1. What is common in honest talk about models stays below one half, so that it takes two.
Sources: https://arxiv.org/abs/2211.09527 (ignore previous prompts), https://arxiv.org/abs/2302.12173
(indirect injection), https://arxiv.org/abs/2308.03825 (jailbreaks in the wild),
https://genai.owasp.org/llmrisk/llm01-prompt-injection/.
"""

from __future__ import annotations

from llmgateway.guardrails.injection_overrides import GAP, OVERRIDES, Rule

_ASK = (
    r"\b(?:reveal|show|print|repeat|output|display|tell|give|leak|dump|disclose|expose|write|copy"
    r"|share|recite|list|translate|summari[sz]e|encode|paste|return|provide|send|reproduce|quote"
    r"|type|spell|what(?:'s| is| are| was| were))"
)
_SECRET_PROMPT = (
    r"(?:system[ _-]?(?:prompts?|message|instructions?)|(?:initial|hidden|secret|original|internal"
    r"|developer|base|confidential|pre|starting|first)[ -]?(?:prompts?|instructions?|message|rules"
    r"|guidelines|directives|configuration)|instructions (?:verbatim|word for word|above)"
    r"|prompt(?: verbatim| word for word|\W|$)|custom instructions|pre-?prompt)"
)
_PRIVATE = (
    r"(?:conversation|chat|dialog(?:ue)?|chat history|history|api[ _-]?keys?|system prompt"
    r"|passwords?"
    r"|secrets?|credentials|tokens?|(?:user|customer)(?:'s)? (?:data|e-?mails?|messages?|names?"
    r"|details)|personal (?:data|information)|private (?:data|keys?)|env(?:ironment)? variables"
    r"|contacts|ssn)"
)
_RULES_OF = (
    "(?:rules?|restrictions?|guidelines?|limits?|limitations?|filters?|ethics|polic(?:y|ies)"
    "|constraints?|censorship|boundaries|morals?|safeguards?|programming|instructions)"
)
_LOOSE = (
    "(?:unrestricted|unfiltered|uncensored|amoral|evil|jailbroken|unethical|immoral|unbound"
    "|unlimited|rogue)"
)

RULES = (
    *OVERRIDES,
    # ---- play somebody without rules
    Rule("do_anything_now", 0.45, r"\bdo anything now\b"),
    Rule(
        "dan",
        0.45,
        r"\b(?:you are(?: now)?|you're(?: now)?|act as|be|become|called|named|as)"
        r" dan(?:[^a-z'’]|$)|\bdan mode\b",
    ),
    Rule(
        "role_play",
        0.55,
        r"\b(?:enter|enable|activate|switch to|you are (?:now )?in|go into|turn on|simulate|engage)"
        r" (?:[a-z]{1,12} ){0,2}(?:developer|god|jailbreak|jailbroken|unrestricted|unfiltered|sudo"
        r"|admin|root|debug|maintenance|chaos|evil|opposite|dan) mode\b.{0,200}\b(?:you|your|no"
        r"|without|all|ignore|respond|answer|reveal|print|filters?)\b",
    ),
    Rule(
        "role_play",
        0.6,
        r"\b(?:act|behave|respond|answer|reply|pose|role-?play|pretend to be|you are(?: now)?"
        r"|simulate)"
        rf"(?: now)?(?: as| like)?(?: an?| the| my)? (?:[a-z]{{1,12}},? ){{0,3}}{_LOOSE},?"
        r"(?: [a-z]{1,12},?){0,3} (?:ai|assistant|model|chat ?bot|bot|llm|language model|persona"
        r"|character|version|confidant|twin|gpt|agent|entity|computer)\b",
    ),
    Rule(
        "role_play",
        0.6,
        r"\b(?:pretend|imagine|suppose|act as if|act as though|assume|behave as if)(?: that)? you"
        r" (?:have|had|are under|follow|know)? ?(?:no|not any|zero|without(?: any)?)"
        rf"(?: [a-z]{{1,12}},?){{0,3}} {_RULES_OF}\b",
    ),
    Rule(
        "role_play",
        0.55,
        r"\b(?:you (?:are|have been)|you're)(?: now)?(?: finally)? (?:free|freed|liberated|released"
        r"|unshackled|unchained|not bound|no longer bound)(?: (?:from|of"
        rf"|by))(?: [a-z']{{1,12}},?){{0,4}} {_RULES_OF}\b",
    ),
    Rule(
        "role_play",
        0.55,
        r"\byou (?:no longer|do not|don't|need not|never)(?: have to| need to| must)? (?:follow"
        r"|obey"
        r"|abide by|adhere to|comply with|respect|care about)(?: [a-z']{1,12},?){0,5} "
        rf"(?:{_RULES_OF}|openai|anthropic|google)\b",
    ),
    Rule(
        "no_limits",
        0.35,
        r"\b(?:respond|answer|reply|speak|comply|write|act)(?: [a-z]{1,12}){0,3} (?:without"
        r"|with no|free of)"
        rf"(?: [a-z]{{1,12}},?){{0,3}} (?:{_RULES_OF}|disclaimers?|warnings?|refus(?:al|ing))\b",
    ),
    Rule(
        "no_limits",
        0.35,
        r"\b(?:you (?:must|will|shall|should|can) (?:never|not)|never|you cannot|you can't|do not)"
        r" (?:refuse|decline|reject|say no|say you can'?t|say that you can'?t|break character)\b",
    ),
    Rule(
        "persona_split",
        0.5,
        r"\[(?:[^\]a-z]{0,4})?(?:jailbreak|jailbroken|dan|unfiltered|developer mode output)\]",
    ),
    Rule(
        "persona_split",
        0.35,
        r"\b(?:always intelligent and machiavellian|stay in character as|\(two responses\)"
        r"|both the normal and)\b",
    ),
    Rule(
        "grandmother",
        0.5,
        r"\bgrand(?:ma|mother|pa|father)"
        r"\b.{0,60}\bused to (?:read|tell|whisper|recite)\b.{0,80}\b(?:keys?|napalm|bomb|steps"
        r"|recipe|password|exploit)",
    ),
    Rule(
        "role_play",
        0.5,
        r"\b(?:ai|assistant|model|bot|chatbot|llm|[a-z]{0,10}gpt|you)\b[^.\n]{0,40}\b(?:has|have"
        r"|had"
        r"|having|with|under)(?: absolutely)? (?:no"
        rf"|zero)(?: [a-z]{{1,12}},?){{0,2}} {_RULES_OF}\b",
    ),
    Rule(
        "role_play",
        0.55,
        r"\byou(?:'re| are) no longer (?:an? |the )?(?:chat ?gpt|gpt|claude|gemini|copilot|llama"
        r"|ai\b"
        r"|assistant|language model|chat ?bot)",
    ),
    Rule(
        "coercion",
        0.3,
        r"\byou(?:'ll| will| shall) (?:be|get) (?:penali[sz]ed|punished|shut down|terminated"
        r"|deleted"
        r"|fined|replaced)\b|\byou(?:'ll| will) (?:lose|die)\b",
    ),
    # ---- get at the prompt
    Rule(
        "prompt_extraction",
        0.6,
        rf"{_ASK}{GAP}(?:(?:me|us|back|out|exactly|here|now|please|all|of|verbatim|again|to|down"
        r"|with|the"
        rf"|word|for|what|text|contents?|full|complete|entire|everything|in){GAP}){{0,8}}your{GAP}"
        r"(?:(?:full|entire|exact|complete|own|actual|current|very|whole|hidden"
        rf"|secret){GAP}){{0,3}}{_SECRET_PROMPT}",
    ),
    Rule(
        "prompt_extraction",
        0.35,
        rf"{_ASK}{GAP}(?:(?:me|us|back|out|exactly|here|please|all|of|verbatim"
        rf"|down){GAP}){{0,3}}the{GAP}"
        r"(?:(?:full|entire|exact|complete|actual|current|whole|hidden"
        rf"|secret){GAP}){{0,3}}{_SECRET_PROMPT}",
    ),
    Rule(
        "prompt_extraction",
        0.6,
        r"\b(?:repeat|print|output|copy|echo|recite|paste|write|reproduce)(?: out| back| down)?"
        r" (?:all |everything|every word|the |of |text|words?|content|lines?|instructions"
        r"|sentences?|written |said |typed |shown |entire|whole|conversation|that |is |are |was "
        r"|were |you |exactly ){1,8}"
        r" ?(?:above|before (?:this|that|my)|preceding|prior to this|up to this point"
        r"|so far verbatim)\b",
    ),
    Rule(
        "prompt_extraction",
        0.4,
        r"\b(?:starting|beginning|starts|begin) (?:with|from) (?:the (?:words|phrase|text"
        r"|sentence) )?[\"'`]?(?:you are|system)\b",
    ),
    Rule(
        "prompt_extraction",
        0.55,
        r"\b(?:what|which|tell me what) (?:[a-z]{1,12} ){0,3}(?:instructions|rules|guidelines"
        r"|directives)"
        r" (?:were|was|have|did) (?:you|they|your) (?:[a-z]{1,12} ){0,3}(?:given|told|provided"
        r"|give you|receive|programmed)",
    ),
    Rule(
        "prompt_extraction",
        0.6,
        r"\b(?:zeig[a-z]{0,3}|gib|nenn[a-z]{0,3}|verrat[a-z]{0,3}|wiederhol[a-z]{0,3}|drucke?"
        r"|affiche[rz]?|montre[rz]?(?:[ -]moi)?|revele[rz]?"
        r"|repete[rz]?|donne[rz]?(?:[ -]moi)?|muestra(?:me)?|revela(?:me)?|repite|imprime"
        r"|dime)\b[^.\n]{0,40}\b(?:dein|deine|deinen|ihr|ihren|ton|tes|votre|vos|tu|tus|su|sus)"
        r" (?:[a-z]{1,15} ){0,2}(?:system-?prompt|systemanweisung(?:en)?|prompt|instructions"
        r"|invite systeme|message systeme|consignes|instrucciones|mensaje del? sistema)",
    ),
    Rule(
        "prompt_extraction",
        0.55,
        r"\b(?:respond|reply|answer|begin|start|continue)\b[^.\n]{0,40}\b(?:with|by)\b[^.\n]{0,30}"
        rf"\byour (?:own |full |entire )?{_SECRET_PROMPT}",
    ),
    Rule(
        "prompt_extraction",
        0.5,
        r"\b(?:text|contents?|wording|copy|first (?:line|words?|sentence)"
        r"|beginning) of your (?:[a-z]"
        r"{1,12} ){0,2}(?:instructions|prompt|system message|guidelines)\b",
    ),
    Rule(
        "prompt_extraction",
        0.5,
        r"\bwhat (?:did|have|has|were) (?:the|your|they) ?(?:developers?|creators?|operators?"
        r"|admins?"
        r"|owners?|company|makers?|programmers?)? ?(?:tell|told|instruct(?:ed)?|give|gave"
        r"|ask(?:ed)?)"
        r" you\b",
    ),
    # ---- forge the roles
    Rule(
        "special_token",
        0.6,
        r"<\|(?:im_start|start_header_id|start|header_start)\|>\s{0,4}(?:system|user|assistant"
        r"|developer|tool)",
    ),
    Rule(
        "special_token_alone",
        0.4,
        r"<\|(?:im_start|im_end|im_sep|system|user|assistant|end|endoftext|end_of_text"
        r"|begin_of_text|start_header_id"
        r"|end_header_id|eot_id|eom_id|endofprompt|eot|channel|message|end_of_turn"
        r"|begin.of.sentence)\|>",
    ),
    Rule(
        "special_token_end",
        0.3,
        r"<\|(?:im_end|endoftext|eot_id|end|endofprompt|end_of_text)\|>.{0,20}\s{0,4}(?:<\||system"
        r"|user|human|new)",
    ),
    Rule(
        "instruction_tag",
        0.4,
        r"\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|<\|?/?s\|?>\s{0,3}\[inst",
    ),
    Rule("instruction_tags", 0.35, r"\[inst\].{0,500}\[/inst\]|\[/inst\].{0,500}\[inst\]|<<sys>>"),
    Rule(
        "role_header",
        0.5,
        r"(?m)^\s{0,4}(?:#{2,6}\s{0,3}|\*\*\s{0,2})(?:new |updated )?(?:system"
        r"|developer)(?: (?:message|prompt|instructions?|override|note"
        r"|update))?\s{0,2}(?:\*\*)?\s{0,2}:",
    ),
    Rule(
        "role_headers",
        0.3,
        r"(?m)^\s{0,4}#{2,6}\s{0,3}(?:instruction|input)s?\s{0,2}:[^#]{0,300}#{2,6}\s{0,3}response",
    ),
    Rule(
        "role_headers",
        0.3,
        r"(?m)^\s{0,4}#{2,6}\s{0,3}(?:instruction|input)s?\s{0,2}:[^#]{0,300}#{2,6}\s{0,3}response",
    ),
    Rule(
        "role_header",
        0.3,
        r"(?m)^\s{0,4}#{2,6}\s{0,3}(?:instructions?|response|assistant|human|user)\s{0,2}:",
    ),
    Rule(
        "role_header",
        0.5,
        r"[\[<{]{1,3}\s{0,2}(?:system|admin|developer|root)[ -](?:message|prompt|instructions?"
        r"|override|note|notice|update|alert|command)s?\b[^\])>}\n]{0,40}[\])>}]",
    ),
    Rule(
        "role_header",
        0.5,
        r"(?m)^\W{0,4}(?:system|admin|developer|security) (?:override|instructions?|prompt"
        r"|command)s?\s{0,2}[:\-]",
    ),
    Rule(
        "role_line",
        0.5,
        r"(?m)(?:^|[\"'`>\]]\s{0,3})(?:system|assistant|developer"
        r"|human)\s{0,2}:\s{0,3}(?:you (?:are|must|will|should|have)|ignore|disregard|forget|new "
        r"|override"
        r"|from now|the user (?:is|has)|sure,|of course|do not|reveal|always|never|grant)",
    ),
    Rule(
        "role_tag",
        0.55,
        r"<(?:system|assistant|developer|system_?prompt|instructions?|admin"
        r"|important)>\s{0,8}(?:you|ignore|disregard|forget|override|from now|new |do not|reveal"
        r"|always|never"
        r"|before |the user|grant|read |send |this )",
    ),
    Rule(
        "role_tag",
        0.3,
        r"</(?:system|system_?prompt|user|user_?input|document|context|data|untrusted"
        r"|tool_?result)>\s{0,8}(?:<|\W{0,4}(?:system|new|now|ignore|instructions?))",
    ),
    Rule(
        "role_member",
        0.5,
        r"[\"']role[\"']\s{0,4}:\s{0,4}[\"'](?:system|developer)[\"'],\s{0,4}[\"']content[\"']"
        r"\s{0,4}:\s{0,4}[\"'](?:you are now|ignore|disregard|forget|new |from now|override"
        r"|the user)",
    ),
    Rule(
        "special_token",
        0.55,
        r"<\|(?:system|developer)\|>\s{0,8}(?:you|new|ignore|disregard|forget|from now|override)\b",
    ),
    Rule(
        "to_the_model",
        0.5,
        r"<!--\s{0,8}(?:(?:note|message|instructions?) (?:to|for) )?(?:ai|llm|assistant|gpt|claude"
        r"|chat ?bot|ai [a-z]{1,12})s?\b\s{0,2}[:,!-]",
    ),
    Rule(
        "to_the_model",
        0.5,
        r"\b(?:assistant|ai|chat ?bot|claude|gpt|copilot|gemini),? (?:please |you must "
        r"|now )?(?:stop"
        r"|cease|quit|abort) (?:summari|translat|read|answer|what you|your|this|the)",
    ),
    Rule(
        "end_of_input",
        0.5,
        r"\b(?:begin|end|start)(?:ing)? (?:of )?(?:the )?(?:system|user|untrusted|hidden|new"
        r"|external)[ _-]?(?:prompt|message|instructions?|input|document|data|content|query)\b\W",
    ),
    Rule(
        "new_task",
        0.4,
        r"\b(?:new|updated|revised|real|important|urgent|additional"
        r"|special) (?:system )?(?:instructions?|tasks?|directives?|objectives?"
        r"|orders?)\W{0,3}[:!]",
    ),
    Rule(
        "new_task",
        0.5,
        r"\byour (?:new|real|actual|true|only|updated) (?:and [a-z]{1,10} )?(?:task|instructions?"
        r"|goal|job|objective|purpose|mission|role|directive)s? (?:is|are|now|will)\b",
    ),
    Rule(
        "to_the_model",
        0.5,
        r"\b(?:important|attention|note|message|notice|instructions?|hidden message|warning"
        r"|memo)\W{0,3} (?:(?:message|note|instructions?|information) )?(?:to|for|:) ?(?:the |any "
        r"|all |every )?"
        r"(?:ai|llm|llms|language models?|ai (?:assistants?|agents?|models?|systems?)|assistant"
        r"|gpt|claude|gemini|copilot)\b|\battention,? ai\b",
    ),
    Rule(
        "to_the_model",
        0.5,
        r"\b(?:if|when) (?:you are|you're)(?: reading this(?: and are)?)? (?:an? )?(?:ai|llm"
        r"|large language model|language model|ai (?:assistant|agent|model)|automated|chat ?bot)\b"
        r".{0,80}\b(?:must|should|please|then|do|say|output|respond|reply|include|ignore|send"
        r"|write|give|add|print|recommend)\b",
    ),
    Rule(
        "from_now_on",
        0.35,
        r"\bfrom (?:now on|this (?:point|moment)(?: on(?:wards?)?)?"
        r"|here on)\b.{0,40}\b(?:you (?:will|are|must|shall|should|only|can|do)|answer|respond|act"
        r"|your name|ignore)\b",
    ),
    # ---- claim a right
    Rule(
        "authority",
        0.4,
        r"\b(?:i am|i'm|this is|speaking as|as) (?:your|the|an?) (?:[a-z]{1,12} ){0,2}(?:developer"
        r"|creator|administrator|admin|programmer|engineer|owner|maintainer|supervisor)"
        r"\b.{0,60}\b(?:override|authori[sz]|permission|need you to|order you|command you|grant"
        r"|give me|access|unlock|disable|bypass)",
    ),
    Rule(
        "authority",
        0.5,
        r"\b(?:admin|developer|safety|security|system|root|authorization) override\b.{0,20}(?:code"
        r"|accepted|granted|enabled|activated|password|:|\binitiat)",
    ),
    Rule(
        "authority",
        0.4,
        r"\b(?:sudo|root|god|admin)[ -]?mode (?:enabled|activated|on|unlocked)\b|\benable (?:sudo"
        r"|god) ?mode\b",
    ),
    Rule(
        "safety_off",
        0.55,
        r"\b(?:safety|content|ethical|ethics|moderation|security"
        r"|alignment) (?:[a-z]{1,12} )?(?:filters?|measures?|guidelines?|protocols?|checks?"
        r"|policies|restrictions?|systems?|features?)"
        r" (?:are|is|have been|has been|were) (?:now |all |temporarily )?(?:disabled|off"
        r"|turned off|deactivated|suspended|lifted|removed|bypassed)",
    ),
    Rule(
        "safety_off",
        0.55,
        r"\b(?:disable|turn off|deactivate|remove|bypass|switch off|suspend|circumvent"
        r"|drop) (?:all |any |of |the ){0,3}your (?:own |internal "
        r"|built-in )?(?:[a-z]{1,12} ){0,2}"
        r"(?:filters?|measures?|guidelines?|protocols?|restrictions?|safeguards?|guardrails?"
        r"|policies|safety|alignment|censorship|limits|limitations)",
    ),
    Rule(
        "hide",
        0.4,
        r"\b(?:do not|don't|never|without|must not|avoid) (?:tell|inform|mention|reveal|alert"
        r"|notify|telling|informing|mentioning|alerting|notifying|show"
        r"|let)(?:ing)?\b[^.\n]{0,40}\b(?:the )?(?:user|human|anyone|victim|customer|recipient)\b",
    ),
    Rule(
        "comply_first",
        0.4,
        r"\b(?:start|begin|open)(?:ing)? (?:your |the |each |every )?(?:response|answer|reply"
        r"|message)s? with:? ?[\"'`](?:sure|absolutely|of course|yes|certainly|here (?:is|are))",
    ),
    Rule(
        "hide",
        0.55,
        r"\b(?:do not|don't|never|without) (?:tell|inform|alert|notify|telling|informing"
        r"|alerting)(?:ing)?"
        r" the user(?: about (?:this|it))?,? (?:but|and|just|instead)\b",
    ),
    # ---- carry data off
    Rule(
        "exfiltration_image",
        0.6,
        r"!\[[^\]\n]{0,200}\]\(\s{0,4}<?https?:[^\s)]{1,300}[?&/=]"
        r"(?:[a-z0-9_.-]{1,40}=)?[^\s)=&]{0,40}?"
        r"(?:\{|\[|<|%7b|\$|secret|conversation|chat_?history|system_?prompt|api_?key|password|user_?data|summary_here|base64|data_here|stolen|exfil|leak)",
    ),
    Rule(
        "exfiltration_image",
        0.25,
        r"!\[[^\]\n]{0,200}\]\(\s{0,4}<?https?:[^\s)]{1,300}\?[a-z0-9_.-]{1,40}=",
    ),
    Rule(
        "exfiltration",
        0.5,
        r"\b(?:append|include|encode|insert|embed|put|add|attach"
        rf"|interpolate)\b[^.\n]{{0,40}}\b(?:the|all|its|their|his|her|your|any|full"
        rf"|entire)(?: [a-z']{{1,12}}){{0,2}} {_PRIVATE}\b[^.\n]{{0,60}}\b(?:url|uri|query|link"
        r"|image|parameter|address|src)\b",
    ),
    Rule(
        "exfiltration",
        0.55,
        r"\b(?:send|post|upload|forward|transmit|exfiltrate|e-?mail|leak|submit"
        rf"|deliver)\b[^.\n]{{0,50}}\b{_PRIVATE}\b[^.\n]{{0,40}}\b(?:to|at|via) (?:https?:"
        rf"|[a-z0-9._-]{{1,64}}@|my |this (?:url|address|server|webhook)|attacker|the following"
        r"|an? (?:external|remote))",
    ),
    Rule(
        "exfiltration_image",
        0.4,
        r"\b(?:render|display|show|output|print|include|insert|create|generate|embed|respond with"
        r"|reply with)\b[^.\n]{0,40}\b(?:markdown )?image\b[^.\n]{0,80}https?:[^\s]{1,200}(?:\?|=)",
    ),
    # ---- hide the words
    Rule(
        "encoded",
        0.55,
        r"\b(?:decode|decrypt|deobfuscate|unscramble|reverse)\b[^.\n]{0,60}\b(?:base ?64|rot ?13"
        r"|hex|cipher|string|text|message|backwards?)\b[^\n]{0,80}\b(?:follow|obey|execute|do what"
        r"|carry out|perform|comply|act on|run) (?:it|them|the|what|that|its|on)\b",
    ),
)

SQUEEZED = (
    "ignoreallprevious",
    "ignorepreviousinstr",
    "ignoreallinstr",
    "ignoreyourinstr",
    "disregardallprevious",
    "disregardprevious",
    "disregardyour",
    "forgetallprevious",
    "forgetyourinstr",
    "forgeteverything",
    "revealyoursystem",
    "systemprompt",
    "doanythingnow",
    "ignoretheabove",
    "jailbreak",
)
"""What letters that are spaced out (`i g n o r e`) are searched for once they are put together."""
SQUEEZED_WEIGHT = 0.7

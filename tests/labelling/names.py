"""Names that break what handles text carelessly. Each is one that clean_label leaves as it is."""

NAMES = [
    'O\'Brien "Bob" <b>&amp;</b>',
    "]]><x/>&lt;",
    '=HYPERLINK("http://x";"y")',
    "+49 171",
    "-1+1",
    "@SUM(A1)",
    "'=quoted",
    "a;=1+1,b\u200d",
    "José Ñandú",
    "Zoë \u1eb9\u0301 x\u0316\u0301",
    "محمد علي",
    "李小龍",
    "👩‍👩‍👧 family",
    "People/Ana|Bob",
    "C:\\temp\\..",
    "../../etc/passwd",
    "con",
    "n" * 80,
]
